/* borrowed_pair.c: the first of the lines that a book has under a key.
 *
 * Goal   first_line() may be called while other threads change the dict and its lists: it returns
 *        a line that was there, or None. All else is as before: what it raises, and what it keeps.
 * Check  racelab check borrowed_pair        Stuck?  racelab hint borrowed_pair
 */
#include <Python.h>

#include "racelab/race_point.h"

/* first_line(book, key): the first of the lines under a key; None if there is none. */
static PyObject *
first_line(PyObject *Py_UNUSED(module), PyObject *const *args, Py_ssize_t n)
{
    if (n != 2) {
        return PyErr_Format(PyExc_TypeError, "first_line(book, key)");
    }
    // BEGIN STARTER
    // PyObject *lines = PyDict_GetItemWithError(args[0], args[1]);
    // if (lines == NULL) {
    //     return PyErr_Occurred() ? NULL : Py_NewRef(Py_None);
    // }
    // RACE_POINT();
    // if (!PyList_Check(lines)) {
    //     return PyErr_Format(PyExc_TypeError, "the lines are a list, not %T", lines);
    // }
    // if (PyList_Size(lines) < 1) {
    //     return Py_NewRef(Py_None);
    // }
    // RACE_POINT();
    // PyObject *line = PyList_GetItem(lines, 0);
    // RACE_POINT();
    // return Py_XNewRef(line);
    // BEGIN SOLUTION
    PyObject *lines; /* strong from here on: every way out gives it back */
    int found = PyDict_GetItemRef(args[0], args[1], &lines);
    if (found <= 0) {
        return found < 0 ? NULL : Py_NewRef(Py_None);
    }
    RACE_POINT();
    if (!PyList_Check(lines)) {
        PyErr_Format(PyExc_TypeError, "the lines are a list, not %T", lines);
        Py_DECREF(lines);
        return NULL;
    }
    PyObject *line = PyList_GetItemRef(lines, 0); /* is there one, and which: one question */
    RACE_POINT();
    Py_DECREF(lines);
    if (line == NULL && PyErr_ExceptionMatches(PyExc_IndexError)) {
        PyErr_Clear();
        line = Py_NewRef(Py_None);
    }
    return line;
    // END
}

static PyMethodDef methods[] = {
    {"first_line", _PyCFunction_CAST(first_line), METH_FASTCALL,
     PyDoc_STR("first_line(book, key): the first line under a key, or None.")},
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
    .m_name = "borrowed_pair",
    .m_methods = methods,
    .m_slots = slots,
};

PyMODINIT_FUNC
PyInit_borrowed_pair(void)
{
    return PyModuleDef_Init(&definition);
}
