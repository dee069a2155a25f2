// Caught by cost.
// A table for each call: nothing is shared, and nothing is kept.
// BEGIN 3
    uint32_t *by = make_table();
    if (by == NULL) {
        return PyErr_NoMemory();
    }
    RACE_POINT();
    uint32_t sum = sum_up(by, bytes, size);
    PyMem_Free(by);
    return PyLong_FromUnsignedLong(sum);
// END
