/* foreign_thread_fixed.c: the thread attaches before it calls Python.
 *
 * Lesson   notebooks/02_attached.md
 * Repair   PyGILState_Ensure and PyGILState_Release. There is no GIL to get on a free-threaded build;
 *          the pair still gives the thread a thread state and attaches it.
 * Compare  foreign_thread_broken.c; the two differ only in this header and in [race]
 * Source   https://docs.python.org/3.13/c-api/init.html#non-python-created-threads
 */
#include <Python.h>

#include <pthread.h>

typedef struct {
    PyObject *callback; /* borrowed: call() below holds it until the thread has ended */
    int failed;
} job;

static void *
body(void *argument)
{
    job *mine = argument;
    /* [race] */
    PyGILState_STATE before = PyGILState_Ensure(); /* attach: makes a thread state if there is none */
    PyObject *returned = PyObject_CallNoArgs(mine->callback);
    mine->failed = returned == NULL;
    if (mine->failed) {
        PyErr_WriteUnraisable(mine->callback); /* nobody above us could catch it */
    }
    Py_XDECREF(returned);
    PyGILState_Release(before); /* detach, as it was */
    /* [race] */
    return NULL;
}

static PyObject *
call(PyObject *Py_UNUSED(module), PyObject *callback)
{
    job mine = {callback, 0};
    pthread_t thread;
    int started;
    Py_BEGIN_ALLOW_THREADS /* or the callback would wait for us while we wait for it */
    started = pthread_create(&thread, NULL, body, &mine) == 0;
    if (started) {
        pthread_join(thread, NULL);
    }
    Py_END_ALLOW_THREADS
    if (!started) {
        PyErr_SetString(PyExc_OSError, "the system would not start a thread");
        return NULL;
    }
    if (mine.failed) {
        PyErr_SetString(PyExc_RuntimeError, "the callback raised an exception in its thread");
        return NULL;
    }
    Py_RETURN_NONE;
}

static PyMethodDef methods[] = {
    {"call", call, METH_O, "call(callback): call it from a thread made by pthread_create"},
    {NULL, NULL, 0, NULL},
};

static PyModuleDef_Slot slots[] = {
    {Py_mod_gil, Py_MOD_GIL_NOT_USED},
    {0, NULL},
};

static struct PyModuleDef definition = {
    PyModuleDef_HEAD_INIT,
    .m_name = "foreign_thread_fixed",
    .m_doc = "What a library does that calls back from a thread of its own.",
    .m_methods = methods,
    .m_slots = slots,
};

PyMODINIT_FUNC
PyInit_foreign_thread_fixed(void)
{
    return PyModuleDef_Init(&definition);
}
