// Caught by race.
// A critical section on the dict: who changes the list takes the list's lock, not the dict's.
// BEGIN 1
    PyObject *line = NULL;
    Py_BEGIN_CRITICAL_SECTION(args[0]);
    PyObject *lines = PyDict_GetItemWithError(args[0], args[1]);
    RACE_POINT();
    if (lines == NULL) {
        line = PyErr_Occurred() ? NULL : Py_NewRef(Py_None);
    }
    else if (!PyList_Check(lines)) {
        PyErr_Format(PyExc_TypeError, "the lines are a list, not %T", lines);
    }
    else if (PyList_Size(lines) < 1) {
        line = Py_NewRef(Py_None);
    }
    else {
        RACE_POINT();
        line = PyList_GetItem(lines, 0);
        RACE_POINT();
        Py_XINCREF(line);
    }
    Py_END_CRITICAL_SECTION();
    return line;
// END
