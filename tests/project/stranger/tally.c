#include <Python.h>

typedef struct { PyObject_HEAD long n; } Tally;

static PyObject *
add(PyObject *self, PyObject *Py_UNUSED(ignored))
{
    ((Tally *)self)->n++;
    Py_RETURN_NONE;
}

static PyObject *
total(PyObject *self, void *Py_UNUSED(closure))
{
    return PyLong_FromLong(((Tally *)self)->n);
}

static PyMethodDef methods[] = {{"add", add, METH_NOARGS, NULL}, {0}};
static PyGetSetDef getset[] = {{"total", total, NULL, NULL, NULL}, {0}};
static PyType_Slot type_slots[] = {{Py_tp_methods, methods}, {Py_tp_getset, getset}, {0, NULL}};
static PyType_Spec spec = {"tally.Tally", sizeof(Tally), 0, Py_TPFLAGS_DEFAULT, type_slots};

static int
exec_tally(PyObject *module)
{
    PyObject *type = PyType_FromSpec(&spec);
    return type == NULL ? -1 : PyModule_Add(module, "Tally", type);
}

static PyModuleDef_Slot slots[] = {
    {Py_mod_exec, exec_tally}, {Py_mod_gil, Py_MOD_GIL_NOT_USED}, {0, NULL}};
static PyModuleDef definition = {PyModuleDef_HEAD_INIT, "tally", .m_slots = slots};

PyMODINIT_FUNC
PyInit_tally(void)
{
    return PyModuleDef_Init(&definition);
}
