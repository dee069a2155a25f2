// Caught by race.
// The list is strong, and the line is still borrowed: the list may drop it before it is owned.
// BEGIN 1
    PyObject *lines;
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
    PyObject *line = PyList_GetItem(lines, 0);
    RACE_POINT();
    Py_XINCREF(line);
    Py_DECREF(lines);
    if (line == NULL && PyErr_ExceptionMatches(PyExc_IndexError)) {
        PyErr_Clear();
        line = Py_NewRef(Py_None);
    }
    return line;
// END
