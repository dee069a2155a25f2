/* unsafe_library_fixed_order.c: detach, then lock, with a lock that knows no Python.
 *
 * Lesson   notebooks/09_unsafe_library.md
 * Repair   The lock lies within the detached part: taken after detaching, released before
 *          attaching. Nobody waits for it attached, and its owner waits for nothing of Python's.
 * Broken   unsafe_library_broken.c; the two differ only in this header and in [race] regions
 * Source   https://docs.python.org/3.13/howto/free-threading-extensions.html
 */
#include <Python.h>

#include <pthread.h>
#include <stdatomic.h>
#include <time.h>

/* The library: long work, of which there may be only one at a time. Returns how many threads
   were at it when this one began; atomic, so that at least this number is right. */
static int
library_work(double seconds)
{
    static _Atomic int inside;
    struct timespec pause = {(time_t)seconds, (long)((seconds - (double)(time_t)seconds) * 1e9)};
    int together = atomic_fetch_add(&inside, 1) + 1;
    nanosleep(&pause, NULL);
    atomic_fetch_sub(&inside, 1);
    return together;
}

/* [race:state] */
static pthread_mutex_t library = PTHREAD_MUTEX_INITIALIZER;
/* [race:state] */

static PyObject *
work(PyObject *module, PyObject *argument)
{
    (void)module; /* not every variant needs it */
    double seconds = PyFloat_AsDouble(argument);
    if (seconds == -1.0 && PyErr_Occurred()) {
        return NULL;
    }
    if (!(seconds >= 0.0 && seconds < 60.0)) {
        PyErr_Format(PyExc_ValueError, "work(%R): seconds are from 0 to 60", argument);
        return NULL;
    }
    int together;
    /* [race] */
    Py_BEGIN_ALLOW_THREADS
    pthread_mutex_lock(&library);
    together = library_work(seconds);
    pthread_mutex_unlock(&library);
    Py_END_ALLOW_THREADS
    /* [race] */
    return PyLong_FromLong(together);
}

static PyMethodDef methods[] = {
    {"work", work, METH_O, PyDoc_STR("work(seconds): long work; how many threads were at it.")},
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
    .m_name = "unsafe_library_fixed_order",
    .m_methods = methods,
    .m_slots = slots,
};

PyMODINIT_FUNC
PyInit_unsafe_library_fixed_order(void)
{
    return PyModuleDef_Init(&definition);
}
