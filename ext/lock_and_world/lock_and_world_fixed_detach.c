/* lock_and_world_fixed_detach.c: detach to wait for a native mutex, attach to run Python code.
 *
 * Lesson   notebooks/12_critical_section.md
 * Repair   Nobody waits for the mutex attached. So whoever has it may wait for the interpreter:
 *          no thread in its way waits for the mutex. Every place that locks must do it so.
 * Broken   lock_and_world_broken.c; the two differ only in this header and in [race] regions
 * Source   https://docs.python.org/3.13/howto/free-threading-extensions.html
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
static pthread_mutex_t library = PTHREAD_MUTEX_INITIALIZER;
/* [race:state] */

static PyObject *
solve(PyObject *module, PyObject *objective)
{
    (void)module; /* not every variant needs it */
    int together;
    /* [race] */
    Py_BEGIN_ALLOW_THREADS
    pthread_mutex_lock(&library); /* waits detached */
    Py_END_ALLOW_THREADS
    together = library_solve(objective);
    pthread_mutex_unlock(&library); /* never waits */
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
    .m_name = "lock_and_world_fixed_detach",
    .m_methods = methods,
    .m_slots = slots,
};

PyMODINIT_FUNC
PyInit_lock_and_world_fixed_detach(void)
{
    return PyModuleDef_Init(&definition);
}
