/* per_thread_broken.c: a library's last error, one for everybody. BROKEN ON PURPOSE.
 *
 * Lesson   notebooks/07_per_thread.md
 * Bug      The reason of the last failure is kept in one static buffer. Between the call
 *          that fails and the call that asks why, another thread's call fails, too.
 * Needs    a free-threaded build, two attached threads, a failure in both
 * Seen     notebooks/recorded/per_thread.jsonl
 * Repair   per_thread_fixed.c, per_thread_fixed_tss.c; all differ only in this header and
 *          in [race] regions
 * Source   https://docs.python.org/3.13/howto/free-threading-extensions.html
 */
#include <Python.h>

#include <string.h>

#include "racelab/race_point.h"

#define START "no order "

enum { KNOWN = 1000, DIGITS = 16, SIZE = sizeof(START) + DIGITS };

/* [race:state] */
/* Why the last call failed: one for the whole process. */
static char reason[SIZE];
/* [race:state] */

/* Where the reason is kept; NULL if there is no memory for it. */
static char *
place(void)
{
    /* [race:place] */
    return reason;
    /* [race:place] */
}

/* A library in the C tradition: one call says no, another one says why. */
static int
lib_find(unsigned long long number)
{
    char *text;

    if (number < KNOWN) {
        return 1; /* and the last reason stays where it is, as errno does */
    }
    text = place();
    if (text != NULL) {
        memcpy(text, START, sizeof(START) - 1);
        for (int i = sizeof(START) - 2 + DIGITS; i >= (int)sizeof(START) - 1; i--) {
            text[i] = (char)('0' + number % 10);
            number /= 10;
        }
        text[SIZE - 1] = '\0';
    }
    return 0;
}

static const char *
lib_last_error(void)
{
    const char *text = place();
    return text != NULL ? text : "out of memory";
}

static int
number_from(PyObject *arg, unsigned long long *number)
{
    *number = PyLong_AsUnsignedLongLong(arg);
    return *number == (unsigned long long)-1 && PyErr_Occurred() ? -1 : 0;
}

static PyObject *
why_not(PyObject *Py_UNUSED(module), PyObject *arg)
{
    unsigned long long number;
    if (number_from(arg, &number) < 0) {
        return NULL;
    }
    /* [race] */
    if (!lib_find(number)) {
        RACE_POINT(); /* meanwhile another call may fail, too */
        return PyUnicode_FromString(lib_last_error());
    }
    /* [race] */
    Py_RETURN_NONE;
}

static PyObject *
find(PyObject *Py_UNUSED(module), PyObject *arg)
{
    unsigned long long number;
    if (number_from(arg, &number) < 0) {
        return NULL;
    }
    return PyBool_FromLong(lib_find(number));
}

static PyObject *
last_error(PyObject *Py_UNUSED(module), PyObject *Py_UNUSED(ignored))
{
    return PyUnicode_FromString(lib_last_error());
}

static PyMethodDef methods[] = {
    {"find", find, METH_O, PyDoc_STR("find(number): is there such an order?")},
    {"last_error", last_error, METH_NOARGS, PyDoc_STR("Why the last find() said no.")},
    {"why_not", why_not, METH_O, PyDoc_STR("why_not(number): both at once; None if it is there.")},
    {NULL, NULL, 0, NULL},
};

static int
exec_module(PyObject *Py_UNUSED(module))
{
    int failed = 0;
    /* [race:init] */
    /* nothing to prepare */
    /* [race:init] */
    if (failed) {
        PyErr_NoMemory();
        return -1;
    }
    return 0;
}

static PyModuleDef_Slot module_slots[] = {
    {Py_mod_exec, exec_module},
#ifdef Py_GIL_DISABLED
    {Py_mod_gil, Py_MOD_GIL_NOT_USED},
#endif
    {0, NULL},
};

static struct PyModuleDef module_def = {
    PyModuleDef_HEAD_INIT,
    .m_name = "per_thread_broken",
    .m_methods = methods,
    .m_slots = module_slots,
};

PyMODINIT_FUNC
PyInit_per_thread_broken(void)
{
    return PyModuleDef_Init(&module_def);
}
