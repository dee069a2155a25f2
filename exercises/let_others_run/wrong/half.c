// Caught by single.
// Attaches again when half of the work is done: whoever comes then waits for the other half.
// BEGIN 1
    uint64_t sum = 0;
    Py_ssize_t i = 0;
    Py_BEGIN_ALLOW_THREADS
    for (; i < size / 2; i++) {
        sum = (sum * 31 + bytes[i]) % 4294967291u;
    }
    Py_END_ALLOW_THREADS
    for (; i < size; i++) {
        sum = (sum * 31 + bytes[i]) % 4294967291u;
    }
// END
