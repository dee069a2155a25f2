// Caught by single.
// Detaches and attaches at once, every now and then: who stops the world looks once in a while, and seldom in that instant.
// BEGIN 1
    uint64_t sum = 0;
    for (Py_ssize_t i = 0; i < size; i++) {
        sum = (sum * 31 + bytes[i]) % 4294967291u;
        if (i % 65536 == 0) {
            Py_BEGIN_ALLOW_THREADS
            Py_END_ALLOW_THREADS
        }
    }
// END
