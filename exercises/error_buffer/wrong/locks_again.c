// Caught by race.
// Both functions are called under the lock, in two visits: another call comes between.
// BEGIN 1
    char text[sizeof(last_error)];
    PyMutex_Lock(&library);
    double seconds = snd_length(path);
    PyMutex_Unlock(&library);
    if (seconds < 0.0) {
        RACE_POINT();
        PyMutex_Lock(&library);
        snprintf(text, sizeof(text), "%s", snd_last_error());
        PyMutex_Unlock(&library);
        PyErr_SetString(PyExc_OSError, text);
        return NULL;
    }
    return PyFloat_FromDouble(seconds);
// END
