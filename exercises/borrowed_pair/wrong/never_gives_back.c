// Caught by single.
// Strong, and never given back: each call leaks a reference to the list.
// BEGIN 1
    PyObject *lines;
    int found = PyDict_GetItemRef(args[0], args[1], &lines);
    if (found <= 0) {
        return found < 0 ? NULL : Py_NewRef(Py_None);
    }
    RACE_POINT();
    if (!PyList_Check(lines)) {
        return PyErr_Format(PyExc_TypeError, "the lines are a list, not %T", lines);
    }
    PyObject *line = PyList_GetItemRef(lines, 0);
    if (line == NULL && PyErr_ExceptionMatches(PyExc_IndexError)) {
        PyErr_Clear();
        line = Py_NewRef(Py_None);
    }
    return line;
// END
