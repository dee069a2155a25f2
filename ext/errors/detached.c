/* detached.c: two functions that call Python while they are detached. BROKEN ON PURPOSE.
 *
 * Lesson   notebooks/18_errors.md
 * Bug      PyThreadState_Get() and PyList_New() need an attached thread
 * Repair   move the call out of the block, or attach around it (Py_BLOCK_THREADS, Py_UNBLOCK_THREADS)
 */
#include <Python.h>

static PyObject *
state(PyObject *module, PyObject *ignored)
{
    (void)module;
    (void)ignored;
    Py_BEGIN_ALLOW_THREADS
    (void)PyThreadState_Get();
    Py_END_ALLOW_THREADS
    Py_RETURN_NONE;
}

static PyObject *
make(PyObject *module, PyObject *ignored)
{
    (void)module;
    (void)ignored;
    PyObject *list;
    Py_BEGIN_ALLOW_THREADS
    list = PyList_New(3);
    Py_END_ALLOW_THREADS
    return list;
}

static PyObject *
make_attached(PyObject *module, PyObject *ignored)
{
    (void)module;
    (void)ignored;
    PyObject *list;
    Py_BEGIN_ALLOW_THREADS
    Py_BLOCK_THREADS
    list = PyList_New(0);
    Py_UNBLOCK_THREADS
    Py_END_ALLOW_THREADS
    return list;
}

static PyMethodDef methods[] = {
    {"state", state, METH_NOARGS, "Ask for the thread state, detached."},
    {"make", make, METH_NOARGS, "Make a list, detached."},
    {"make_attached", make_attached, METH_NOARGS, "Make a list, attached again for it."},
    {NULL, NULL, 0, NULL},
};

static PyModuleDef_Slot slots[] = {
    {Py_mod_gil, Py_MOD_GIL_NOT_USED},
    {0, NULL},
};

static struct PyModuleDef definition = {
    PyModuleDef_HEAD_INIT,
    .m_name = "detached",
    .m_methods = methods,
    .m_slots = slots,
};

PyMODINIT_FUNC
PyInit_detached(void)
{
    return PyModuleDef_Init(&definition);
}
