// Caught by single.
// Who asks empties it: asked twice, it is gone; and who never asks leaves it to the next request.
// BEGIN 2
    if (number >= 0 && number < KNOWN) {
        Py_RETURN_TRUE;
    }
    snprintf(reason, sizeof(reason), "no order %ld", number);
    RACE_POINT();
    Py_RETURN_FALSE;
// END
// BEGIN 3
    if (reason[0] == '\0') {
        Py_RETURN_NONE;
    }
    PyObject *text = PyUnicode_FromString(reason);
    reason[0] = '\0';
    return text;
// END
