/* borrowed_ref_fixed_section.c: first item of a list, while the list is locked.
 *
 * Lesson   notebooks/10_borrowed_ref.md
 * Repair   a critical section on the list: PyList_SetItem takes the same lock, so nobody
 *          replaces the item before it is ours. For when one item is not all you need.
 * Broken   borrowed_ref_broken.c; the two differ only in this header and in [race]
 * Source   https://docs.python.org/3.13/howto/free-threading-extensions.html
 */
#include <Python.h>

#include "racelab/race_point.h"

/* What a Shelf holds, and what else its floats may hold while nobody should look at them. */
#define ON_SHELF 1.0
#define ELSEWHERE (-1.0)

typedef struct {
    PyObject_HEAD
    PyObject *items; /* a list of one float; nobody else has it, so no cycle can form */
} Shelf;

/* A strong reference to the first item, or NULL with an exception. */
static PyObject *
take_first(Shelf *self)
{
    PyObject *item, *list = self->items;
    /* [race] */
    Py_BEGIN_CRITICAL_SECTION(list);
    item = PyList_GetItem(list, 0); /* the list cannot let go */
    RACE_POINT();
    Py_XINCREF(item);
    Py_END_CRITICAL_SECTION();
    /* [race] */
    return item;
}

static PyObject *
shelf_first(PyObject *self, PyObject *Py_UNUSED(ignored))
{
    PyObject *item = take_first((Shelf *)self);
    if (item == NULL) {
        return NULL;
    }
    int ours = PyFloat_CheckExact(item) && PyFloat_AS_DOUBLE(item) == ON_SHELF;
    Py_DECREF(item);
    return PyBool_FromLong(ours);
}

static PyObject *
shelf_put(PyObject *self, PyObject *Py_UNUSED(ignored))
{
    PyObject *item = PyFloat_FromDouble(ON_SHELF);
    if (item == NULL || PyList_SetItem(((Shelf *)self)->items, 0, item) < 0) {
        return NULL;
    }
    Py_RETURN_NONE;
}

static PyObject *
shelf_replace(PyObject *self, PyObject *Py_UNUSED(ignored))
{
    PyObject *put = shelf_put(self, NULL);
    if (put == NULL) {
        return NULL;
    }
    Py_DECREF(put);
    /* What ordinary code does next: it makes another float, in the memory just freed. */
    PyObject *stranger = PyFloat_FromDouble(ELSEWHERE);
    if (stranger == NULL) {
        return NULL;
    }
    RACE_POINT(); /* while it lives there: on one core a reader gets its turn only so */
    Py_DECREF(stranger);
    Py_RETURN_NONE;
}

static PyObject *
shelf_new(PyTypeObject *type, PyObject *Py_UNUSED(args), PyObject *Py_UNUSED(kwargs))
{
    Shelf *self = (Shelf *)type->tp_alloc(type, 0);
    if (self == NULL) {
        return NULL;
    }
    PyObject *item = PyFloat_FromDouble(ON_SHELF);
    self->items = PyList_New(1);
    if (item == NULL || self->items == NULL) {
        Py_XDECREF(item);
        Py_DECREF(self);
        return NULL;
    }
    PyList_SET_ITEM(self->items, 0, item); /* no other thread has seen this list */
    return (PyObject *)self;
}

static void
shelf_dealloc(PyObject *self)
{
    PyTypeObject *type = Py_TYPE(self);
    Py_XDECREF(((Shelf *)self)->items);
    type->tp_free(self);
    Py_DECREF(type);
}

static PyMethodDef shelf_methods[] = {
    {"first", shelf_first, METH_NOARGS,
     PyDoc_STR("Read the first item; True if it is a whole item of this shelf.")},
    {"put", shelf_put, METH_NOARGS, PyDoc_STR("Put a new item in its place.")},
    {"replace", shelf_replace, METH_NOARGS,
     PyDoc_STR("The same; then use the memory that became free for something else.")},
    {NULL, NULL, 0, NULL},
};

static PyType_Slot shelf_slots[] = {
    {Py_tp_doc, PyDoc_STR("Shelf(): a list of one float.")},
    {Py_tp_new, shelf_new},
    {Py_tp_dealloc, shelf_dealloc},
    {Py_tp_methods, shelf_methods},
    {0, NULL},
};

static PyType_Spec shelf_spec = {
    .name = "borrowed_ref_fixed_section.Shelf",
    .basicsize = sizeof(Shelf),
    .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_IMMUTABLETYPE,
    .slots = shelf_slots,
};

static int
exec_module(PyObject *module)
{
    PyObject *type = PyType_FromModuleAndSpec(module, &shelf_spec, NULL);
    int status = PyModule_AddObjectRef(module, "Shelf", type);
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
    .m_name = "borrowed_ref_fixed_section",
    .m_slots = module_slots,
};

PyMODINIT_FUNC
PyInit_borrowed_ref_fixed_section(void)
{
    return PyModuleDef_Init(&module_def);
}
