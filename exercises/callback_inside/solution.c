/* callback_inside.c: a table of keys, which can be given more room.
 *
 * Goal   Whoever calls, and whatever a __hash__ does: each key that was added is there, once.
 *        resize() makes room or raises, and then the table is as before, and free for others.
 * Check  racelab check callback_inside        Stuck?  racelab hint callback_inside
 */
#include <Python.h>

#include "racelab/race_point.h"

typedef struct {
    PyObject *key; /* strong; NULL: this slot is free */
    // BEGIN SOLUTION
    Py_hash_t hash; /* asked for once, when the key came */
    // END
} Slot;

typedef struct {
    PyObject_HEAD
    Slot *slots; /* at least one of them is free */
    Py_ssize_t size;
    Py_ssize_t used;
} Table;

/* The slot of a key, or the free one where it belongs. Keys are the same if they are one object:
   nobody's __eq__ is called. */
static Slot *
find(Slot *slots, Py_ssize_t size, PyObject *key, Py_hash_t hash)
{
    size_t at = (size_t)hash % (size_t)size;
    while (slots[at].key != NULL && slots[at].key != key) {
        at = (at + 1) % (size_t)size;
    }
    return &slots[at];
}

/* resize(size): room for more keys. Where there is so much already, nothing happens. */
static PyObject *
table_resize(PyObject *op, PyObject *arg)
{
    Table *self = (Table *)op;
    Py_ssize_t size = PyLong_AsSsize_t(arg);
    if (size == -1 && PyErr_Occurred()) {
        return NULL;
    }
    Slot *slots = PyMem_Calloc(size > 0 ? (size_t)size : 1, sizeof(Slot));
    if (slots == NULL) {
        return PyErr_NoMemory();
    }
    // BEGIN STARTER
    // Py_BEGIN_CRITICAL_SECTION(self);
    // if (size > self->size) {
    //     for (Py_ssize_t i = 0; i < self->size; i++) {
    //         if (self->slots[i].key != NULL) {
    //             Py_hash_t hash = PyObject_Hash(self->slots[i].key);
    //             if (hash == -1) {
    //                 PyMem_Free(slots);
    //                 return NULL;
    //             }
    //             RACE_POINT();
    //             *find(slots, size, self->slots[i].key, hash) = self->slots[i];
    //         }
    //     }
    //     Slot *old = self->slots;
    //     self->slots = slots;
    //     self->size = size;
    //     slots = old;
    // }
    // Py_END_CRITICAL_SECTION();
    // BEGIN SOLUTION
    Py_BEGIN_CRITICAL_SECTION(self); /* nothing in it runs Python code, waits or fails */
    if (size > self->size) {
        for (Py_ssize_t i = 0; i < self->size; i++) {
            Slot *each = &self->slots[i];
            if (each->key != NULL) {
                RACE_POINT();
                *find(slots, size, each->key, each->hash) = *each;
            }
        }
        Slot *old = self->slots;
        self->slots = slots;
        self->size = size;
        slots = old;
    }
    Py_END_CRITICAL_SECTION();
    // END
    PyMem_Free(slots);
    Py_RETURN_NONE;
}

/* add(key): True if it is new. */
static PyObject *
table_add(PyObject *op, PyObject *key)
{
    Table *self = (Table *)op;
    int full = 0, added = 0;
    Py_hash_t hash = PyObject_Hash(key);
    if (hash == -1) {
        return NULL;
    }
    Py_BEGIN_CRITICAL_SECTION(self);
    Slot *slot = find(self->slots, self->size, key, hash);
    RACE_POINT();
    if (slot->key == NULL) {
        full = self->used + 1 == self->size;
        if (!full) {
            slot->key = Py_NewRef(key);
            // BEGIN SOLUTION
            slot->hash = hash;
            // END
            self->used++;
            added = 1;
        }
    }
    Py_END_CRITICAL_SECTION();
    if (full) {
        PyErr_SetString(PyExc_OverflowError, "no room: resize() first");
        return NULL;
    }
    return PyBool_FromLong(added);
}

