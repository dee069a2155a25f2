/* How many threads are inside of one function, with one argument, at the same time? */
#include <Python.h>

#include <stdatomic.h>

static atomic_int inside;

/* meet(argument, spins): the most threads that were seen in here while we were. */
static PyObject *
meet(PyObject *Py_UNUSED(module), PyObject *args)
{
    PyObject *argument;
    int spins;
    if (!PyArg_ParseTuple(args, "Oi", &argument, &spins)) {
        return NULL;
    }
    int most = atomic_fetch_add(&inside, 1) + 1;
    for (int i = 0; i < spins; i++) {
        int now = atomic_load(&inside);
        most = now > most ? now : most;
    }
    atomic_fetch_sub(&inside, 1);
    return PyLong_FromLong(most);
}

static PyMethodDef methods[] = {
    {"meet", meet, METH_VARARGS, NULL},
    {NULL, NULL, 0, NULL},
};

static PyModuleDef_Slot slots[] = {
    {Py_mod_gil, Py_MOD_GIL_NOT_USED},
    {0, NULL},
};

static struct PyModuleDef definition = {
    PyModuleDef_HEAD_INIT,
    .m_name = "e10",
    .m_methods = methods,
    .m_slots = slots,
};

PyMODINIT_FUNC
PyInit_e10(void)
{
    return PyModuleDef_Init(&definition);
}
