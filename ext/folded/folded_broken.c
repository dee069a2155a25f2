/* folded_broken.c: a loop that the compiler may take apart. BROKEN ON PURPOSE.
 *
 * Lesson   notebooks/03_green.md
 * Bug      Every turn of the loop is a load, an addition and a store, and so is what the
 *          compiler makes of them. How many there are, and how long each window is open,
 *          is for the compiler to say: one per turn (gcc -O0), one as long as the whole
 *          loop (-O1), one of a single instruction (-O2).
 * Needs    a free-threaded build, two attached threads
 * Seen     notebooks/recorded/folded.jsonl
 * Repair   folded_fixed.c; the two differ only in this header and in [race] regions
 * Source   https://gcc.gnu.org/onlinedocs/gcc/Optimize-Options.html
 */
#include <Python.h>

#include <stdatomic.h>

#include "racelab/race_point.h"

typedef struct {
    PyObject_HEAD
    /* [race:state] */
    long value;
    /* [race:state] */
} Counter;

/* A function of its own in the machine code, so that it can be looked at there. */
static __attribute__((noinline)) void
add_many(Counter *self, long n)
{
    /* [race] */
    for (long i = 0; i < n; i++) {
        self->value += 1;
    }
    /* [race] */
}

/* The first of them by hand: it holds the race point, which would keep a loop from being folded. */
static void
add_first(Counter *self)
{
    /* [race] */
    long seen = self->value;
    RACE_POINT();
    self->value = seen + 1; /* whatever came between is overwritten */
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
    .name = "folded_broken.Counter",
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
    .m_name = "folded_broken",
    .m_slots = module_slots,
};

PyMODINIT_FUNC
PyInit_folded_broken(void)
{
    return PyModuleDef_Init(&module_def);
}