/* key in table */
static int
table_contains(PyObject *op, PyObject *key)
{
    Table *self = (Table *)op;
    int found;
    Py_hash_t hash = PyObject_Hash(key);
    if (hash == -1) {
        return -1;
    }
    Py_BEGIN_CRITICAL_SECTION(self);
    found = find(self->slots, self->size, key, hash)->key != NULL;
    Py_END_CRITICAL_SECTION();
    return found;
}

/* From here on nothing has to be changed. */

/* len(table): in how many slots there is a key. */
static Py_ssize_t
table_length(PyObject *op)
{
    Table *self = (Table *)op;
    Py_ssize_t length = 0;
    Py_BEGIN_CRITICAL_SECTION(self);
    for (Py_ssize_t i = 0; i < self->size; i++) {
        length += self->slots[i].key != NULL;
    }
    Py_END_CRITICAL_SECTION();
    return length;
}

static PyObject *
table_new(PyTypeObject *type, PyObject *args, PyObject *Py_UNUSED(kwargs))
{
    Py_ssize_t size;
    if (!PyArg_ParseTuple(args, "n:Table", &size)) {
        return NULL;
    }
    if (size < 1) {
        return PyErr_Format(PyExc_ValueError, "a table has one slot or more, not %zd", size);
    }
    Table *self = (Table *)type->tp_alloc(type, 0);
    if (self != NULL) {
        self->size = size;
        self->slots = PyMem_Calloc((size_t)size, sizeof(Slot));
        if (self->slots == NULL) {
            self->size = 0;
            Py_DECREF(self);
            return PyErr_NoMemory();
        }
    }
    return (PyObject *)self;
}

static int
table_traverse(PyObject *op, visitproc visit, void *arg)
{
    Table *self = (Table *)op;
    Py_VISIT(Py_TYPE(op));
    for (Py_ssize_t i = 0; i < self->size; i++) {
        Py_VISIT(self->slots[i].key);
    }
    return 0;
}

static int
table_clear(PyObject *op)
{
    Table *self = (Table *)op;
    for (Py_ssize_t i = 0; i < self->size; i++) {
        Py_CLEAR(self->slots[i].key);
    }
    return 0;
}

static void
table_dealloc(PyObject *op)
{
    PyTypeObject *type = Py_TYPE(op);
    PyObject_GC_UnTrack(op);
    table_clear(op);
    PyMem_Free(((Table *)op)->slots);
    type->tp_free(op);
    Py_DECREF(type);
}

static PyMethodDef table_methods[] = {
    {"add", table_add, METH_O, PyDoc_STR("add(key): True if it is new.")},
    {"resize", table_resize, METH_O, PyDoc_STR("resize(size): room for more keys.")},
    {NULL, NULL, 0, NULL},
};

static PyType_Slot table_slots[] = {
    {Py_tp_doc, PyDoc_STR("Table(size): keys, told apart by `is`; one slot stays free.")},
    {Py_tp_new, table_new},
    {Py_tp_traverse, table_traverse},
    {Py_tp_clear, table_clear},
    {Py_tp_dealloc, table_dealloc},
    {Py_tp_methods, table_methods},
    {Py_sq_contains, table_contains},
    {Py_sq_length, table_length},
    {0, NULL},
};

static PyType_Spec table_spec = {
    .name = "callback_inside.Table",
    .basicsize = sizeof(Table),
    .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC | Py_TPFLAGS_IMMUTABLETYPE,
    .slots = table_slots,
};

static int
exec_module(PyObject *module)
{
    PyObject *type = PyType_FromModuleAndSpec(module, &table_spec, NULL);
    int status = PyModule_AddObjectRef(module, "Table", type);
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
    .m_name = "callback_inside",
    .m_slots = module_slots,
};

PyMODINIT_FUNC
PyInit_callback_inside(void)
{
    return PyModuleDef_Init(&module_def);
}
