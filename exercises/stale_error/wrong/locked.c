// Caught by race.
// A lock in each of the two calls: between them, another thread's find() comes all the same.
// BEGIN 1
static PyMutex mutex;
static char reason[48];
// END
// BEGIN 2
    int there = number >= 0 && number < KNOWN;
    PyMutex_Lock(&mutex);
    reason[0] = '\0';
    if (!there) {
        snprintf(reason, sizeof(reason), "no order %ld", number);
    }
    PyMutex_Unlock(&mutex);
    RACE_POINT();
    return PyBool_FromLong(there);
// END
// BEGIN 3
    char copy[sizeof(reason)];
    PyMutex_Lock(&mutex);
    memcpy(copy, reason, sizeof(copy));
    PyMutex_Unlock(&mutex);
    if (copy[0] == '\0') {
        Py_RETURN_NONE;
    }
    return PyUnicode_FromString(copy);
// END
