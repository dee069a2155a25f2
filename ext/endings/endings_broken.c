/* endings_broken.c: two locks, taken in two orders. BROKEN ON PURPOSE.
 *
 * Lesson   notebooks/12_critical_section.md
 * Bug      One thread holds `left` and waits for `right`, the other holds `right` and waits
 *          for `left`. Neither will ever go on.
 * Needs    a free-threaded build, two attached threads. With the GIL nothing between the two
 *          locks lets the other thread run
 * Repair   endings_fixed.c; the two differ only in this header and in [race]
 * Source   https://docs.python.org/3.13/c-api/init.html#c.PyMutex
 */
#include <Python.h>

#include "racelab/race_point.h"

typedef struct {
    PyObject_HEAD
    PyMutex left;
    PyMutex right;
} Doors;

static void
hold_both(PyMutex *first, PyMutex *second)
{
    PyMutex_Lock(first);
    RACE_POINT();
    PyMutex_Lock(second);
    PyMutex_Unlock(second);
    PyMutex_Unlock(first);
}

static PyObject *
doors_enter(PyObject *self, PyObject *Py_UNUSED(ignored))
{
    Doors *doors = (Doors *)self;
    hold_both(&doors->left, &doors->right);
    Py_RETURN_NONE;
}

static PyObject *
doors_leave(PyObject *self, PyObject *Py_UNUSED(ignored))
{
    Doors *doors = (Doors *)self;
    /* [race] */
    hold_both(&doors->right, &doors->left);
    /* [race] */
    Py_RETURN_NONE;
}

static void
doors_dealloc(PyObject *self)
{
    PyTypeObject *type = Py_TYPE(self);
    type->tp_free(self);
    Py_DECREF(type);
}

static PyMethodDef doors_methods[] = {
    {"enter", doors_enter, METH_NOARGS, PyDoc_STR("Hold both locks, left first.")},
    {"leave", doors_leave, METH_NOARGS, PyDoc_STR("Hold both locks.")},
    {NULL, NULL, 0, NULL},
};

static PyType_Slot doors_slots[] = {
    {Py_tp_doc, PyDoc_STR("Doors(): two locks, both open.")},
    {Py_tp_new, PyType_GenericNew},
    {Py_tp_dealloc, doors_dealloc},
    {Py_tp_methods, doors_methods},
    {0, NULL},
};

static PyType_Spec doors_spec = {
    .name = "endings_broken.Doors",
    .basicsize = sizeof(Doors),
    .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_IMMUTABLETYPE,
    .slots = doors_slots,
};

static int
exec_module(PyObject *module)
{
    PyObject *type = PyType_FromModuleAndSpec(module, &doors_spec, NULL);
    int status = PyModule_AddObjectRef(module, "Doors", type);
    Py_XDECREF(type);
    return status;
}

static PyModuleDef_Slot module_slots[] = {
    {Py_mod_exec, exec_module},
#ifdef Py_GIL_DISABLED
    {Py_mod_gil, Py_MOD_GIL_NOT_USED},
#endif
    {0, NULL},
};

static struct PyModuleDef module_def = {
    PyModuleDef_HEAD_INIT,
    .m_name = "endings_broken",
    .m_slots = module_slots,
};

PyMODINIT_FUNC
PyInit_endings_broken(void)
{
    return PyModuleDef_Init(&module_def);
}
