// Caught by race.
// The lock is in checksum() now, and it is given back before the table is used.
// BEGIN 3
    PyMutex_Lock(&guard);
    const uint32_t *by = get_table();
    PyMutex_Unlock(&guard);
    if (by == NULL) {
        return PyErr_NoMemory();
    }
    RACE_POINT();
    uint32_t sum = sum_up(by, bytes, size);
    return PyLong_FromUnsignedLong(sum);
// END
