/* attached_broken.c: waits in C without leaving the runtime. BROKEN ON PURPOSE.
 *
 * Lesson   notebooks/02_attached.md
 * Bug      nap() stays attached while it waits, though it needs nothing from Python. Whoever must
 *          stop the world (the collector, fork, a profiler being switched on) waits for it.
 * Needs    any build; one core is enough
 * Repair   attached_fixed.c; the two differ only in this header and in [race]
 * Source   https://docs.python.org/3.13/howto/free-threading-extensions.html
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
    wait_ms(ms); /* attached all the while */
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
    .m_name = "attached_broken",
    .m_doc = "A wait in C, standing in for any long native work.",
    .m_methods = methods,
    .m_slots = slots,
};

PyMODINIT_FUNC
PyInit_attached_broken(void)
{
    return PyModuleDef_Init(&definition);
}
