/* declare_it.c: hands out numbers for log lines, in blocks.
 *
 * Goal   Importing the module leaves the GIL off, and reserve() never hands out a number
 *        twice, whoever calls it.
 * Check  racelab check declare_it        Stuck?  racelab hint declare_it
 */
#include <Python.h>

#include <stdatomic.h>

#include "racelab/race_point.h"

/* The first number that is still free. */
// BEGIN STARTER
// static long next_number = 1;
// BEGIN SOLUTION
static _Atomic long next_number = 1;
// END

/* reserve(n) -> the first of n numbers that are the caller's alone. */
static PyObject *
reserve(PyObject *Py_UNUSED(module), PyObject *arg)
{
    long n = PyLong_AsLong(arg);
    if (n == -1 && PyErr_Occurred()) {
        return NULL;
    }
    if (n < 1) {
        return PyErr_Format(PyExc_ValueError, "reserve(%ld): ask for one or more", n);
    }
    // BEGIN STARTER
    // long first = next_number;
    // RACE_POINT();
    // next_number = first + n;
    // BEGIN SOLUTION
    long first = atomic_fetch_add(&next_number, n); /* one step: what was there, and add n */
    RACE_POINT();
    // END
    return PyLong_FromLong(first);
}

static PyMethodDef module_methods[] = {
    {"reserve", reserve, METH_O, PyDoc_STR("The first of n numbers that are yours alone.")},
    {NULL, NULL, 0, NULL},
};

static PyModuleDef_Slot module_slots[] = {
    // BEGIN STARTER
    // /* nothing is said about the GIL here */
    // BEGIN SOLUTION
#ifdef Py_GIL_DISABLED
    {Py_mod_gil, Py_MOD_GIL_NOT_USED}, /* true, now that next_number is atomic */
#endif
    // END
    {0, NULL},
};

static struct PyModuleDef module_def = {
    PyModuleDef_HEAD_INIT,
    .m_name = "declare_it",
    .m_methods = module_methods,
    .m_slots = module_slots,
};

PyMODINIT_FUNC
PyInit_declare_it(void)
{
    return PyModuleDef_Init(&module_def);
}
