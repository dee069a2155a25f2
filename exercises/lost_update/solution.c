/* lost_update.c: a meter counts bytes, hands out places and knows who came first.
 *
 * Goal   Whoever calls meanwhile: add() loses nothing, take() says yes exactly `limit` times
 *        and never says no while there is room, and all calls of claim() return the one who
 *        came first.
 * Check  racelab check lost_update        Stuck?  racelab hint lost_update
 */
#include <Python.h>

#include <stdatomic.h>

#include "racelab/race_point.h"

typedef struct {
    PyObject_HEAD
    // BEGIN STARTER
    // _Atomic long total;
    // _Atomic long used;
    // _Atomic long owner; /* 0: nobody yet */
    // BEGIN SOLUTION
    _Atomic long total;
    _Atomic long used;
    _Atomic long owner; /* 0: nobody yet */
    // END
    long limit; /* never changes */
} Meter;

/* add(n): so many bytes more. */
static PyObject *
meter_add(PyObject *op, PyObject *arg)
{
    Meter *self = (Meter *)op;
    long n = PyLong_AsLong(arg);
    if (n == -1 && PyErr_Occurred()) {
        return NULL;
    }
    // BEGIN STARTER
    // long total = self->total;
    // RACE_POINT();
    // self->total = total + n;
    // BEGIN SOLUTION
    self->total += n; /* one step, because total is atomic */
    // END
    Py_RETURN_NONE;
}

/* take() -> True if there was a place left. Nobody gives one back. */
static PyObject *
meter_take(PyObject *op, PyObject *Py_UNUSED(ignored))
{
    Meter *self = (Meter *)op;
    int taken = 0;
    // BEGIN STARTER
    // if (self->used < self->limit) {
    //     RACE_POINT();
    //     self->used++;
    //     taken = 1;
    // }
    // BEGIN SOLUTION
    long seen = self->used;
    while (!taken && seen < self->limit) {
        RACE_POINT();
        /* Stores only if used is still what was seen; else seen is what it is now. */
        taken = atomic_compare_exchange_weak(&self->used, &seen, seen + 1);
    }
    // END
    return PyBool_FromLong(taken);
}

/* claim(who) -> the owner: who came first, for ever. */
static PyObject *
meter_claim(PyObject *op, PyObject *arg)
{
    Meter *self = (Meter *)op;
    long who = PyLong_AsLong(arg);
    if (who == -1 && PyErr_Occurred()) {
        return NULL;
    }
    // BEGIN STARTER
    // if (self->owner == 0) {
    //     RACE_POINT();
    //     self->owner = who;
    // }
    // long owner = self->owner;
    // BEGIN SOLUTION
    long owner = 0;
    if (atomic_compare_exchange_strong(&self->owner, &owner, who)) {
        owner = who; /* else owner is the one who was faster */
    }
    // END
    return PyLong_FromLong(owner);
}

static PyObject *
meter_new(PyTypeObject *type, PyObject *args, PyObject *Py_UNUSED(kwargs))
{
    long limit;
    if (!PyArg_ParseTuple(args, "l:Meter", &limit)) {
        return NULL;
    }
    Meter *self = (Meter *)type->tp_alloc(type, 0); /* filled with zeros */
    if (self != NULL) {
        self->limit = limit;
    }
    return (PyObject *)self;
}

static PyObject *
meter_get(PyObject *op, void *field)
{
    Meter *self = (Meter *)op;
    switch (*(const char *)field) {
    case 't':
        return PyLong_FromLong(self->total);
    case 'u':
        return PyLong_FromLong(self->used);
    default:
        return PyLong_FromLong(self->owner);
    }
}

static void
meter_dealloc(PyObject *self)
{
    PyTypeObject *type = Py_TYPE(self);
    type->tp_free(self);
    Py_DECREF(type);
}

static PyMethodDef meter_methods[] = {
    {"add", meter_add, METH_O, PyDoc_STR("So many bytes more.")},
    {"take", meter_take, METH_NOARGS, PyDoc_STR("True if there was a place left.")},
    {"claim", meter_claim, METH_O, PyDoc_STR("The owner: who claimed first.")},
    {NULL, NULL, 0, NULL},
};

static PyGetSetDef meter_getset[] = {
    {"total", meter_get, NULL, PyDoc_STR("What was added."), "t"},
    {"used", meter_get, NULL, PyDoc_STR("How many places are taken."), "u"},
    {"owner", meter_get, NULL, PyDoc_STR("Who claimed first; 0: nobody yet."), "o"},
    {NULL, NULL, NULL, NULL, NULL},
};

static PyType_Slot meter_slots[] = {
    {Py_tp_doc, PyDoc_STR("Meter(limit): counts bytes, hands out places.")},
    {Py_tp_new, meter_new},
    {Py_tp_dealloc, meter_dealloc},
    {Py_tp_methods, meter_methods},
    {Py_tp_getset, meter_getset},
    {0, NULL},
};

static PyType_Spec meter_spec = {
    .name = "lost_update.Meter",
    .basicsize = sizeof(Meter),
    .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_IMMUTABLETYPE,
    .slots = meter_slots,
};

static int
exec_module(PyObject *module)
{
    PyObject *type = PyType_FromModuleAndSpec(module, &meter_spec, NULL);
    int status = PyModule_AddObjectRef(module, "Meter", type);
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
    .m_name = "lost_update",
    .m_slots = module_slots,
};

PyMODINIT_FUNC
PyInit_lost_update(void)
{
    return PyModuleDef_Init(&module_def);
}
