/* visible_list_fixed_append.c: a list that grows while others look, one call at a time.
 *
 * Lesson   notebooks/11_containers.md
 * Repair   PyList_Append is internally synchronized: a list has an item more, or has not.
 *          No slot is ever empty. Others may see a short menu; here the first item is in
 *          it when it is published, because a guest expects one.
 * Broken   visible_list_broken.c; the two differ only in this header and in [race]
 * Source   https://docs.python.org/3.13/c-api/list.html#c.PyList_Append
 */
#include <Python.h>

#include "racelab/race_point.h"

/* How many items a new list gets. */
#define ITEMS 3

typedef struct {
    PyObject_HEAD
    PyObject *menus; /* a list with one item: today's menu, a list. Everybody looks there. */
} Kitchen;

/* Puts a menu where everybody looks. 0, or -1 with an exception. */
static int
publish(Kitchen *self, PyObject *menu)
{
    return PyList_SetItem(self->menus, 0, Py_NewRef(menu));
}

/* Item i of every menu: a float, so that nothing about it is immortal. */
static PyObject *
make_item(Py_ssize_t i)
{
    return PyFloat_FromDouble((double)i);
}

/* A new menu, in the place of the last one. 0, or -1 with an exception. */
static int
renew(Kitchen *self)
{
    int status = 0;
    /* [race] */
    PyObject *menu = PyList_New(0);
    status = menu == NULL ? -1 : 0;
    for (Py_ssize_t i = 0; status == 0 && i < ITEMS; i++) {
        PyObject *item = make_item(i);
        RACE_POINT(); /* others see a list of i items */
        status = item == NULL ? -1 : PyList_Append(menu, item);
        Py_XDECREF(item);
        if (status == 0 && i == 0) {
            status = publish(self, menu);
        }
    }
    /* [race] */
    Py_XDECREF(menu);
    return status;
}

static PyObject *
kitchen_renew(PyObject *self, PyObject *Py_UNUSED(ignored))
{
    if (renew((Kitchen *)self) < 0) {
        return NULL;
    }
    Py_RETURN_NONE;
}

/* What a guest does: takes the menu, and then the last item of it. Both references are strong. */
static PyObject *
kitchen_look(PyObject *self, PyObject *Py_UNUSED(ignored))
{
    PyObject *menu = PyList_GetItemRef(((Kitchen *)self)->menus, 0);
    if (menu == NULL) {
        return NULL;
    }
    PyObject *item = PyList_GetItemRef(menu, PyList_GET_SIZE(menu) - 1);
    Py_DECREF(menu);
    return item;
}

static PyObject *
kitchen_new(PyTypeObject *type, PyObject *Py_UNUSED(args), PyObject *Py_UNUSED(kwargs))
{
    Kitchen *self = (Kitchen *)type->tp_alloc(type, 0);
    if (self == NULL) {
        return NULL;
    }
    self->menus = Py_BuildValue("[[ddd]]", 0.0, 1.0, 2.0);
    if (self->menus == NULL) {
        Py_DECREF(self);
        return NULL;
    }
    return (PyObject *)self;
}

static void
kitchen_dealloc(PyObject *self)
{
    PyTypeObject *type = Py_TYPE(self);
    Py_XDECREF(((Kitchen *)self)->menus);
    type->tp_free(self);
    Py_DECREF(type);
}

static PyMethodDef kitchen_methods[] = {
    {"renew", kitchen_renew, METH_NOARGS, PyDoc_STR("Publish a new menu.")},
    {"look", kitchen_look, METH_NOARGS, PyDoc_STR("The last item of today's menu.")},
    {NULL, NULL, 0, NULL},
};

static PyType_Slot kitchen_slots[] = {
    {Py_tp_doc, PyDoc_STR("Kitchen(): has a menu of three floats.")},
    {Py_tp_new, kitchen_new},
    {Py_tp_dealloc, kitchen_dealloc},
    {Py_tp_methods, kitchen_methods},
    {0, NULL},
};

static PyType_Spec kitchen_spec = {
    .name = "visible_list_fixed_append.Kitchen",
    .basicsize = sizeof(Kitchen),
    .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_IMMUTABLETYPE,
    .slots = kitchen_slots,
};

static int
exec_module(PyObject *module)
{
    PyObject *type = PyType_FromModuleAndSpec(module, &kitchen_spec, NULL);
    int status = PyModule_AddObjectRef(module, "Kitchen", type);
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
    .m_name = "visible_list_fixed_append",
    .m_slots = module_slots,
};

PyMODINIT_FUNC
PyInit_visible_list_fixed_append(void)
{
    return PyModuleDef_Init(&module_def);
}
