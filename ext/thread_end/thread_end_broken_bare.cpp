/* thread_end_broken_bare.cpp: an object for each thread, never let go. BROKEN ON PURPOSE.
 *
 * Lesson   notebooks/07_per_thread.md
 * Bug      A bare thread_local pointer has no destructor. When the thread ends the pointer
 *          goes, and the reference that it stood for is never given back.
 * Needs    any build; one core and one thread besides the main thread are enough
 * Repair   thread_end_fixed.cpp; the two differ only in this header and in [race] regions
 * Source   https://docs.python.org/3.13/c-api/init.html#c.PyThreadState_GetDict
 */
#include <Python.h>

/* [race:state] */
static thread_local PyObject *own; /* strong; who gives it back? */
/* [race:state] */

static int
prepare()
{
    /* [race:init] */
    return 0;
    /* [race:init] */
}

/* Keep a strong reference for the calling thread, instead of the last one; -1 with an exception. */
static int
keep_one(PyObject *object)
{
    /* [race] */
    Py_XSETREF(own, Py_NewRef(object));
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
    "thread_end_broken_bare", /* m_name */
    nullptr,
    0,
    methods,
    module_slots,
    nullptr,
    nullptr,
    nullptr,
};

PyMODINIT_FUNC
PyInit_thread_end_broken_bare(void)
{
    return PyModuleDef_Init(&module_def);
}
