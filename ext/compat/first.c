/* first.c: one source for Python 3.9 and later: the first item of a list, owned from the start.
 *
 * Lesson   notebooks/10_borrowed_ref.md
 * Needs    Python 3.13, which has PyList_GetItemRef; or pythoncapi_compat.h, which adds it to
 *          older ones (compile with -DWITH_COMPAT and the header's folder)
 * Source   https://github.com/python/pythoncapi-compat
 */
#include <Python.h>

#ifdef WITH_COMPAT
#include "pythoncapi_compat.h"
#endif

static PyObject *
first(PyObject *module, PyObject *list)
{
    (void)module;
    return PyList_GetItemRef(list, 0);
}

static PyMethodDef methods[] = {
    {"first", first, METH_O, PyDoc_STR("The first item of a list.")},
    {NULL, NULL, 0, NULL},
};

static PyModuleDef_Slot module_slots[] = {
#if PY_VERSION_HEX >= 0x030D0000
    {Py_mod_gil, Py_MOD_GIL_NOT_USED},
#endif
    {0, NULL},
};

static struct PyModuleDef module_def = {
    PyModuleDef_HEAD_INIT,
    .m_name = "first",
    .m_methods = methods,
    .m_slots = module_slots,
};

PyMODINIT_FUNC
PyInit_first(void)
{
    return PyModuleDef_Init(&module_def);
}
