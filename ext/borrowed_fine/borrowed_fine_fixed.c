/* borrowed_fine_fixed.c: an argument, borrowed from the caller.
 *
 * Lesson   notebooks/10_borrowed_ref.md
 * Repair   Whoever calls us holds a strong reference to each argument until we return.
 * Broken   borrowed_fine_broken.c; the two differ only in this header and in [race]
 * Source   https://py-free-threading.github.io/porting-extensions/
 */
#include <Python.h>

#include "racelab/race_point.h"

/* What belongs here, and what else floats may hold while nobody should look at them. */
#define OURS 1.0
#define ELSEWHERE (-1.0)

typedef struct {
    PyObject *constant; /* made when the module is imported, dropped when it goes */
} State;

typedef struct {
    PyObject_HEAD
    PyObject *items; /* a list of two floats; nobody puts the shelf into it, so no cycle can form */
    PyObject *pair;  /* a tuple of two floats; it stays as long as the shelf does */
} Shelf;

/* Whether an item is what it should be; -1 with an exception. */
static int
use_item(Shelf *self, PyObject *list, PyObject *first)
{
    State *state = PyType_GetModuleState(Py_TYPE(self));
    PyObject *item = NULL, *mine = NULL; /* `mine` is ours, and dropped below */
    (void)list, (void)first, (void)state; /* each variant uses one of them */
    /* [race] */
    item = first; /* the caller keeps it, and waits */
    /* [race] */
    RACE_POINT();
    int ours = item == NULL ? -1 : PyFloat_CheckExact(item) && PyFloat_AS_DOUBLE(item) == OURS;
    Py_XDECREF(mine);
    return ours;
}

static PyObject *
shelf_read(PyObject *self, PyObject *const *args, Py_ssize_t n)
{
    if (n != 2) {
        return PyErr_Format(PyExc_TypeError, "read() takes 2 arguments, not %zd", n);
    }
    int ours = use_item((Shelf *)self, args[0], args[1]);
    return ours < 0 ? NULL : PyBool_FromLong(ours);
}

static PyObject *
shelf_replace(PyObject *self, PyObject *Py_UNUSED(ignored))
{
    for (int i = 0; i < 2; i++) {
        PyObject *item = PyFloat_FromDouble(OURS);
        if (item == NULL || PyList_SetItem(((Shelf *)self)->items, i, item) < 0) {
            return NULL;
        }
        /* What ordinary code does next: it makes another float, in the memory just freed. */
        PyObject *stranger = PyFloat_FromDouble(ELSEWHERE);
        if (stranger == NULL) {
            return NULL;
        }
        RACE_POINT(); /* while it lives there: on one core a reader gets its turn only so */
        Py_DECREF(stranger);
    }
    Py_RETURN_NONE;
}

static PyObject *
shelf_items(PyObject *self, void *Py_UNUSED(closure))
{
    return Py_NewRef(((Shelf *)self)->items); /* set once, in shelf_new */
}

static PyObject *
shelf_new(PyTypeObject *type, PyObject *Py_UNUSED(args), PyObject *Py_UNUSED(kwargs))
{
    Shelf *self = (Shelf *)type->tp_alloc(type, 0);
    if (self == NULL) {
        return NULL;
    }
    self->items = Py_BuildValue("[dd]", OURS, OURS);
    self->pair = Py_BuildValue("(dd)", OURS, OURS);
    if (self->items == NULL || self->pair == NULL) {
        Py_DECREF(self);
        return NULL;
    }
    return (PyObject *)self;
}

static void
shelf_dealloc(PyObject *self)
{
    PyTypeObject *type = Py_TYPE(self);
    Py_XDECREF(((Shelf *)self)->items);
    Py_XDECREF(((Shelf *)self)->pair);
    type->tp_free(self);
    Py_DECREF(type);
}

static PyMethodDef shelf_methods[] = {
    {"read", _PyCFunction_CAST(shelf_read), METH_FASTCALL,
     PyDoc_STR("read(items, item): True if the item that was read is whole.")},
    {"replace", shelf_replace, METH_NOARGS,
     PyDoc_STR("Put new items into the list; then use the memory that became free.")},
    {NULL, NULL, 0, NULL},
};

static PyGetSetDef shelf_getset[] = {
    {"items", shelf_items, NULL, PyDoc_STR("The list."), NULL},
    {NULL, NULL, NULL, NULL, NULL},
};

static PyType_Slot shelf_slots[] = {
    {Py_tp_doc, PyDoc_STR("Shelf(): a list of two floats, and a tuple of two.")},
    {Py_tp_new, shelf_new},
    {Py_tp_dealloc, shelf_dealloc},
    {Py_tp_methods, shelf_methods},
    {Py_tp_getset, shelf_getset},
    {0, NULL},
};

static PyType_Spec shelf_spec = {
    .name = "borrowed_fine_fixed.Shelf",
    .basicsize = sizeof(Shelf),
    .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_IMMUTABLETYPE,
    .slots = shelf_slots,
};

static int
exec_module(PyObject *module)
{
    State *state = PyModule_GetState(module);
    state->constant = PyFloat_FromDouble(OURS);
    if (state->constant == NULL) {
        return -1;
    }
    PyObject *type = PyType_FromModuleAndSpec(module, &shelf_spec, NULL);
    int status = PyModule_AddObjectRef(module, "Shelf", type);
    Py_XDECREF(type);
    return status;
}

static int
clear_module(PyObject *module)
{
    Py_CLEAR(((State *)PyModule_GetState(module))->constant);
    return 0;
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
    .m_name = "borrowed_fine_fixed",
    .m_size = sizeof(State),
    .m_clear = clear_module,
    .m_slots = module_slots,
};

PyMODINIT_FUNC
PyInit_borrowed_fine_fixed(void)
{
    return PyModuleDef_Init(&module_def);
}
