// Caught by single.
// Nobody reads freed memory, because none is ever freed: each reset() loses a table.
// BEGIN 2
    PyMutex_Lock(&guard);
    if (table == NULL) {
        table = make_table();
    }
    const uint32_t *found = table;
    PyMutex_Unlock(&guard);
    return found;
// END
// BEGIN 3
    const uint32_t *by = get_table();
    if (by == NULL) {
        return PyErr_NoMemory();
    }
    RACE_POINT();
    uint32_t sum = sum_up(by, bytes, size);
    return PyLong_FromUnsignedLong(sum);
// END
// BEGIN 4
    PyMutex_Lock(&guard);
    table = NULL;
    PyMutex_Unlock(&guard);
// END
