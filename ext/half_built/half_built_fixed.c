/* half_built_fixed.c: double-checked locking: fill first, then publish.
 *
 * Lesson   notebooks/08_caches.md
 * Repair   The pointer is stored when the table is full, with release order; a reader loads
 *          it with acquire order. Whoever sees the pointer sees all that was written before.
 * Broken   half_built_broken.c; the two differ only in this header and in [race] regions
 * Source   https://en.cppreference.com/w/c/atomic/memory_order
 */
#include <Python.h>

#include <stdatomic.h>
#include <stdint.h>

#include "racelab/race_point.h"

enum { ROWS = 16 };

typedef struct {
    PyObject_HEAD
    PyMutex making; /* held by the one who fills the table */
    uint32_t room[ROWS];
    /* [race:state] */
    _Atomic(uint32_t *) rows; /* NULL, or a full table */
    /* [race:state] */
} Checker;

/* The CRC-32 table for four bits at a time. */
static void
fill(uint32_t *rows)
{
    for (uint32_t row = 0; row < ROWS; row++) {
        uint32_t crc = row;
        for (int bit = 0; bit < 4; bit++) {
            crc = (crc >> 1) ^ (0xedb88320u & (0u - (crc & 1u)));
        }
        rows[row] = crc;
    }
}

/* The table, filled by whoever comes first. */
static const uint32_t *
get_rows(Checker *self)
{
    uint32_t *found;
    /* [race] */
    found = atomic_load_explicit(&self->rows, memory_order_acquire);
    if (found == NULL) {
        PyMutex_Lock(&self->making);
        found = atomic_load_explicit(&self->rows, memory_order_relaxed);
        if (found == NULL) {
            fill(self->room); /* nobody can see it yet */
            RACE_POINT();
            atomic_store_explicit(&self->rows, self->room,
                                  memory_order_release);
        }
        found = self->room;
        PyMutex_Unlock(&self->making);
    }
    /* [race] */
    return found;
}

/* The CRC-32 of the nine digits; whoever knows the algorithm knows the answer. */
static PyObject *
checker_check(PyObject *self, PyObject *Py_UNUSED(ignored))
{
    const uint32_t *rows = get_rows((Checker *)self);
    uint32_t crc = 0xffffffffu;
    for (const char *byte = "123456789"; *byte != '\0'; byte++) {
        crc ^= (unsigned char)*byte;
        crc = (crc >> 4) ^ rows[crc & 15u];
        crc = (crc >> 4) ^ rows[crc & 15u];
    }
    return PyLong_FromUnsignedLong(~crc & 0xffffffffu);
}

static void
checker_dealloc(PyObject *self)
{
    PyTypeObject *type = Py_TYPE(self);
    type->tp_free(self);
    Py_DECREF(type);
}

static PyMethodDef checker_methods[] = {
    {"check", checker_check, METH_NOARGS, PyDoc_STR("CRC-32 of b'123456789': 0xcbf43926.")},
    {NULL, NULL, 0, NULL},
};

static PyType_Slot checker_slots[] = {
    {Py_tp_doc, PyDoc_STR("Checker(): its table is not filled yet.")},
    {Py_tp_new, PyType_GenericNew},
    {Py_tp_dealloc, checker_dealloc},
    {Py_tp_methods, checker_methods},
    {0, NULL},
};

static PyType_Spec checker_spec = {
    .name = "half_built_fixed.Checker",
    .basicsize = sizeof(Checker),
    .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_IMMUTABLETYPE,
    .slots = checker_slots,
};

static int
exec_module(PyObject *module)
{
    PyObject *type = PyType_FromModuleAndSpec(module, &checker_spec, NULL);
    int status = PyModule_AddObjectRef(module, "Checker", type);
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
    .m_name = "half_built_fixed",
    .m_slots = module_slots,
};

PyMODINIT_FUNC
PyInit_half_built_fixed(void)
{
    return PyModuleDef_Init(&module_def);
}
