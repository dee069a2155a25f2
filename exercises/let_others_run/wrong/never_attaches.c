// Caught by single.
// Detaches and never attaches again: the next line makes an object without a thread state.
// BEGIN 1
    uint64_t sum = 0;
    PyEval_SaveThread();
    for (Py_ssize_t i = 0; i < size; i++) {
        sum = (sum * 31 + bytes[i]) % 4294967291u;
    }
// END
