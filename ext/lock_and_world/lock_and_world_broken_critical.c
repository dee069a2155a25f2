/* lock_and_world_broken_critical.c: a critical section around Python code. BROKEN ON PURPOSE.
 *
 * Lesson   notebooks/12_critical_section.md
 * Bug      It cannot hang: a critical section is given up while its thread is detached. That is
 *          why it does not keep the second call out of the library either.
 * Needs    two threads that call solve()
 * Seen     notebooks/recorded/lock_and_world.jsonl
 * Repair   lock_and_world_fixed.c; all variants differ only in the header and in [race] regions
 * Source   https://docs.python.org/3.13/c-api/init.html#python-critical-section-api
 */
#include <Python.h>

#include <pthread.h>
#include <stdatomic.h>

#include "racelab/race_point.h"

/* The library: remembers things between its steps, so there may be only one call of it at a time.
   It asks `objective` what to do next. Returns how many calls were inside when this one began, itself
   included; -1 with an exception set if `objective` raised. */
static int
library_solve(PyObject *objective)
{
    static _Atomic int inside;
    int together = atomic_fetch_add(&inside, 1) + 1;
    RACE_POINT();
    PyObject *value = PyObject_CallNoArgs(objective);
    atomic_fetch_sub(&inside, 1);
    if (value == NULL) {
        return -1;
    }
    Py_DECREF(value);
    return together;
}

/* [race:state] */
/* nothing: every object has a lock */
/* [race:state] */

static PyObject *
solve(PyObject *module, PyObject *objective)
{
    (void)module; /* not every variant needs it */
    int together;
    /* [race] */
    Py_BEGIN_CRITICAL_SECTION(module);
    together = library_solve(objective); /* suspended while it is detached */
    Py_END_CRITICAL_SECTION();
    /* [race] */
    return together < 0 ? NULL : PyLong_FromLong(together);
}

static PyMethodDef methods[] = {
    {"solve", solve, METH_O,
     PyDoc_STR("solve(objective): calls objective(); how many calls were in the library.")},
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
    .m_name = "lock_and_world_broken_critical",
    .m_methods = methods,
    .m_slots = slots,
};

PyMODINIT_FUNC
PyInit_lock_and_world_broken_critical(void)
{
    return PyModuleDef_Init(&definition);
}
