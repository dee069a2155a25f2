/* collector_fixed.c: waits for a PyMutex.
 *
 * Lesson   notebooks/12_critical_section.md
 * Repair   Who has to wait for a PyMutex detaches while it waits. Nobody waits for it.
 * Broken   collector_broken.c; the two differ only in this header and in [race] regions
 * Source   https://docs.python.org/3.13/c-api/init.html#c.PyMutex
 */
#include <Python.h>

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <time.h>

/* [race:state] */
static PyMutex mutex; /* static memory is zero: unlocked */
#define LOCK() PyMutex_Lock(&mutex)
#define UNLOCK() PyMutex_Unlock(&mutex)
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
    LOCK(); /* if it has to wait, detached */
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
    .m_name = "collector_fixed",
    .m_methods = methods,
    .m_slots = slots,
};

PyMODINIT_FUNC
PyInit_collector_fixed(void)
{
    return PyModuleDef_Init(&definition);
}
