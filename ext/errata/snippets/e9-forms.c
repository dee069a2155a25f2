#include <Python.h>

static PyModuleDef_Slot slots[] = {
#if FORM == 1 /* as the guide has it */
#ifdef Py_GIL_DISABLED
    {Py_mod_gil, Py_MOD_GIL_NOT_USED},
#endif
#elif FORM == 2 /* as CPython's own how-to has it */
#if PY_VERSION_HEX >= 0x030D0000
    {Py_mod_gil, Py_MOD_GIL_NOT_USED},
#endif
#else /* no question asked */
    {Py_mod_gil, Py_MOD_GIL_NOT_USED},
#endif
    {0, NULL},
};

static struct PyModuleDef definition = {
    PyModuleDef_HEAD_INIT,
    .m_name = "e9",
    .m_slots = slots,
};

PyMODINIT_FUNC
PyInit_e9(void)
{
    return PyModuleDef_Init(&definition);
}
