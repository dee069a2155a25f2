/* two_counters.c: a cache counts what it finds and what it does not.
 *
 * Goal   stats() returns a pair that the cache held at one moment, whoever calls note() or
 *        reset() meanwhile.
 * Check  racelab check two_counters        Stuck?  racelab hint two_counters
 */
#include <Python.h>

#include <stdatomic.h>

#include "racelab/race_point.h"

typedef struct {
    PyObject_HEAD
    // BEGIN STARTER
    // _Atomic long hits;
    // _Atomic long misses;
    // BEGIN SOLUTION
    PyMutex mutex; /* everybody who touches one of the two takes it */
    long hits;
    long misses;
    // END
} Cache;

/* note(found): count one lookup. */
static PyObject *
cache_note(PyObject *op, PyObject *found)
{
    Cache *self = (Cache *)op;
    int hit = PyObject_IsTrue(found);
    if (hit < 0) {
        return NULL;
    }
    // BEGIN SOLUTION
    PyMutex_Lock(&self->mutex);
    // END
    if (hit) {
        self->hits++;
    }
    else {
        self->misses++;
    }
    // BEGIN SOLUTION
    PyMutex_Unlock(&self->mutex);
    // END
    Py_RETURN_NONE;
}

/* stats() -> (hits, misses) */
static PyObject *
cache_stats(PyObject *op, PyObject *Py_UNUSED(ignored))
{
    Cache *self = (Cache *)op;
    // BEGIN STARTER
    // long hits = self->hits;
    // RACE_POINT();
    // long misses = self->misses;
    // BEGIN SOLUTION
    PyMutex_Lock(&self->mutex);
    long hits = self->hits;
    RACE_POINT();
    long misses = self->misses;
    PyMutex_Unlock(&self->mutex);
    // END
    return Py_BuildValue("(ll)", hits, misses);
}

/* reset(): begin anew. */
static PyObject *
cache_reset(PyObject *op, PyObject *Py_UNUSED(ignored))
{
    Cache *self = (Cache *)op;
    // BEGIN STARTER
    // self->hits = 0;
    // RACE_POINT();
    // self->misses = 0;
    // BEGIN SOLUTION
    PyMutex_Lock(&self->mutex);
    self->hits = 0;
    RACE_POINT();
    self->misses = 0;
    PyMutex_Unlock(&self->mutex);
    // END
    Py_RETURN_NONE;
}

static void
cache_dealloc(PyObject *self)
{
    PyTypeObject *type = Py_TYPE(self);
    type->tp_free(self);
    Py_DECREF(type);
}

static PyMethodDef cache_methods[] = {
    {"note", cache_note, METH_O, PyDoc_STR("Count one lookup, found or not.")},
    {"stats", cache_stats, METH_NOARGS, PyDoc_STR("(hits, misses), as they were at one moment.")},
    {"reset", cache_reset, METH_NOARGS, PyDoc_STR("Set both to 0.")},
    {NULL, NULL, 0, NULL},
};

static PyType_Slot cache_slots[] = {
    {Py_tp_doc, PyDoc_STR("Cache(): two counters.")},
    {Py_tp_dealloc, cache_dealloc},
    {Py_tp_methods, cache_methods},
    {0, NULL},
};

static PyType_Spec cache_spec = {
    .name = "two_counters.Cache",
    .basicsize = sizeof(Cache),
    .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_IMMUTABLETYPE,
    .slots = cache_slots,
};

static int
exec_module(PyObject *module)
{
    PyObject *type = PyType_FromModuleAndSpec(module, &cache_spec, NULL);
    int status = PyModule_AddObjectRef(module, "Cache", type);
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
    .m_name = "two_counters",
    .m_slots = module_slots,
};

PyMODINIT_FUNC
PyInit_two_counters(void)
{
    return PyModuleDef_Init(&module_def);
}
