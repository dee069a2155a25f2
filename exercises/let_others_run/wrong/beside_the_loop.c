// Caught by single.
// Detaches and attaches at once, and then computes attached.
// BEGIN 1
    uint64_t sum = 0;
    Py_BEGIN_ALLOW_THREADS
    Py_END_ALLOW_THREADS
    for (Py_ssize_t i = 0; i < size; i++) {
        sum = (sum * 31 + bytes[i]) % 4294967291u;
    }
// END
