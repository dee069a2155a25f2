/* unsafe_library_broken.c: lock, then detach, with a lock that knows no Python. BROKEN ON PURPOSE.
 *
 * Lesson   notebooks/09_unsafe_library.md
 * Bug      Who waits for a pthread mutex here waits attached. A stop-the-world pause waits for
 *          it; the owner of the mutex cannot attach before the pause is over; so nobody goes on.
 * Needs    two threads that call work(), and one that stops the world meanwhile
 * Seen     notebooks/09_unsafe_library.md
 * Repair   unsafe_library_fixed.c; the two differ only in this header and in [race] regions
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
    pthread_mutex_lock(&library); /* waits attached */
    Py_BEGIN_ALLOW_THREADS
    together = library_work(seconds);
    Py_END_ALLOW_THREADS /* waits while the world is stopped */
    pthread_mutex_unlock(&library);
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
    .m_name = "unsafe_library_broken",
    .m_methods = methods,
    .m_slots = slots,
};

PyMODINIT_FUNC
PyInit_unsafe_library_broken(void)
{
    return PyModuleDef_Init(&definition);
}
