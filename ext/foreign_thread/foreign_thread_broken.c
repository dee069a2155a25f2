/* foreign_thread_broken.c: a thread that Python did not start calls Python. BROKEN ON PURPOSE.
 *
 * Lesson   notebooks/02_attached.md
 * Bug      the thread has no thread state: it never attached, and calls the C API all the same.
 * Needs    any build; one core is enough
 * Repair   foreign_thread_fixed.c; the two differ only in this header and in [race]
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
    PyObject *returned = PyObject_CallNoArgs(mine->callback);
    mine->failed = returned == NULL;
    Py_XDECREF(returned);
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
    .m_name = "foreign_thread_broken",
    .m_doc = "What a library does that calls back from a thread of its own.",
    .m_methods = methods,
    .m_slots = slots,
};

PyMODINIT_FUNC
PyInit_foreign_thread_broken(void)
{
    return PyModuleDef_Init(&definition);
}
