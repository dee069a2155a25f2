/* fast_items_fixed.c: a loop over a tuple that nobody else has.
 *
 * Lesson   notebooks/11_containers.md
 * Repair   PySequence_Tuple copies a list in one call, and the tuple keeps its items.
 *          Nobody else can change it, so the macros are right again.
 * Broken   fast_items_broken.c; the two differ only in this header and in [race]
 * Source   https://docs.python.org/3.13/c-api/sequence.html#c.PySequence_Tuple
 */
#include <Python.h>

#include "racelab/race_point.h"

/* How many items there are at most; there are at least two. */
#define ITEMS 4
/* What is in every item, and what else floats may hold while nobody should look at them. */
#define WEIGHT 1.0
#define ELSEWHERE (-1.0)

typedef struct {
    PyObject_HEAD
    PyObject *items; /* a list of two to four floats; nobody else has it */
} Basket;

/* 1 for an item of ours, far below zero for anything else. */
static long
weigh(PyObject *item)
{
    if (item == NULL || !PyFloat_CheckExact(item)) {
        return -1000;
    }
    return PyFloat_AS_DOUBLE(item) == WEIGHT ? 1 : -1000;
}

/* How many items a sequence has; below zero if one of them was not ours. */
static long
count_items(PyObject *sequence)
{
    long count = 0;
    /* [race] */
    PyObject *fast = PySequence_Tuple(sequence);
    Py_ssize_t size = fast == NULL ? 0 : PyTuple_GET_SIZE(fast);
    for (Py_ssize_t i = 0; i < size; i++) {
        PyObject *item = PyTuple_GET_ITEM(fast, i);
        RACE_POINT();
        count += weigh(item); /* borrowed from a tuple that is ours */
    }
    Py_XDECREF(fast);
    /* [race] */
    return count;
}

static PyObject *
basket_count(PyObject *self, PyObject *Py_UNUSED(ignored))
{
    return PyLong_FromLong(count_items(((Basket *)self)->items));
}

/* Adds items until there are ITEMS. */
static int
fill(PyObject *list)
{
    int status = 0;
    while (status == 0 && PyList_GET_SIZE(list) < ITEMS) {
        PyObject *item = PyFloat_FromDouble(WEIGHT);
        status = item == NULL ? -1 : PyList_Append(list, item);
        Py_XDECREF(item);
    }
    return status;
}

static PyObject *
basket_renew(PyObject *op, PyObject *Py_UNUSED(ignored))
{
    PyObject *list = ((Basket *)op)->items;
    PyObject *stranger = NULL;
    if (PyList_SetSlice(list, 2, PY_SSIZE_T_MAX, NULL) == 0) {
        /* What ordinary code does next: it makes another float, in the memory just freed. */
        stranger = PyFloat_FromDouble(ELSEWHERE);
    }
    if (stranger == NULL) {
        return NULL;
    }
    RACE_POINT(); /* while it lives there: on one core a reader gets its turn only so */
    int status = fill(list);
    Py_DECREF(stranger);
    if (status < 0) {
        return NULL;
    }
    Py_RETURN_NONE;
}

static PyObject *
basket_new(PyTypeObject *type, PyObject *Py_UNUSED(args), PyObject *Py_UNUSED(kwargs))
{
    Basket *self = (Basket *)type->tp_alloc(type, 0);
    if (self == NULL) {
        return NULL;
    }
    self->items = PyList_New(0);
    if (self->items == NULL || fill(self->items) < 0) {
        Py_DECREF(self);
        return NULL;
    }
    return (PyObject *)self;
}

static void
basket_dealloc(PyObject *self)
{
    PyTypeObject *type = Py_TYPE(self);
    Py_XDECREF(((Basket *)self)->items);
    type->tp_free(self);
    Py_DECREF(type);
}

static PyMethodDef basket_methods[] = {
    {"count", basket_count, METH_NOARGS, PyDoc_STR("How many items; below 0 is an error.")},
    {"renew", basket_renew, METH_NOARGS, PyDoc_STR("Remove all but two items, and add new ones.")},
    {NULL, NULL, 0, NULL},
};

static PyType_Slot basket_slots[] = {
    {Py_tp_doc, PyDoc_STR("Basket(): a list of four floats.")},
    {Py_tp_new, basket_new},
    {Py_tp_dealloc, basket_dealloc},
    {Py_tp_methods, basket_methods},
    {0, NULL},
};

static PyType_Spec basket_spec = {
    .name = "fast_items_fixed.Basket",
    .basicsize = sizeof(Basket),
    .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_IMMUTABLETYPE,
    .slots = basket_slots,
};

static int
exec_module(PyObject *module)
{
    PyObject *type = PyType_FromModuleAndSpec(module, &basket_spec, NULL);
    int status = PyModule_AddObjectRef(module, "Basket", type);
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
    .m_name = "fast_items_fixed",
    .m_slots = module_slots,
};

PyMODINIT_FUNC
PyInit_fast_items_fixed(void)
{
    return PyModuleDef_Init(&module_def);
}
