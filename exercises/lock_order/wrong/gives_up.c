// Caught by race.
// It does not wait for the second account: it says that the transfer is not covered.
// BEGIN 2
    PyMutex_Lock(&from->mutex);
    rest = from->amount - entry->amount;
    RACE_POINT();
    if (from != to && to->mutex._bits != 0) {
        PyMutex_Unlock(&from->mutex);
        return 0;
    }
    if (from != to) {
        PyMutex_Lock(&to->mutex);
    }
// END
// BEGIN 3
    if (from != to) {
        PyMutex_Unlock(&to->mutex);
    }
    PyMutex_Unlock(&from->mutex);
// END
