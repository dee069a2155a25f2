/* attached_fixed.c: detaches while it waits.
 *
 * Lesson   notebooks/02_attached.md
 * Repair   Py_BEGIN_ALLOW_THREADS around work that touches no Python object. The name is from the
 *          days of the GIL; on a free-threaded build the pair detaches and attaches.
 * Compare  attached_broken.c; the two differ only in this header and in [race]
 * Source   https://docs.python.org/3.13/c-api/init.html#releasing-the-gil-from-extension-code
 */
#include <Python.h>

#include <errno.h>
#include <time.h>

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

static PyObject *
nap(PyObject *Py_UNUSED(module), PyObject *argument)
{
    long ms = PyLong_AsLong(argument);
    if (ms == -1 && PyErr_Occurred()) {
        return NULL;
    }
    if (ms < 0) {
        PyErr_Format(PyExc_ValueError, "nap(%ld): milliseconds cannot be negative", ms);
        return NULL;
    }
    long long start = now_ns();
    /* [race] */
    Py_BEGIN_ALLOW_THREADS /* detach */
    wait_ms(ms);
    Py_END_ALLOW_THREADS /* attach again */
    /* [race] */
    return Py_BuildValue("LL", start, now_ns());
}

static PyMethodDef methods[] = {
    {"nap", nap, METH_O, "nap(ms) -> (start_ns, end_ns), on the clock of time.monotonic_ns()"},
    {NULL, NULL, 0, NULL},
};

static PyModuleDef_Slot slots[] = {
    {Py_mod_gil, Py_MOD_GIL_NOT_USED},
    {0, NULL},
};

static struct PyModuleDef definition = {
    PyModuleDef_HEAD_INIT,
    .m_name = "attached_fixed",
    .m_doc = "A wait in C, standing in for any long native work.",
    .m_methods = methods,
    .m_slots = slots,
};

PyMODINIT_FUNC
PyInit_attached_fixed(void)
{
    return PyModuleDef_Init(&definition);
}
