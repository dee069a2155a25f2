// Caught by race.
// The reader holds a lock as long as it reads, but it is not the lock that reset() takes.
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
    static PyMutex reading;
    uint32_t sum = 0;
    PyMutex_Lock(&reading);
    const uint32_t *by = get_table();
    if (by != NULL) {
        RACE_POINT();
        sum = sum_up(by, bytes, size);
    }
    PyMutex_Unlock(&reading);
    return by == NULL ? PyErr_NoMemory() : PyLong_FromUnsignedLong(sum);
// END
