/* How much of the GIL does one PyEval_SaveThread() give back, after several PyGILState_Ensure()? */
#include <Python.h>

#include <stdatomic.h>
#include <time.h>

static atomic_int ticks;

static PyObject *
tick(PyObject *Py_UNUSED(module), PyObject *Py_UNUSED(ignored))
{
    atomic_fetch_add(&ticks, 1);
    Py_RETURN_NONE;
}

/* ensure_and_save(depth, ms): take it `depth` times more, save once, and for `ms` look for ticks. */
static PyObject *
ensure_and_save(PyObject *Py_UNUSED(module), PyObject *args)
{
    int depth, ms;
    PyGILState_STATE states[16];
    if (!PyArg_ParseTuple(args, "ii", &depth, &ms)) {
        return NULL;
    }
    if (depth < 0 || depth > 16) {
        return PyErr_Format(PyExc_ValueError, "depth is %d: 0 to 16", depth);
    }
    for (int i = 0; i < depth; i++) {
        states[i] = PyGILState_Ensure();
    }
    int before = atomic_load(&ticks), seen = 0;
    PyThreadState *saved = PyEval_SaveThread();
    for (int waited = 0; waited < ms && seen == 0; waited++) {
        nanosleep(&(struct timespec){.tv_nsec = 1000000}, NULL);
        seen = atomic_load(&ticks) - before;
    }
    PyEval_RestoreThread(saved);
    for (int i = depth; i > 0; i--) {
        PyGILState_Release(states[i - 1]);
    }
    return PyBool_FromLong(seen);
}

/* take_again(): what a re-entrant lock allows, asked of the thread state that we have. */
static PyObject *
take_again(PyObject *Py_UNUSED(module), PyObject *Py_UNUSED(ignored))
{
    PyEval_RestoreThread(PyThreadState_Get());
    Py_RETURN_NONE;
}

static PyMethodDef methods[] = {
    {"tick", tick, METH_NOARGS, NULL},
    {"ensure_and_save", ensure_and_save, METH_VARARGS, NULL},
    {"take_again", take_again, METH_NOARGS, NULL},
    {NULL, NULL, 0, NULL},
};

static PyModuleDef_Slot slots[] = {
    {Py_mod_gil, Py_MOD_GIL_NOT_USED},
    {0, NULL},
};

static struct PyModuleDef definition = {
    PyModuleDef_HEAD_INIT,
    .m_name = "e7",
    .m_methods = methods,
    .m_slots = slots,
};

PyMODINIT_FUNC
PyInit_e7(void)
{
    return PyModuleDef_Init(&definition);
}
