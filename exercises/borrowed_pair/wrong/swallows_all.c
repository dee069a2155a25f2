// Caught by single.
// Every error becomes None, also that of a value that is no list.
// BEGIN 1
    PyObject *lines, *line = NULL;
    if (PyDict_GetItemRef(args[0], args[1], &lines) > 0) {
        RACE_POINT();
        line = PyList_GetItemRef(lines, 0);
        Py_DECREF(lines);
    }
    if (line == NULL) {
        PyErr_Clear();
        line = Py_NewRef(Py_None);
    }
    return line;
// END
