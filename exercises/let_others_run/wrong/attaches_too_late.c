// Caught by single.
// The result is an object, too, and it is made while the thread is detached.
// BEGIN 1
    uint64_t sum = 0;
    PyObject *result;
    Py_BEGIN_ALLOW_THREADS
    for (Py_ssize_t i = 0; i < size; i++) {
        sum = (sum * 31 + bytes[i]) % 4294967291u;
    }
    result = PyLong_FromUnsignedLongLong(sum);
    Py_END_ALLOW_THREADS
    if (result != NULL) {
        return result;
    }
// END
