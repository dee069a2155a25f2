/* cache_fixed_atomic.c: a static table, made once by whoever needs it first.
 *
 * Lesson   notebooks/08_caches.md
 * Repair   Double-checked locking. Whoever finds no table takes the lock and looks again;
 *          the one who makes it publishes it with a release store when it is finished.
 *          Whoever finds the pointer with an acquire load finds all that it points to.
 * Broken   cache_broken.c; the two differ only in this header and in [race] regions
 * Source   https://en.cppreference.com/w/c/atomic/memory_order
 */
#include <Python.h>

#include <stdatomic.h>
#include <stdint.h>

#include "racelab/race_point.h"

enum { ROWS = 16, COLUMNS = 256 };

static _Atomic int alive;   /* tables that are in memory; atomic, so it counts right */
static _Atomic int imports; /* how often the exec slot has run, in this process */

/* CRC-32 tables for 16 bytes at a time: some work. NULL with an exception if there is no room. */
static uint32_t *
make_table(void)
{
    uint32_t *made = PyMem_RawMalloc(ROWS * COLUMNS * sizeof(uint32_t));
    if (made == NULL) {
        PyErr_NoMemory();
        return NULL;
    }
    atomic_fetch_add_explicit(&alive, 1, memory_order_relaxed);
    Py_BEGIN_ALLOW_THREADS /* plain arithmetic on memory of our own: no Python needed */
    RACE_POINT();
    for (int at = 0; at < ROWS * COLUMNS; at++) {
        uint32_t crc = at < COLUMNS ? (uint32_t)at : made[at - COLUMNS];
        for (int bit = 0; bit < 8; bit++) {
            crc = (crc >> 1) ^ (0xedb88320u & (0u - (crc & 1u)));
        }
        made[at] = crc;
    }
    Py_END_ALLOW_THREADS
    return made;
}

/* For whoever has a table that nobody else can have; NULL is no table. */
__attribute__((unused)) static void /* not every variant frees one */
free_table(uint32_t *mine)
{
    if (mine != NULL) {
        atomic_fetch_sub_explicit(&alive, 1, memory_order_relaxed);
        PyMem_RawFree(mine);
    }
}

/* [race:state] */
static _Atomic(uint32_t *) table; /* NULL, or a full table */
static PyMutex making;            /* who holds it, makes it */
/* [race:state] */

/* Not inline: who calls it in a loop shall pay for each call. */
__attribute__((noinline)) static int
look_up(int at, uint32_t *entry)
{
    uint32_t *found;
    /* [race] */
    found = atomic_load_explicit(&table, memory_order_acquire);
    if (found == NULL) {
        PyMutex_Lock(&making);
        found = atomic_load_explicit(&table, memory_order_relaxed);
        if (found == NULL && (found = make_table()) != NULL) {
            atomic_store_explicit(&table, found, memory_order_release);
        }
        PyMutex_Unlock(&making);
    }
    /* [race] */
    if (found != NULL) {
        *entry = found[at];
    }
    /* [race:done] */
    /* nothing to give back: the table stays */
    /* [race:done] */
    return found == NULL ? -1 : 0;
}

static PyObject *
cache_touch(PyObject *Py_UNUSED(module), PyObject *Py_UNUSED(ignored))
{
    uint32_t entry;
    if (look_up(1, &entry) < 0) {
        return NULL;
    }
    return PyLong_FromUnsignedLong(entry);
}

static PyObject *
cache_alive(PyObject *Py_UNUSED(module), PyObject *Py_UNUSED(ignored))
{
    return PyLong_FromLong(alive);
}

static PyObject *
cache_imports(PyObject *Py_UNUSED(module), PyObject *Py_UNUSED(ignored))
{
    return PyLong_FromLong(imports);
}

static PyObject *
cache_hit_ns(PyObject *Py_UNUSED(module), PyObject *times)
{
    PyTime_t begin, end;
    uint32_t entry = 0;
    long n = PyLong_AsLong(times);
    if (n <= 0) {
        return PyErr_Occurred() ? NULL : PyErr_Format(PyExc_ValueError, "%ld: not above 0", n);
    }
    if (look_up(0, &entry) < 0 || PyTime_PerfCounter(&begin) < 0) {
        return NULL;
    }
    for (long i = 0; i < n; i++) {
        if (look_up((int)(i % COLUMNS), &entry) < 0) {
            return NULL;
        }
    }
    if (PyTime_PerfCounter(&end) < 0) {
        return NULL;
    }
    return PyFloat_FromDouble((double)(end - begin) / (double)n);
}

static PyMethodDef cache_methods[] = {
    {"touch", cache_touch, METH_NOARGS, PyDoc_STR("One entry; makes the table if need be.")},
    {"alive", cache_alive, METH_NOARGS, PyDoc_STR("How many tables there are in memory.")},
    {"imports", cache_imports, METH_NOARGS, PyDoc_STR("How often the module was set up.")},
    {"hit_ns", cache_hit_ns, METH_O, PyDoc_STR("Look up n entries; nanoseconds for each.")},
    {NULL, NULL, 0, NULL},
};

static int
exec_module(PyObject *Py_UNUSED(module))
{
    atomic_fetch_add_explicit(&imports, 1, memory_order_relaxed);
    /* [race:import] */
    /* nothing to set up */
    /* [race:import] */
    return 0;
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
    .m_name = "cache_fixed_atomic",
    .m_methods = cache_methods,
    .m_slots = module_slots,
};

PyMODINIT_FUNC
PyInit_cache_fixed_atomic(void)
{
    return PyModuleDef_Init(&module_def);
}
