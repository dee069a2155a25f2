/* borrowed_dict_broken.c: a value of a dict. BROKEN ON PURPOSE.
 *
 * Lesson   notebooks/10_borrowed_ref.md
 * Bug      `price` belongs to the dict. Another thread may set the key anew, free the old
 *          value and use its memory again before Py_XINCREF runs.
 * Needs    a free-threaded build, two attached threads, one of them writing
 * Seen     notebooks/recorded/borrowed_dict.jsonl
 * Repair   borrowed_dict_fixed.c; the two differ only in this header and in [race]
 * Source   https://docs.python.org/3.13/howto/free-threading-extensions.html
 */
#include <Python.h>

#include "racelab/race_point.h"

/* What a price is, and what else floats may hold while nobody should look at them. */
#define ON_THE_MENU 1.0
#define ELSEWHERE (-1.0)

typedef struct {
    PyObject_HEAD
    PyObject *prices; /* a dict of one float; nobody else has it, so no cycle can form */
    PyObject *tea;    /* its key */
} Menu;

/* A strong reference to the price of tea, or NULL with an exception. */
static PyObject *
take_price(Menu *self)
{
    PyObject *price, *prices = self->prices, *tea = self->tea;
    /* [race] */
    price = PyDict_GetItemWithError(prices, tea); /* borrowed */
    RACE_POINT();
    Py_XINCREF(price); /* too late, if the dict has let go */
    /* [race] */
    if (price == NULL && !PyErr_Occurred()) {
        PyErr_SetObject(PyExc_KeyError, tea);
    }
    return price;
}

static PyObject *
menu_ask(PyObject *self, PyObject *Py_UNUSED(ignored))
{
    PyObject *price = take_price((Menu *)self);
    if (price == NULL) {
        return NULL;
    }
    int ours = PyFloat_CheckExact(price) && PyFloat_AS_DOUBLE(price) == ON_THE_MENU;
    Py_DECREF(price);
    return PyBool_FromLong(ours);
}

static PyObject *
menu_reprice(PyObject *self, PyObject *Py_UNUSED(ignored))
{
    Menu *menu = (Menu *)self;
    PyObject *price = PyFloat_FromDouble(ON_THE_MENU);
    if (price == NULL) {
        return NULL;
    }
    int status = PyDict_SetItem(menu->prices, menu->tea, price);
    Py_DECREF(price);
    if (status < 0) {
        return NULL;
    }
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
menu_new(PyTypeObject *type, PyObject *Py_UNUSED(args), PyObject *Py_UNUSED(kwargs))
{
    Menu *self = (Menu *)type->tp_alloc(type, 0);
    if (self == NULL) {
        return NULL;
    }
    PyObject *price = PyFloat_FromDouble(ON_THE_MENU);
    self->prices = PyDict_New();
    self->tea = PyUnicode_InternFromString("tea");
    if (price == NULL || self->prices == NULL || self->tea == NULL ||
        PyDict_SetItem(self->prices, self->tea, price) < 0) {
        Py_XDECREF(price);
        Py_DECREF(self);
        return NULL;
    }
    Py_DECREF(price);
    return (PyObject *)self;
}

static void
menu_dealloc(PyObject *self)
{
    PyTypeObject *type = Py_TYPE(self);
    Py_XDECREF(((Menu *)self)->prices);
    Py_XDECREF(((Menu *)self)->tea);
    type->tp_free(self);
    Py_DECREF(type);
}

static PyMethodDef menu_methods[] = {
    {"ask", menu_ask, METH_NOARGS,
     PyDoc_STR("Read the price of tea; True if it is a price of this menu.")},
    {"reprice", menu_reprice, METH_NOARGS,
     PyDoc_STR("Set it anew; then use the memory that became free for something else.")},
    {NULL, NULL, 0, NULL},
};

static PyType_Slot menu_slots[] = {
    {Py_tp_doc, PyDoc_STR("Menu(): a dict of one float.")},
    {Py_tp_new, menu_new},
    {Py_tp_dealloc, menu_dealloc},
    {Py_tp_methods, menu_methods},
    {0, NULL},
};

static PyType_Spec menu_spec = {
    .name = "borrowed_dict_broken.Menu",
    .basicsize = sizeof(Menu),
    .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_IMMUTABLETYPE,
    .slots = menu_slots,
};

static int
exec_module(PyObject *module)
{
    PyObject *type = PyType_FromModuleAndSpec(module, &menu_spec, NULL);
    int status = PyModule_AddObjectRef(module, "Menu", type);
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
    .m_name = "borrowed_dict_broken",
    .m_slots = module_slots,
};

PyMODINIT_FUNC
PyInit_borrowed_dict_broken(void)
{
    return PyModuleDef_Init(&module_def);
}
