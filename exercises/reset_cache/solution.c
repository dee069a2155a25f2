/* reset_cache.c: checksums from a table that is made when it is first needed, and can be reset.
 *
 * Goal   checksum() returns the right number, whoever calls reset() meanwhile. The table is kept
 *        between calls, and reset() drops it.
 * Check  racelab check reset_cache        Stuck?  racelab hint reset_cache
 */
#include <Python.h>

#include <stdint.h>

#include "racelab/race_point.h"

enum { SIZE = 256 };

static PyMutex guard; /* whoever touches `table` holds it */
static uint32_t *table;

/* A new table, or NULL. Leave it as it is. */
static uint32_t *
make_table(void)
{
    uint32_t *made = PyMem_Malloc(SIZE * sizeof(*made));
    for (uint32_t i = 0; made != NULL && i < SIZE; i++) {
        made[i] = i;
        for (int bit = 0; bit < 8; bit++) {
            made[i] = (made[i] >> 1) ^ (made[i] & 1 ? 0xEDB88320u : 0u);
        }
    }
    return made;
}

/* CRC-32 of some bytes, by a table. Leave it as it is. */
static uint32_t
sum_up(const uint32_t *by, const char *bytes, Py_ssize_t size)
{
    uint32_t sum = 0xFFFFFFFFu;
    for (Py_ssize_t i = 0; i < size; i++) {
        sum = (sum >> 8) ^ by[(sum ^ (unsigned char)bytes[i]) & 0xFFu];
    }
    return ~sum;
}

// BEGIN STARTER
// /* The table, made on first use; NULL if there is no memory. */
// BEGIN SOLUTION
/* The table, made on first use; NULL if there is no memory. Call it with the guard held, and
   hold the guard until you are done with the table. */
// END
static const uint32_t *
get_table(void)
{
    // BEGIN STARTER
    // PyMutex_Lock(&guard);
    // if (table == NULL) {
    //     table = make_table();
    // }
    // const uint32_t *found = table;
    // PyMutex_Unlock(&guard);
    // return found;
    // BEGIN SOLUTION
    if (table == NULL) {
        table = make_table();
    }
    return table;
    // END
}

/* checksum(data) -> int */
static PyObject *
checksum(PyObject *Py_UNUSED(module), PyObject *data)
{
    char *bytes;
    Py_ssize_t size;
    if (PyBytes_AsStringAndSize(data, &bytes, &size) < 0) {
        return NULL;
    }
    // BEGIN STARTER
    // const uint32_t *by = get_table();
    // if (by == NULL) {
    //     return PyErr_NoMemory();
    // }
    // RACE_POINT();
    // uint32_t sum = sum_up(by, bytes, size);
    // return PyLong_FromUnsignedLong(sum);
    // BEGIN SOLUTION
    uint32_t sum = 0;
    PyMutex_Lock(&guard);
    const uint32_t *by = get_table();
    if (by != NULL) {
        RACE_POINT();
        sum = sum_up(by, bytes, size);
    }
    PyMutex_Unlock(&guard);
    return by == NULL ? PyErr_NoMemory() : PyLong_FromUnsignedLong(sum);
    // END
}

/* reset(): drop the table; the next checksum makes a new one. */
static PyObject *
reset(PyObject *Py_UNUSED(module), PyObject *Py_UNUSED(ignored))
{
    // BEGIN STARTER
    // PyMutex_Lock(&guard);
    // PyMem_Free(table);
    // table = NULL;
    // PyMutex_Unlock(&guard);
    // BEGIN SOLUTION
    PyMutex_Lock(&guard);
    PyMem_Free(table);
    table = NULL;
    PyMutex_Unlock(&guard);
    // END
    Py_RETURN_NONE;
}

static PyMethodDef methods[] = {
    {"checksum", checksum, METH_O, PyDoc_STR("checksum(data): CRC-32 of bytes.")},
    {"reset", reset, METH_NOARGS, PyDoc_STR("reset(): drop the table.")},
    {NULL, NULL, 0, NULL},
};

static PyModuleDef_Slot slots[] = {
#ifdef Py_GIL_DISABLED
    {Py_mod_gil, Py_MOD_GIL_NOT_USED},
#endif
    {0, NULL},
};

static struct PyModuleDef definition = {
    PyModuleDef_HEAD_INIT,
    .m_name = "reset_cache",
    .m_methods = methods,
    .m_slots = slots,
};

PyMODINIT_FUNC
PyInit_reset_cache(void)
{
    return PyModuleDef_Init(&definition);
}
