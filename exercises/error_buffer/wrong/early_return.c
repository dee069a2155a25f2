// Caught by single.
// The way out with an error keeps the lock: the next caller waits for ever.
// BEGIN 1
    PyMutex_Lock(&library);
    double seconds = snd_length(path);
    if (seconds < 0.0) {
        RACE_POINT();
        PyErr_SetString(PyExc_OSError, snd_last_error());
        return NULL;
    }
    PyMutex_Unlock(&library);
    return PyFloat_FromDouble(seconds);
// END
