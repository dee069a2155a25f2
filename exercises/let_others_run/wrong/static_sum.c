// Caught by single.
// Detached, and with one sum for all callers: who comes in the middle of it begins at 0 again.
// BEGIN 1
    static uint64_t sum;
    sum = 0;
    Py_BEGIN_ALLOW_THREADS
    for (Py_ssize_t i = 0; i < size; i++) {
        sum = (sum * 31 + bytes[i]) % 4294967291u;
    }
    Py_END_ALLOW_THREADS
// END
