/* thread_end_fixed.cpp: an object for each thread, owned by the thread state.
 *
 * Lesson   notebooks/07_per_thread.md
 * Repair   Python keeps a dict for each thread state, and clears it while the thread is still
 *          attached. The reference is the dict's; nothing is left for C++ to destroy.
 * Broken   thread_end_broken.cpp; the two differ only in this header and in [race] regions
 * Source   https://docs.python.org/3.13/c-api/init.html#c.PyThreadState_GetDict
 */
#include <Python.h>

/* [race:state] */
/* A key that nobody else takes. */
static const char own[] = "thread_end_fixed";
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
    PyObject *dict = PyThreadState_GetDict(); /* borrowed */
    if (dict == nullptr) {
        PyErr_SetString(PyExc_RuntimeError, "no thread state");
        return -1;
    }
    return PyDict_SetItemString(dict, own, object);
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
    "thread_end_fixed", /* m_name */
    nullptr,
    0,
    methods,
    module_slots,
    nullptr,
    nullptr,
    nullptr,
};

PyMODINIT_FUNC
PyInit_thread_end_fixed(void)
{
    return PyModuleDef_Init(&module_def);
}
