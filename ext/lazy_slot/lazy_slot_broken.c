/* lazy_slot_broken.c: made when first asked for, sometimes twice. BROKEN ON PURPOSE.
 *
 * Lesson   notebooks/08_caches.md
 * Bug      The test and the store are two steps. Two threads can both find the slot empty:
 *          each makes an object, and one of the two is leaked.
 * Needs    a free-threaded build, two attached threads, the very first call of both
 * Seen     notebooks/recorded/lazy_slot.jsonl
 * Repair   lazy_slot_fixed.c; the two differ only in this header and in [race] regions
 * Source   https://docs.python.org/3.13/howto/free-threading-extensions.html
 */
#include <Python.h>

#include <stdatomic.h>

#include "racelab/race_point.h"

typedef struct {
    PyObject_HEAD
    _Atomic int made; /* how often the slot's object was made; atomic, so it counts right */
    PyObject *slot;   /* NULL until it is first asked for; then it stays */
    /* [race:state] */
    /* nothing guards the slot */
    /* [race:state] */
} Record;

/* What belongs in the slot: an object that takes some work to make. */
static PyObject *
make(Record *self)
{
    atomic_fetch_add_explicit(&self->made, 1, memory_order_relaxed);
    return PyFloat_FromDouble(1.0);
}

/* A strong reference to the slot's object, or NULL with an exception. */
static PyObject *
take(Record *self)
{
    PyObject *found;
    /* [race] */
    if (self->slot == NULL) {
        RACE_POINT(); /* whoever comes here meanwhile finds it empty, too */
        self->slot = make(self);
    }
    found = Py_XNewRef(self->slot);
    /* [race] */
    return found;
}

static PyObject *
record_get(PyObject *self, PyObject *Py_UNUSED(ignored))
{
    return take((Record *)self);
}

static PyObject *
record_touch(PyObject *self, PyObject *Py_UNUSED(ignored))
{
    PyObject *found = take((Record *)self);
    if (found == NULL) {
        return NULL;
    }
    Py_DECREF(found);
    Py_RETURN_NONE;
}

static PyObject *
record_made(PyObject *self, void *Py_UNUSED(closure))
{
    return PyLong_FromLong(((Record *)self)->made);
}

static void
record_dealloc(PyObject *self)
{
    PyTypeObject *type = Py_TYPE(self);
    Py_XDECREF(((Record *)self)->slot);
    type->tp_free(self);
    Py_DECREF(type);
}

static PyMethodDef record_methods[] = {
    {"get", record_get, METH_NOARGS, PyDoc_STR("The slot's object, made if it is not there.")},
    {"touch", record_touch, METH_NOARGS, PyDoc_STR("The same, without returning it.")},
    {NULL, NULL, 0, NULL},
};

static PyGetSetDef record_getset[] = {
    {"made", record_made, NULL, PyDoc_STR("How often the slot's object was made."), NULL},
    {NULL, NULL, NULL, NULL, NULL},
};

static PyType_Slot record_slots[] = {
    {Py_tp_doc, PyDoc_STR("Record(): its slot is empty.")},
    {Py_tp_new, PyType_GenericNew},
    {Py_tp_dealloc, record_dealloc},
    {Py_tp_methods, record_methods},
    {Py_tp_getset, record_getset},
    {0, NULL},
};

static PyType_Spec record_spec = {
    .name = "lazy_slot_broken.Record",
    .basicsize = sizeof(Record),
    .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_IMMUTABLETYPE,
    .slots = record_slots,
};

static int
exec_module(PyObject *module)
{
    PyObject *type = PyType_FromModuleAndSpec(module, &record_spec, NULL);
    int status = PyModule_AddObjectRef(module, "Record", type);
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
    .m_name = "lazy_slot_broken",
    .m_slots = module_slots,
};

PyMODINIT_FUNC
PyInit_lazy_slot_broken(void)
{
    return PyModuleDef_Init(&module_def);
}
