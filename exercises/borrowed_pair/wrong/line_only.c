// Caught by race.
// The line is strong, and the list that it is taken from is still borrowed.
// BEGIN 1
    PyObject *lines = PyDict_GetItemWithError(args[0], args[1]);
    if (lines == NULL) {
        return PyErr_Occurred() ? NULL : Py_NewRef(Py_None);
    }
    RACE_POINT();
    if (!PyList_Check(lines)) {
        return PyErr_Format(PyExc_TypeError, "the lines are a list, not %T", lines);
    }
    PyObject *line = PyList_GetItemRef(lines, 0);
    RACE_POINT();
    if (line == NULL && PyErr_ExceptionMatches(PyExc_IndexError)) {
        PyErr_Clear();
        line = Py_NewRef(Py_None);
    }
    return line;
// END
