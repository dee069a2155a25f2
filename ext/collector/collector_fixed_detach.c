/* collector_fixed_detach.c: detaches, then waits for a native mutex.
 *
 * Lesson   notebooks/12_critical_section.md
 * Repair   Detach before you wait; here the wait is for a lock. It costs a detaching each time, also
 *          where nobody has the lock.
 * Broken   collector_broken.c; the two differ only in this header and in [race] regions
 * Source   https://docs.python.org/3.13/howto/free-threading-extensions.html
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
    Py_BEGIN_ALLOW_THREADS
    LOCK(); /* waits detached */
    UNLOCK();
    Py_END_ALLOW_THREADS
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
    .m_name = "collector_fixed_detach",
    .m_methods = methods,
    .m_slots = slots,
};

PyMODINIT_FUNC
PyInit_collector_fixed_detach(void)
{
    return PyModuleDef_Init(&definition);
}
