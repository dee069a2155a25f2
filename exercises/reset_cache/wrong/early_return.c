// Caught by single.
// reset() of an empty cache returns with the lock held: the next caller waits for ever.
// BEGIN 4
    PyMutex_Lock(&guard);
    if (table == NULL) {
        Py_RETURN_NONE;
    }
    PyMem_Free(table);
    table = NULL;
    PyMutex_Unlock(&guard);
// END
