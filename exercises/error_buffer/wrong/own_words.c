// Caught by single.
// No shared text, and none of the library's: nobody learns what went wrong with which file.
// BEGIN 1
    PyMutex_Lock(&library);
    double seconds = snd_length(path);
    PyMutex_Unlock(&library);
    if (seconds < 0.0) {
        RACE_POINT();
        PyErr_SetString(PyExc_OSError, "the library failed");
        return NULL;
    }
    return PyFloat_FromDouble(seconds);
// END
