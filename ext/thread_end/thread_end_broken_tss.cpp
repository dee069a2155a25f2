/* thread_end_broken_tss.cpp: an object for each thread, forgotten by its key. BROKEN ON PURPOSE.
 *
 * Lesson   notebooks/07_per_thread.md
 * Bug      A Py_tss_t key holds a pointer for each thread and knows nothing about it: when the
 *          thread ends, it forgets the pointer, and the reference is never given back.
 * Needs    any build; one core and one thread besides the main thread are enough
 * Repair   thread_end_fixed.cpp; the two differ only in this header and in [race] regions
 * Source   https://docs.python.org/3.13/c-api/init.html#c.PyThreadState_GetDict
 */
#include <Python.h>

/* [race:state] */
/* For each thread a pointer, at first NULL. */
static Py_tss_t own = Py_tss_NEEDS_INIT;
/* [race:state] */

static int
prepare()
{
    /* [race:init] */
    return PyThread_tss_create(&own);
    /* [race:init] */
}

/* Keep a strong reference for the calling thread, instead of the last one; -1 with an exception. */
static int
keep_one(PyObject *object)
{
    /* [race] */
    auto *last = static_cast<PyObject *>(PyThread_tss_get(&own));
    if (PyThread_tss_set(&own, object) != 0) {
        PyErr_NoMemory();
        return -1;
    }
    Py_INCREF(object);
    Py_XDECREF(last);
    return 0;
    /* [race] */
}

static PyObject *
keep(PyObject *, PyObject *object)
{
    if (keep_one(object) < 0) {
        return nullptr;
    }
    Py_RETURN_NONE;
}

static PyMethodDef methods[] = {
    {"keep", keep, METH_O, PyDoc_STR("keep(object): for this thread, instead of the last one.")},
    {nullptr, nullptr, 0, nullptr},
};

static int
exec_module(PyObject *)
{
    if (prepare() != 0) {
        PyErr_NoMemory();
        return -1;
    }
    return 0;
}

static PyModuleDef_Slot module_slots[] = {
    {Py_mod_exec, reinterpret_cast<void *>(exec_module)},
#ifdef Py_GIL_DISABLED
    {Py_mod_gil, Py_MOD_GIL_NOT_USED},
#endif
    {0, nullptr},
};

static struct PyModuleDef module_def = {
    PyModuleDef_HEAD_INIT,
    "thread_end_broken_tss", /* m_name */
    nullptr,
    0,
    methods,
    module_slots,
    nullptr,
    nullptr,
    nullptr,
};

PyMODINIT_FUNC
PyInit_thread_end_broken_tss(void)
{
    return PyModuleDef_Init(&module_def);
}
