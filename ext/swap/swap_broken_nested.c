/* swap_broken_nested.c: two cells, one critical section inside of the other. BROKEN ON PURPOSE.
 *
 * Lesson   notebooks/12_critical_section.md
 * Bug      A thread that has to wait for the inner section lets go of the outer one meanwhile,
 *          and does not have it back before the inner one ends. So nothing hangs, and what was
 *          read in the outer one is old when the inner one begins.
 * Needs    a free-threaded build, two attached threads
 * Seen     notebooks/recorded/swap.jsonl
 * Repair   swap_fixed.c: one critical section for both. It differs from swap_broken.c, as this
 *          file does, only in its header and in [race] regions
 * Source   https://docs.python.org/3.13/c-api/init.html#c.Py_BEGIN_CRITICAL_SECTION2
 */
#include <Python.h>

#include "racelab/race_point.h"

typedef struct {
    PyObject_HEAD
    long value;
    /* [race:state] */
    /* the lock is the one that every object has */
    /* [race:state] */
} Cell;

static PyObject *
cell_swap(PyObject *op, PyObject *other)
{
    if (!Py_IS_TYPE(other, Py_TYPE(op))) {
        return PyErr_Format(PyExc_TypeError, "swap() takes a Cell, not %T", other);
    }
    if (op == other) {
        Py_RETURN_NONE; /* else it would be locked twice */
    }
    Cell *a = (Cell *)op, *b = (Cell *)other;
    long kept;
    /* [race] */
    Py_BEGIN_CRITICAL_SECTION(a);
    kept = a->value;
    RACE_POINT();
    Py_BEGIN_CRITICAL_SECTION(b);
    a->value = b->value;
    b->value = kept;
    Py_END_CRITICAL_SECTION();
    Py_END_CRITICAL_SECTION();
    /* [race] */
    Py_RETURN_NONE;
}

static PyObject *
cell_value(PyObject *self, void *Py_UNUSED(closure))
{
    return PyLong_FromLong(((Cell *)self)->value);
}

static PyObject *
cell_new(PyTypeObject *type, PyObject *args, PyObject *kwargs)
{
    static char *names[] = {"value", NULL};
    long value;
    if (!PyArg_ParseTupleAndKeywords(args, kwargs, "l:Cell", names, &value)) {
        return NULL;
    }
    PyObject *self = type->tp_alloc(type, 0);
    if (self != NULL) {
        ((Cell *)self)->value = value;
    }
    return self;
}

static void
cell_dealloc(PyObject *self)
{
    PyTypeObject *type = Py_TYPE(self);
    type->tp_free(self);
    Py_DECREF(type);
}

static PyMethodDef cell_methods[] = {
    {"swap", cell_swap, METH_O, PyDoc_STR("swap(other): exchange the values of two cells.")},
    {NULL, NULL, 0, NULL},
};

static PyGetSetDef cell_getset[] = {
    {"value", cell_value, NULL, PyDoc_STR("The cell's value."), NULL},
    {NULL, NULL, NULL, NULL, NULL},
};

static PyType_Slot cell_slots[] = {
    {Py_tp_doc, PyDoc_STR("Cell(value): a number that can be swapped.")},
    {Py_tp_new, cell_new},
    {Py_tp_dealloc, cell_dealloc},
    {Py_tp_methods, cell_methods},
    {Py_tp_getset, cell_getset},
    {0, NULL},
};

static PyType_Spec cell_spec = {
    .name = "swap_broken_nested.Cell",
    .basicsize = sizeof(Cell),
    .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_IMMUTABLETYPE,
    .slots = cell_slots,
};

static int
exec_module(PyObject *module)
{
    PyObject *type = PyType_FromModuleAndSpec(module, &cell_spec, NULL);
    int status = PyModule_AddObjectRef(module, "Cell", type);
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
    .m_name = "swap_broken_nested",
    .m_slots = module_slots,
};

PyMODINIT_FUNC
PyInit_swap_broken_nested(void)
{
    return PyModuleDef_Init(&module_def);
}
