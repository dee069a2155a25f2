/* self_lock_fixed_critical.c: a critical section around data and callback.
 *
 * Lesson   notebooks/12_critical_section.md
 * Repair   A thread that enters a critical section again does not wait for itself for ever. But on
 *          3.13 the outer section is given up for it, and on any version where the callback
 *          detaches: the value may change meanwhile, as in self_lock_fixed.c, which says so.
 * Broken   self_lock_broken.c; the two differ only in this header and in [race] regions
 * Source   https://docs.python.org/3.13/c-api/init.html#python-critical-section-api
 */
#include <Python.h>

#include "racelab/race_point.h"

typedef struct {
    PyObject_HEAD
    long value;
    PyObject *on_change; /* never replaced */
    /* [race:state] */
    /* nothing: every object has a lock */
    /* [race:state] */
} Watched;

/* Tells the watcher. It is Python code: it may do anything, set() included. */
static int
tell(Watched *self, long value)
{
    PyObject *said = PyObject_CallFunction(self->on_change, "Ol", self, value);
    Py_XDECREF(said);
    return said == NULL ? -1 : 0;
}

static int
set_and_tell(Watched *self, long value)
{
    int status;
    /* [race] */
    Py_BEGIN_CRITICAL_SECTION(self);
    self->value = value;
    RACE_POINT();
    status = tell(self, value); /* may suspend the section */
    Py_END_CRITICAL_SECTION();
    /* [race] */
    return status;
}

static PyObject *
watched_set(PyObject *self, PyObject *arg)
{
    long value = PyLong_AsLong(arg);
    if (value == -1 && PyErr_Occurred()) {
        return NULL;
    }
    if (set_and_tell((Watched *)self, value) < 0) {
        return NULL;
    }
    Py_RETURN_NONE;
}

static PyObject *
watched_value(PyObject *op, void *Py_UNUSED(closure))
{
    Watched *self = (Watched *)op;
    long value;
    /* [race:read] */
    Py_BEGIN_CRITICAL_SECTION(self);
    value = self->value;
    Py_END_CRITICAL_SECTION();
    /* [race:read] */
    return PyLong_FromLong(value);
}

static PyObject *
watched_new(PyTypeObject *type, PyObject *args, PyObject *Py_UNUSED(kwargs))
{
    PyObject *on_change;
    if (!PyArg_ParseTuple(args, "O:Watched", &on_change)) {
        return NULL;
    }
    PyObject *self = type->tp_alloc(type, 0);
    if (self != NULL) {
        ((Watched *)self)->on_change = Py_NewRef(on_change);
    }
    return self;
}

static void
watched_dealloc(PyObject *self)
{
    PyTypeObject *type = Py_TYPE(self);
    Py_XDECREF(((Watched *)self)->on_change);
    type->tp_free(self);
    Py_DECREF(type);
}

static PyMethodDef watched_methods[] = {
    {"set", watched_set, METH_O, PyDoc_STR("set(value): set it, and call on_change(self, value).")},
    {NULL, NULL, 0, NULL},
};

static PyGetSetDef watched_getset[] = {
    {"value", watched_value, NULL, PyDoc_STR("What was set last."), NULL},
    {NULL, NULL, NULL, NULL, NULL},
};

static PyType_Slot watched_slots[] = {
    {Py_tp_doc, PyDoc_STR("Watched(on_change): a number, and somebody who is told of changes.")},
    {Py_tp_new, watched_new},
    {Py_tp_dealloc, watched_dealloc},
    {Py_tp_methods, watched_methods},
    {Py_tp_getset, watched_getset},
    {0, NULL},
};

static PyType_Spec watched_spec = {
    .name = "self_lock_fixed_critical.Watched",
    .basicsize = sizeof(Watched),
    .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_IMMUTABLETYPE,
    .slots = watched_slots,
};

static int
exec_module(PyObject *module)
{
    PyObject *type = PyType_FromModuleAndSpec(module, &watched_spec, NULL);
    int status = PyModule_AddObjectRef(module, "Watched", type);
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
    .m_name = "self_lock_fixed_critical",
    .m_slots = module_slots,
};

PyMODINIT_FUNC
PyInit_self_lock_fixed_critical(void)
{
    return PyModuleDef_Init(&module_def);
}
