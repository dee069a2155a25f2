/* unsafe_library_fixed.c: lock, then detach, with a lock that knows Python.
 *
 * Lesson   notebooks/09_unsafe_library.md
 * Repair   A PyMutex. Who has to wait for it is detached while it waits, so no pause waits for it.
 * Broken   unsafe_library_broken.c; the two differ only in this header and in [race] regions
 * Source   https://docs.python.org/3.13/c-api/init.html#c.PyMutex
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
static PyMutex library;
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
    PyMutex_Lock(&library); /* waits detached */
    Py_BEGIN_ALLOW_THREADS
    together = library_work(seconds);
    Py_END_ALLOW_THREADS
    PyMutex_Unlock(&library);
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
    .m_name = "unsafe_library_fixed",
    .m_methods = methods,
    .m_slots = slots,
};

PyMODINIT_FUNC
PyInit_unsafe_library_fixed(void)
{
    return PyModuleDef_Init(&definition);
}
