/* thread_end_broken.cpp: an object for each thread, let go when it is too late. BROKEN ON PURPOSE.
 *
 * Lesson   notebooks/07_per_thread.md
 * Bug      C++ destroys a thread_local when the thread ends. By then Python has taken the
 *          thread state away, and the destructor lets go of an object, detached.
 * Needs    any build; one core and one thread besides the main thread are enough
 * Repair   thread_end_fixed.cpp; the two differ only in this header and in [race] regions
 * Source   https://docs.python.org/3.13/c-api/init.html#c.PyThreadState_GetDict
 */
#include <Python.h>

/* [race:state] */
struct Owned {
    PyObject *object = nullptr;
    ~Owned() { Py_XDECREF(object); } /* the thread state is gone */
};
static thread_local Owned own;
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
    Py_XSETREF(own.object, Py_NewRef(object));
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
    "thread_end_broken", /* m_name */
    nullptr,
    0,
    methods,
    module_slots,
    nullptr,
    nullptr,
    nullptr,
};

PyMODINIT_FUNC
PyInit_thread_end_broken(void)
{
    return PyModuleDef_Init(&module_def);
}
