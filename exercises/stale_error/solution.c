/* stale_error.c: looks up orders. One call says no, another one says why.
 *
 * Goal   last_error() speaks of the last find() of the thread that asks: None if the order was
 *        there, else the reason, with the number of that very order.
 * Check  racelab check stale_error        Stuck?  racelab hint stale_error
 */
#include <Python.h>

#include <stdio.h>

#include "racelab/race_point.h"

enum { KNOWN = 1000 }; /* orders 0 to 999 are there */

// BEGIN STARTER
// static _Thread_local char reason[48]; /* why the last find() of this thread said no */
// BEGIN SOLUTION
static _Thread_local char reason[48]; /* why the last find() of this thread said no */
// END

/* find(number) -> whether there is such an order. */
static PyObject *
find(PyObject *Py_UNUSED(module), PyObject *arg)
{
    long number = PyLong_AsLong(arg);
    if (number == -1 && PyErr_Occurred()) {
        return NULL;
    }
    // BEGIN STARTER
    // if (number >= 0 && number < KNOWN) {
    //     Py_RETURN_TRUE;
    // }
    // snprintf(reason, sizeof(reason), "no order %ld", number);
    // RACE_POINT();
    // Py_RETURN_FALSE;
    // BEGIN SOLUTION
    if (number >= 0 && number < KNOWN) {
        reason[0] = '\0'; /* nothing to say of this call, and the last one is over */
        Py_RETURN_TRUE;
    }
    snprintf(reason, sizeof(reason), "no order %ld", number);
    RACE_POINT();
    Py_RETURN_FALSE;
    // END
}

/* last_error() -> the reason, or None. Asking changes nothing. */
static PyObject *
last_error(PyObject *Py_UNUSED(module), PyObject *Py_UNUSED(ignored))
{
    // BEGIN STARTER
    // if (reason[0] == '\0') {
    //     Py_RETURN_NONE;
    // }
    // return PyUnicode_FromString(reason);
    // BEGIN SOLUTION
    if (reason[0] == '\0') {
        Py_RETURN_NONE;
    }
    return PyUnicode_FromString(reason);
    // END
}

static PyMethodDef module_methods[] = {
    {"find", find, METH_O, PyDoc_STR("Is there such an order?")},
    {"last_error", last_error, METH_NOARGS, PyDoc_STR("Why find() said no, or None.")},
    {NULL, NULL, 0, NULL},
};

static PyModuleDef_Slot module_slots[] = {
#ifdef Py_GIL_DISABLED
    {Py_mod_gil, Py_MOD_GIL_NOT_USED},
#endif
    {0, NULL},
};

static struct PyModuleDef module_def = {
    PyModuleDef_HEAD_INIT,
    .m_name = "stale_error",
    .m_methods = module_methods,
    .m_slots = module_slots,
};

PyMODINIT_FUNC
PyInit_stale_error(void)
{
    return PyModuleDef_Init(&module_def);
}
