// Caught by single.
// checksum() takes the guard, and get_table() takes it again: the thread waits for itself.
// BEGIN 2
    PyMutex_Lock(&guard);
    if (table == NULL) {
        table = make_table();
    }
    const uint32_t *found = table;
    PyMutex_Unlock(&guard);
    return found;
// END
