// Caught by single.
// Detached, and with a lock that all callers share: who has a few bytes waits for who has many.
// BEGIN 1
    uint64_t sum = 0;
    static PyMutex mutex;
    PyMutex_Lock(&mutex);
    Py_BEGIN_ALLOW_THREADS
    for (Py_ssize_t i = 0; i < size; i++) {
        sum = (sum * 31 + bytes[i]) % 4294967291u;
    }
    Py_END_ALLOW_THREADS
    PyMutex_Unlock(&mutex);
// END
