/* stale_size_broken_section.c: the same calls in a critical section. BROKEN ON PURPOSE.
 *
 * Lesson   notebooks/11_containers.md
 * Bug      The first PyList_GetItemRef on a list of another thread takes the list's own
 *          critical section. We have it; to take it again, 3.13 first gives it up.
 * Needs    a free-threaded 3.13, two attached threads, one of them shortening its list
 * Seen     notebooks/recorded/stale_size.jsonl
 * Repair   stale_size_fixed.c; the two differ only in this header and in [race]
 * Source   https://docs.python.org/3.13/c-api/init.html#python-critical-section-api
 */
#include <Python.h>

#include "racelab/race_point.h"

typedef struct {
    PyObject_HEAD
    PyObject *items; /* a list of one or two ints; nobody else has it */
} Stack;

/* A strong reference to the last item, or NULL with an exception. */
static PyObject *
take_last(PyObject *list)
{
    PyObject *item;
    /* [race] */
    Py_BEGIN_CRITICAL_SECTION(list);
    Py_ssize_t size = PyList_Size(list);
    RACE_POINT();
    item = PyList_GetItemRef(list, size - 1); /* may let others in first */
    Py_END_CRITICAL_SECTION();
    /* [race] */
    return item;
}

static PyObject *
stack_last(PyObject *self, PyObject *Py_UNUSED(ignored))
{
    return take_last(((Stack *)self)->items);
}

static PyObject *
stack_shorten(PyObject *self, PyObject *Py_UNUSED(ignored))
{
    if (PyList_SetSlice(((Stack *)self)->items, 1, PY_SSIZE_T_MAX, NULL) < 0) {
        return NULL;
    }
    Py_RETURN_NONE;
}

static PyObject *
stack_lengthen(PyObject *self, PyObject *Py_UNUSED(ignored))
{
    PyObject *item = PyLong_FromLong(2);
    if (item == NULL) {
        return NULL;
    }
    int status = PyList_Append(((Stack *)self)->items, item);
    Py_DECREF(item);
    if (status < 0) {
        return NULL;
    }
    Py_RETURN_NONE;
}

static PyObject *
stack_new(PyTypeObject *type, PyObject *Py_UNUSED(args), PyObject *Py_UNUSED(kwargs))
{
    Stack *self = (Stack *)type->tp_alloc(type, 0);
    if (self == NULL) {
        return NULL;
    }
    self->items = Py_BuildValue("[ii]", 1, 2);
    if (self->items == NULL) {
        Py_DECREF(self);
        return NULL;
    }
    return (PyObject *)self;
}

static void
stack_dealloc(PyObject *self)
{
    PyTypeObject *type = Py_TYPE(self);
    Py_XDECREF(((Stack *)self)->items);
    type->tp_free(self);
    Py_DECREF(type);
}

static PyMethodDef stack_methods[] = {
    {"last", stack_last, METH_NOARGS, PyDoc_STR("The last item. There always is one.")},
    {"shorten", stack_shorten, METH_NOARGS, PyDoc_STR("Remove all but the first item.")},
    {"lengthen", stack_lengthen, METH_NOARGS, PyDoc_STR("Append an item.")},
    {NULL, NULL, 0, NULL},
};

static PyType_Slot stack_slots[] = {
    {Py_tp_doc, PyDoc_STR("Stack(): a list of two items, of which the first stays.")},
    {Py_tp_new, stack_new},
    {Py_tp_dealloc, stack_dealloc},
    {Py_tp_methods, stack_methods},
    {0, NULL},
};

static PyType_Spec stack_spec = {
    .name = "stale_size_broken_section.Stack",
    .basicsize = sizeof(Stack),
    .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_IMMUTABLETYPE,
    .slots = stack_slots,
};

static int
exec_module(PyObject *module)
{
    PyObject *type = PyType_FromModuleAndSpec(module, &stack_spec, NULL);
    int status = PyModule_AddObjectRef(module, "Stack", type);
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
    .m_name = "stale_size_broken_section",
    .m_slots = module_slots,
};

PyMODINIT_FUNC
PyInit_stale_size_broken_section(void)
{
    return PyModuleDef_Init(&module_def);
}
