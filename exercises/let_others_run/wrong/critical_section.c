// Caught by single.
// A critical section keeps others from the object; this thread is attached all the same.
// BEGIN 1
    uint64_t sum = 0;
    Py_BEGIN_CRITICAL_SECTION(data);
    for (Py_ssize_t i = 0; i < size; i++) {
        sum = (sum * 31 + bytes[i]) % 4294967291u;
    }
    Py_END_CRITICAL_SECTION();
// END
