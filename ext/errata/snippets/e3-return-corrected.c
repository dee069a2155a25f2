#include <Python.h>

static PyObject *table;

static int
make_table(PyObject *Py_UNUSED(module))
{
    table = PyDict_New();
    return table == NULL ? -1 : 0;
}

static PyModuleDef_Slot slots[] = {
    {Py_mod_exec, make_table},
    {Py_mod_gil, Py_MOD_GIL_NOT_USED},
    {0, NULL},
};

static struct PyModuleDef definition = {
    PyModuleDef_HEAD_INIT,
    .m_name = "e3",
    .m_slots = slots,
};

PyMODINIT_FUNC
PyInit_e3(void)
{
    return PyModuleDef_Init(&definition);
}
