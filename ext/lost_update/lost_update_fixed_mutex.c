/* lost_update_fixed_mutex.c: a counter behind a PyMutex.
 *
 * Lesson   notebooks/06_lost_update.md
 * Repair   A PyMutex lets one thread at a time through the three steps, and through the
 *          read: a lock protects only what everybody takes it for.
 * Broken   lost_update_broken.c; the two differ only in this header and in [race] regions
 * Source   https://docs.python.org/3.13/c-api/init.html#c.PyMutex
 */
#include <Python.h>

#include <pthread.h>
#include <stdatomic.h>

#include "racelab/race_point.h"

typedef struct {
    PyObject_HEAD
    /* [race:state] */
    long value;
    PyMutex mutex; /* guards value; starts unlocked */
    /* [race:state] */
} Counter;

static void
add_one(Counter *self)
{
    /* [race] */
    PyMutex_Lock(&self->mutex);
    long seen = self->value;
    RACE_POINT();
    self->value = seen + 1;
    PyMutex_Unlock(&self->mutex);
    /* [race] */
}

static long
read_value(Counter *self)
{
    long value;
    /* [race:read] */
    PyMutex_Lock(&self->mutex);
    value = self->value;
    PyMutex_Unlock(&self->mutex);
    /* [race:read] */
    return value;
}

/* Of a new counter. 0, or an error number. */
static int
prepare(Counter *self)
{
    int error = 0;
    self->value = 0;
    /* [race:prepare] */
    /* nothing */
    /* [race:prepare] */
    return error;
}

static void
clean_up(Counter *self)
{
    (void)self; /* most variants have nothing to clean up */
    /* [race:clean-up] */
    /* nothing */
    /* [race:clean-up] */
}

static PyObject *
counter_bump(PyObject *self, PyObject *Py_UNUSED(ignored))
{
    add_one((Counter *)self);
    Py_RETURN_NONE;
}

static PyObject *
counter_bump_many(PyObject *self, PyObject *arg)
{
    long n = PyLong_AsLong(arg);
    if (n == -1 && PyErr_Occurred()) {
        return NULL;
    }
    if (n < 0) {
        return PyErr_Format(PyExc_ValueError, "bump_many(%ld): a number of calls is 0 or more", n);
    }
    for (long i = 0; i < n; i++) {
        add_one((Counter *)self);
    }
    Py_RETURN_NONE;
}

static PyObject *
counter_value(PyObject *self, void *Py_UNUSED(closure))
{
    return PyLong_FromLong(read_value((Counter *)self));
}

static PyObject *
counter_new(PyTypeObject *type, PyObject *Py_UNUSED(args), PyObject *Py_UNUSED(kwargs))
{
    PyObject *self = type->tp_alloc(type, 0);
    if (self == NULL) {
        return NULL;
    }
    int error = prepare((Counter *)self);
    if (error != 0) {
        type->tp_free(self); /* not Py_DECREF: there is nothing to clean up */
        Py_DECREF(type);
        errno = error;
        return PyErr_SetFromErrno(PyExc_OSError);
    }
    return self;
}

static void
counter_dealloc(PyObject *self)
{
    PyTypeObject *type = Py_TYPE(self);
    clean_up((Counter *)self);
    type->tp_free(self);
    Py_DECREF(type);
}

static PyMethodDef counter_methods[] = {
    {"bump", counter_bump, METH_NOARGS, PyDoc_STR("Add one.")},
    {"bump_many", counter_bump_many, METH_O, PyDoc_STR("bump_many(n): add one, n times.")},
    {NULL, NULL, 0, NULL},
};

static PyGetSetDef counter_getset[] = {
    {"value", counter_value, NULL, PyDoc_STR("How often it was bumped."), NULL},
    {NULL, NULL, NULL, NULL, NULL},
};

static PyType_Slot counter_slots[] = {
    {Py_tp_doc, PyDoc_STR("Counter(): starts at 0.")},
    {Py_tp_new, counter_new},
    {Py_tp_dealloc, counter_dealloc},
    {Py_tp_methods, counter_methods},
    {Py_tp_getset, counter_getset},
    {0, NULL},
};

static PyType_Spec counter_spec = {
    .name = "lost_update_fixed_mutex.Counter",
    .basicsize = sizeof(Counter),
    .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_IMMUTABLETYPE,
    .slots = counter_slots,
};

static int
exec_module(PyObject *module)
{
    PyObject *type = PyType_FromModuleAndSpec(module, &counter_spec, NULL);
    int status = PyModule_AddObjectRef(module, "Counter", type);
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
    .m_name = "lost_update_fixed_mutex",
    .m_slots = module_slots,
};

PyMODINIT_FUNC
PyInit_lost_update_fixed_mutex(void)
{
    return PyModuleDef_Init(&module_def);
}
