/* suspended_broken.c: a page and its size, replaced in a critical section. BROKEN ON PURPOSE.
 *
 * Lesson   notebooks/12_critical_section.md
 * Bug      Py_SETREF gives the old page back. If that was the last reference its __del__ runs,
 *          any Python code; where it detaches, the section is suspended, and the next thread
 *          finds the new page with the old size.
 * Needs    a free-threaded build, two attached threads, a __del__ (or a weakref callback) that
 *          detaches for a moment
 * Seen     notebooks/recorded/suspended.jsonl
 * Repair   suspended_fixed.c: give it back after the section.
 *          All variants differ only in this header and in [race] regions
 * Source   https://github.com/aio-libs/multidict/issues/1483
 */
#include <Python.h>

#include "racelab/race_point.h"

typedef struct {
    PyObject_HEAD
    PyObject *page;  /* bytes, or a subclass; never NULL once made */
    Py_ssize_t size; /* of the page; whoever copies the page believes it */
} Shelf;

static PyObject *
shelf_put(PyObject *op, PyObject *page)
{
    Shelf *self = (Shelf *)op;
    if (!PyBytes_Check(page)) {
        return PyErr_Format(PyExc_TypeError, "put() takes bytes, not %T", page);
    }
    /* [race] */
    Py_BEGIN_CRITICAL_SECTION(self);
    RACE_POINT();
    Py_SETREF(self->page, Py_NewRef(page)); /* may run __del__ */
    self->size = PyBytes_GET_SIZE(page);
    Py_END_CRITICAL_SECTION();
    /* [race] */
    Py_RETURN_NONE;
}

static PyObject *
shelf_agree(PyObject *op, PyObject *Py_UNUSED(ignored))
{
    Shelf *self = (Shelf *)op;
    int agree;
    Py_BEGIN_CRITICAL_SECTION(self);
    agree = PyBytes_GET_SIZE(self->page) == self->size;
    Py_END_CRITICAL_SECTION();
    return PyBool_FromLong(agree);
}

static PyObject *
shelf_new(PyTypeObject *type, PyObject *args, PyObject *kwargs)
{
    static char *names[] = {"page", NULL};
    PyObject *page;
    if (!PyArg_ParseTupleAndKeywords(args, kwargs, "S:Shelf", names, &page)) {
        return NULL;
    }
    Shelf *self = (Shelf *)type->tp_alloc(type, 0);
    if (self != NULL) {
        self->page = Py_NewRef(page);
        self->size = PyBytes_GET_SIZE(page);
    }
    return (PyObject *)self;
}

static void
shelf_dealloc(PyObject *self)
{
    PyTypeObject *type = Py_TYPE(self);
    Py_XDECREF(((Shelf *)self)->page);
    type->tp_free(self);
    Py_DECREF(type);
}

static PyMethodDef shelf_methods[] = {
    {"put", shelf_put, METH_O, PyDoc_STR("put(page): replace the page.")},
    {"agree", shelf_agree, METH_NOARGS, PyDoc_STR("Whether the size is that of the page.")},
    {NULL, NULL, 0, NULL},
};

static PyType_Slot shelf_slots[] = {
    {Py_tp_doc, PyDoc_STR("Shelf(page): holds one page, and knows its size.")},
    {Py_tp_new, shelf_new},
    {Py_tp_dealloc, shelf_dealloc},
    {Py_tp_methods, shelf_methods},
    {0, NULL},
};

static PyType_Spec shelf_spec = {
    .name = "suspended_broken.Shelf",
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
    .m_name = "suspended_broken",
    .m_slots = module_slots,
};

PyMODINIT_FUNC
PyInit_suspended_broken(void)
{
    return PyModuleDef_Init(&module_def);
}
