/* per_thread.c: random numbers for sampling, not for secrets (xorshift64).
 *
 * Goal   draw() never returns the same number twice, whichever threads call it.
 * Check  racelab check per_thread        Stuck?  racelab hint per_thread
 */
#include <Python.h>

#include <stdatomic.h>
#include <stdint.h>

#include "racelab/race_point.h"

/* Spreads neighbours far apart (splitmix64): different n give different numbers. */
static inline uint64_t
mix(uint64_t n)
{
    RACE_POINT();
    n *= 0x9e3779b97f4a7c15u;
    n = (n ^ (n >> 30)) * 0xbf58476d1ce4e5b9u;
    n = (n ^ (n >> 27)) * 0x94d049bb133111ebu;
    return n ^ (n >> 31);
}

/* The number that follows x; of 0 it is 0. */
static inline uint64_t
successor(uint64_t x)
{
    x ^= x << 13;
    x ^= x >> 7;
    x ^= x << 17;
    return x;
}

// BEGIN STARTER
// static uint64_t state = 88172645463325252u;
// BEGIN SOLUTION
static _Atomic uint64_t seeds = 1; /* shared: the next thread's seed */
static _Thread_local uint64_t state; /* 0: this thread has not drawn yet */
// END

/* draw() -> a number of 64 bits that is not 0. */
static PyObject *
draw(PyObject *Py_UNUSED(module), PyObject *Py_UNUSED(ignored))
{
    // BEGIN STARTER
    // uint64_t x = successor(state);
    // RACE_POINT();
    // state = x;
    // BEGIN SOLUTION
    if (state == 0) {
        state = mix(atomic_fetch_add(&seeds, 1)); /* never 0: seeds begin at 1 */
    }
    uint64_t x = successor(state);
    RACE_POINT();
    state = x;
    // END
    return PyLong_FromUnsignedLongLong(x);
}

static PyMethodDef module_methods[] = {
    {"draw", draw, METH_NOARGS, PyDoc_STR("A random number of 64 bits that is not 0.")},
    {NULL, NULL, 0, NULL},
};

static PyModuleDef_Slot module_slots[] = {
#ifdef Py_GIL_DISABLED
    {Py_mod_gil, Py_MOD_GIL_NOT_USED},
#endif
    {0, NULL},
};

static struct PyModuleDef module_def = {
    PyModuleDef_HEAD_INIT,
    .m_name = "per_thread",
    .m_methods = module_methods,
    .m_slots = module_slots,
};

PyMODINIT_FUNC
PyInit_per_thread(void)
{
    return PyModuleDef_Init(&module_def);
}
