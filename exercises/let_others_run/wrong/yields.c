// Caught by single.
// Gives the core away, and the thread stays attached: the collector waits for the thread, not for a core.
// BEGIN 1
    uint64_t sum = 0;
    for (Py_ssize_t i = 0; i < size; i++) {
        sum = (sum * 31 + bytes[i]) % 4294967291u;
        if (i % 4096 == 0) {
            sched_yield();
        }
    }
// END
