/* folded_fixed.c: a loop of atomic additions.
 *
 * Lesson   notebooks/03_green.md
 * Repair   The counter is a C11 atomic, and each turn one read-modify-write. The compiler
 *          may still fold the loop; whatever it makes of it is atomic.
 * Broken   folded_broken.c; the two differ only in this header and in [race] regions
 * Source   https://en.cppreference.com/w/c/atomic/atomic_fetch_add
 */
#include <Python.h>

#include <stdatomic.h>

#include "racelab/race_point.h"

typedef struct {
    PyObject_HEAD
    /* [race:state] */
    _Atomic long value;
    /* [race:state] */
} Counter;

/* A function of its own in the machine code, so that it can be looked at there. */
static __attribute__((noinline)) void
add_many(Counter *self, long n)
{
    /* [race] */
    for (long i = 0; i < n; i++) {
        atomic_fetch_add_explicit(&self->value, 1, memory_order_relaxed);
    }
    /* [race] */
}

/* The first of them by hand: it holds the race point, which would keep a loop from being folded. */
static void
add_first(Counter *self)
{
    /* [race] */
    RACE_POINT();
    atomic_fetch_add_explicit(&self->value, 1, memory_order_relaxed);
    /* [race] */
}

static PyObject *
counter_bump_many(PyObject *self, PyObject *arg)
{
    long n = PyLong_AsLong(arg);
    if (n == -1 && PyErr_Occurred()) {
        return NULL;
    }
    if (n < 1) {
        return PyErr_Format(PyExc_ValueError, "bump_many(%ld): a number of calls is 1 or more", n);
    }
    add_first((Counter *)self);
    add_many((Counter *)self, n - 1);
    Py_RETURN_NONE;
}

static PyObject *
counter_value(PyObject *self, void *Py_UNUSED(closure))
{
    return PyLong_FromLong(((Counter *)self)->value);
}

static void
counter_dealloc(PyObject *self)
{
    PyTypeObject *type = Py_TYPE(self);
    type->tp_free(self);
    Py_DECREF(type);
}

static PyMethodDef counter_methods[] = {
    {"bump_many", counter_bump_many, METH_O, PyDoc_STR("bump_many(n): add one, n times.")},
    {NULL, NULL, 0, NULL},
};

static PyGetSetDef counter_getset[] = {
    {"value", counter_value, NULL, PyDoc_STR("How often it was bumped."), NULL},
    {NULL, NULL, NULL, NULL, NULL},
};

static PyType_Slot counter_slots[] = {
    {Py_tp_doc, PyDoc_STR("Counter(): starts at 0.")},
    {Py_tp_new, PyType_GenericNew},
    {Py_tp_dealloc, counter_dealloc},
    {Py_tp_methods, counter_methods},
    {Py_tp_getset, counter_getset},
    {0, NULL},
};

static PyType_Spec counter_spec = {
    .name = "folded_fixed.Counter",
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
    .m_name = "folded_fixed",
    .m_slots = module_slots,
};

PyMODINIT_FUNC
PyInit_folded_fixed(void)
{
    return PyModuleDef_Init(&module_def);
}
