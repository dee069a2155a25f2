/* given.c: the module that the report of from_report is about. Read it; leave it as it is.
 *
 * Without REPAIRED it is built as it was reported. A Table has room for a few keys.
 */
#include <Python.h>

#include "racelab/race_point.h"

#define ROOM 8

typedef struct {
    PyObject *key;   /* strong; NULL: free from here on */
    PyObject *value; /* strong */
    int marked;      /* its value is being replaced */
} entry;

typedef struct {
    PyObject_HEAD
    PyMutex lock;
    entry entries[ROOM];
} table;

/* The entry of a key, or the first that is free; NULL if there is none. With the lock held. */
static entry *
find(table *self, PyObject *key)
{
    for (entry *one = self->entries; one < self->entries + ROOM; one++) {
        if (one->key == NULL || PyUnicode_Compare(one->key, key) == 0) {
            return one;
        }
    }
    return NULL;
}

static PyObject *
get(PyObject *op, PyObject *key)
{
    table *self = (table *)op;
    if (!PyUnicode_Check(key)) {
        return PyErr_Format(PyExc_TypeError, "get(): a key is a str");
    }
    PyMutex_Lock(&self->lock);
    entry *found = find(self, key);
    int there = found != NULL && found->key != NULL && !found->marked;
    PyObject *value = Py_NewRef(there ? found->value : Py_None);
    PyMutex_Unlock(&self->lock);
    return value;
}

static PyObject *
put(PyObject *op, PyObject *args)
{
    table *self = (table *)op;
    PyObject *key, *value, *old;
    if (!PyArg_ParseTuple(args, "UO:put", &key, &value)) {
        return NULL;
    }
    PyMutex_Lock(&self->lock);
    entry *found = find(self, key);
    if (found == NULL) {
        PyMutex_Unlock(&self->lock);
        return PyErr_Format(PyExc_ValueError, "put(): the table is full");
    }
    if (found->key == NULL) {
        found->key = Py_NewRef(key);
    }
    old = found->value;
#ifdef REPAIRED
    found->value = Py_NewRef(value);
    RACE_POINT();
    PyMutex_Unlock(&self->lock);
    Py_XDECREF(old);
#else
    found->marked = 1;
    found->value = NULL;
    PyMutex_Unlock(&self->lock); /* who drops the last reference may call anything: not with the lock */
    Py_XDECREF(old);
    RACE_POINT();
    PyMutex_Lock(&self->lock);
    Py_XSETREF(found->value, Py_NewRef(value));
    found->marked = 0;
    PyMutex_Unlock(&self->lock);
#endif
    Py_RETURN_NONE;
}

static PyObject *
new_table(PyTypeObject *type, PyObject *Py_UNUSED(args), PyObject *Py_UNUSED(keywords))
{
    return type->tp_alloc(type, 0);
}

static void
dealloc(PyObject *op)
{
    table *self = (table *)op;
    PyTypeObject *type = Py_TYPE(op);
    for (entry *one = self->entries; one < self->entries + ROOM; one++) {
        Py_XDECREF(one->key);
        Py_XDECREF(one->value);
    }
    type->tp_free(op);
    Py_DECREF(type);
}

static PyMethodDef table_methods[] = {
    {"get", get, METH_O, "get(key): its value; None if it is not there"},
    {"put", put, METH_VARARGS, "put(key, value): add a key, or replace its value"},
    {NULL, NULL, 0, NULL},
};

static PyType_Slot table_slots[] = {
    {Py_tp_new, new_table},
    {Py_tp_dealloc, dealloc},
    {Py_tp_methods, table_methods},
    {0, NULL},
};

static PyType_Spec table_spec = {
    .name = "tables.Table",
    .basicsize = sizeof(table),
    .flags = Py_TPFLAGS_DEFAULT,
    .slots = table_slots,
};

static int
exec(PyObject *module)
{
    PyObject *type = PyType_FromModuleAndSpec(module, &table_spec, NULL);
    int rc = type == NULL ? -1 : PyModule_AddType(module, (PyTypeObject *)type);
    Py_XDECREF(type);
    return rc;
}

static PyModuleDef_Slot slots[] = {
    {Py_mod_exec, exec},
    {Py_mod_gil, Py_MOD_GIL_NOT_USED},
    {0, NULL},
};

static struct PyModuleDef definition = {
    PyModuleDef_HEAD_INIT,
    .m_name = "tables",
    .m_doc = "Values by key.",
    .m_slots = slots,
};

PyMODINIT_FUNC
PyInit_tables(void)
{
    return PyModuleDef_Init(&definition);
}
