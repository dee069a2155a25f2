/* drifting_broken.c: a registry that is slow to see a newcomer. BROKEN ON PURPOSE.
 *
 * Lesson   notebooks/04_count.md
 * Bug      To enter a name is to look for it and, if it is not there, to add it: two
 *          steps. Two threads that enter one name can both miss it, and it is in twice.
 *          The look walks through all entries, so the window is as long as the walk: it
 *          opens while the registry grows, and the failure rate drifts upwards with it.
 * Needs    a free-threaded build, two attached threads, a registry with many entries
 * Seen     notebooks/recorded/drifting.jsonl
 * Repair   drifting_fixed.c; the two differ only in this header and in [race] regions
 * Source   https://docs.python.org/3.13/howto/free-threading-extensions.html
 */
#include <Python.h>

#include <stdatomic.h>
#include <stdlib.h>

#include "racelab/race_point.h"

typedef struct entry {
    long number;
    struct entry *next;
} Entry;

/* Entries are added in front, atomically, and stay: a walk never meets a broken list. */
static _Atomic(Entry *) registry;
static _Atomic long last_number;

typedef struct {
    PyObject_HEAD
    long number;         /* no two names have the same */
    _Atomic int entered; /* how often it was added; atomic, so it counts right */
} Name;

/* [race:state] */
/* nothing makes look and add one step */
/* [race:state] */

static int
is_entered(long number)
{
    Entry *at = atomic_load_explicit(&registry, memory_order_acquire);
    while (at != NULL && at->number != number) {
        at = at->next;
    }
    return at != NULL;
}

/* 0, or -1 with an exception. */
static int
add(long number)
{
    Entry *made = malloc(sizeof(Entry)); /* not Python's heap: it outlives the interpreter */
    if (made == NULL) {
        PyErr_NoMemory();
        return -1;
    }
    made->number = number;
    made->next = atomic_load_explicit(&registry, memory_order_relaxed);
    while (!atomic_compare_exchange_weak_explicit(&registry, &made->next, made,
                                                  memory_order_release, memory_order_relaxed)) {
    }
    return 0;
}

static PyObject *
name_enter(PyObject *self, PyObject *Py_UNUSED(ignored))
{
    Name *name = (Name *)self;
    int status = 0;
    /* [race] */
    if (!is_entered(name->number)) {
        RACE_POINT(); /* what is added now, we do not see */
        status = add(name->number);
        name->entered++;
    }
    /* [race] */
    if (status < 0) {
        return NULL;
    }
    Py_RETURN_NONE;
}

static PyObject *
name_entered(PyObject *self, void *Py_UNUSED(closure))
{
    return PyLong_FromLong(((Name *)self)->entered);
}

static PyObject *
name_new(PyTypeObject *type, PyObject *Py_UNUSED(args), PyObject *Py_UNUSED(kwargs))
{
    PyObject *self = type->tp_alloc(type, 0);
    if (self != NULL) {
        ((Name *)self)->number = 1 + atomic_fetch_add(&last_number, 1);
    }
    return self;
}

static void
name_dealloc(PyObject *self)
{
    PyTypeObject *type = Py_TYPE(self);
    type->tp_free(self);
    Py_DECREF(type);
}

static PyObject *
load(PyObject *Py_UNUSED(module), PyObject *arg)
{
    long n = PyLong_AsLong(arg);
    if (n == -1 && PyErr_Occurred()) {
        return NULL;
    }
    if (n < 0) {
        return PyErr_Format(PyExc_ValueError, "load(%ld): a number of names is 0 or more", n);
    }
    for (long i = 0; i < n; i++) {
        if (add(1 + atomic_fetch_add(&last_number, 1)) < 0) {
            return NULL;
        }
    }
    Py_RETURN_NONE;
}

static PyMethodDef name_methods[] = {
    {"enter", name_enter, METH_NOARGS, PyDoc_STR("Enter the name, unless it is there.")},
    {NULL, NULL, 0, NULL},
};

static PyGetSetDef name_getset[] = {
    {"entered", name_entered, NULL, PyDoc_STR("How often it was entered; 1 is right."), NULL},
    {NULL, NULL, NULL, NULL, NULL},
};

static PyType_Slot name_slots[] = {
    {Py_tp_doc, PyDoc_STR("Name(): one that nobody has entered yet.")},
    {Py_tp_new, name_new},
    {Py_tp_dealloc, name_dealloc},
    {Py_tp_methods, name_methods},
    {Py_tp_getset, name_getset},
    {0, NULL},
};

static PyType_Spec name_spec = {
    .name = "drifting_broken.Name",
    .basicsize = sizeof(Name),
    .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_IMMUTABLETYPE,
    .slots = name_slots,
};

static PyMethodDef module_methods[] = {
    {"load", load, METH_O, PyDoc_STR("load(n): enter n new names at once.")},
    {NULL, NULL, 0, NULL},
};

static int
exec_module(PyObject *module)
{
    PyObject *type = PyType_FromModuleAndSpec(module, &name_spec, NULL);
    int status = PyModule_AddObjectRef(module, "Name", type);
    Py_XDECREF(type);
    return status;
}

static PyModuleDef_Slot module_slots[] = {
    {Py_mod_exec, exec_module},
    {Py_mod_multiple_interpreters, Py_MOD_MULTIPLE_INTERPRETERS_NOT_SUPPORTED},
#ifdef Py_GIL_DISABLED
    {Py_mod_gil, Py_MOD_GIL_NOT_USED},
#endif
    {0, NULL},
};

static struct PyModuleDef module_def = {
    PyModuleDef_HEAD_INIT,
    .m_name = "drifting_broken",
    .m_methods = module_methods,
    .m_slots = module_slots,
};

PyMODINIT_FUNC
PyInit_drifting_broken(void)
{
    return PyModuleDef_Init(&module_def);
}
