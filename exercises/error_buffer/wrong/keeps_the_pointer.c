// Caught by race.
// The pointer is fetched under the lock, and what it points to is read after it.
// BEGIN 1
    const char *text = NULL;
    PyMutex_Lock(&library);
    double seconds = snd_length(path);
    if (seconds < 0.0) {
        text = snd_last_error();
    }
    PyMutex_Unlock(&library);
    if (text != NULL) {
        RACE_POINT();
        PyErr_SetString(PyExc_OSError, text);
        return NULL;
    }
    return PyFloat_FromDouble(seconds);
// END
