// Caught by single.
// The text is a Python string now, and nobody gives it back: PyErr_SetObject takes a reference of its own.
// BEGIN 1
    PyObject *text = NULL;
    PyMutex_Lock(&library);
    double seconds = snd_length(path);
    if (seconds < 0.0) {
        RACE_POINT();
        text = PyUnicode_FromString(snd_last_error());
    }
    PyMutex_Unlock(&library);
    if (seconds < 0.0) {
        if (text != NULL) {
            PyErr_SetObject(PyExc_OSError, text);
        }
        return NULL;
    }
    return PyFloat_FromDouble(seconds);
// END
