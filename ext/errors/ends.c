/* ends.c: are the first and the last item of a list one object? Nothing is wrong with it.
 *
 * Lesson   notebooks/18_errors.md
 * Needs    Python 3.10 or later; says of 3.13 and later that it needs no GIL
 */
#include <Python.h>

static PyObject *
same(PyObject *module, PyObject *list)
{
    (void)module;
    PyObject *first = PySequence_GetItem(list, 0);
    PyObject *last = first ? PySequence_GetItem(list, -1) : NULL;
    PyObject *answer = last ? PyBool_FromLong(first == last) : NULL;
    Py_XDECREF(last);
    Py_XDECREF(first);
    return answer;
}

static PyMethodDef methods[] = {
    {"same", same, METH_O, "Are the first and the last item one object?"},
    {NULL, NULL, 0, NULL},
};

static PyModuleDef_Slot slots[] = {
#if PY_VERSION_HEX >= 0x030D0000
    {Py_mod_gil, Py_MOD_GIL_NOT_USED},
#endif
    {0, NULL},
};

static struct PyModuleDef definition = {
    PyModuleDef_HEAD_INIT,
    .m_name = "ends",
    .m_methods = methods,
    .m_slots = slots,
};

PyMODINIT_FUNC
PyInit_ends(void)
{
    return PyModuleDef_Init(&definition);
}
