// Caught by race.
// Both are strong, but the size is asked for first: the list may be empty when the item is.
// BEGIN 1
    PyObject *lines;
    int found = PyDict_GetItemRef(args[0], args[1], &lines);
    if (found <= 0) {
        return found < 0 ? NULL : Py_NewRef(Py_None);
    }
    if (!PyList_Check(lines)) {
        PyErr_Format(PyExc_TypeError, "the lines are a list, not %T", lines);
        Py_DECREF(lines);
        return NULL;
    }
    if (PyList_Size(lines) < 1) {
        Py_DECREF(lines);
        Py_RETURN_NONE;
    }
    RACE_POINT();
    PyObject *line = PyList_GetItemRef(lines, 0);
    Py_DECREF(lines);
    return line;
// END
