/* collector_broken.c: waits for a native mutex without leaving the runtime. BROKEN ON PURPOSE.
 *
 * Lesson   notebooks/12_critical_section.md
 * Bug      take() waits for its turn attached. Whoever must stop the world (the collector, fork,
 *          a profiler being switched on) waits with it, until somebody else gives the mutex back.
 * Needs    any build; one core is enough
 * Seen     notebooks/recorded/collector.jsonl
 * Repair   collector_fixed.c: a PyMutex. collector_fixed_detach.c: wait detached.
 *          Each differs from this file only in the header and in [race] regions
 * Source   https://docs.python.org/3.13/c-api/init.html#c.PyMutex
 */
#include <Python.h>

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <time.h>

/* [race:state] */
static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
#define LOCK() pthread_mutex_lock(&mutex)
#define UNLOCK() pthread_mutex_unlock(&mutex)
/* [race:state] */

static _Atomic int held; /* by hold() */

static long long
now_ns(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t); /* the clock behind time.monotonic_ns() on Linux */
    return t.tv_sec * 1000000000LL + t.tv_nsec;
}

static void
wait_ms(long ms)
{
    struct timespec left = {ms / 1000, ms % 1000 * 1000000L};
    while (nanosleep(&left, &left) == -1 && errno == EINTR) {
    }
}

/* A long call of a library that has one lock. Detached all the while, lock included. */
static PyObject *
hold(PyObject *Py_UNUSED(module), PyObject *argument)
{
    long ms = PyLong_AsLong(argument);
    if (ms == -1 && PyErr_Occurred()) {
        return NULL;
    }
    if (ms < 0) {
        return PyErr_Format(PyExc_ValueError, "hold(%ld): milliseconds cannot be negative", ms);
    }
    long long start, end;
    Py_BEGIN_ALLOW_THREADS
    LOCK();
    start = now_ns();
    atomic_store(&held, 1);
    wait_ms(ms);
    end = now_ns();
    atomic_store(&held, 0);
    UNLOCK();
    Py_END_ALLOW_THREADS
    return Py_BuildValue("LL", start, end);
}

/* A short call of the same library. */
static PyObject *
take(PyObject *Py_UNUSED(module), PyObject *Py_UNUSED(ignored))
{
    long long start = now_ns();
    /* [race] */
    LOCK(); /* waits attached */
    UNLOCK();
    /* [race] */
    return Py_BuildValue("LL", start, now_ns());
}

static PyObject *
is_held(PyObject *Py_UNUSED(module), PyObject *Py_UNUSED(ignored))
{
    return PyBool_FromLong(atomic_load(&held));
}

static PyMethodDef methods[] = {
    {"hold", hold, METH_O, PyDoc_STR("hold(ms) -> (start_ns, end_ns), as time.monotonic_ns()")},
    {"take", take, METH_NOARGS, PyDoc_STR("take() -> (start_ns, end_ns): lock and unlock")},
    {"is_held", is_held, METH_NOARGS, PyDoc_STR("Whether hold() has the lock.")},
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
    .m_name = "collector_broken",
    .m_methods = methods,
    .m_slots = slots,
};

PyMODINIT_FUNC
PyInit_collector_broken(void)
{
    return PyModuleDef_Init(&definition);
}
