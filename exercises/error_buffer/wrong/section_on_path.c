// Caught by race.
// A critical section on the path: two paths are two locks, and there is one library.
// BEGIN 1
    double seconds;
    char text[sizeof(last_error)] = "";
    (void)library;
    Py_BEGIN_CRITICAL_SECTION(argument);
    seconds = snd_length(path);
    if (seconds < 0.0) {
        RACE_POINT();
        snprintf(text, sizeof(text), "%s", snd_last_error());
    }
    Py_END_CRITICAL_SECTION();
    if (seconds < 0.0) {
        PyErr_SetString(PyExc_OSError, text);
        return NULL;
    }
    return PyFloat_FromDouble(seconds);
// END
