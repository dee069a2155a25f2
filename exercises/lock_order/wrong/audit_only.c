// Caught by race.
// The audit is out of the circle; the two accounts are still locked in the order of the arguments.
// BEGIN 2
    PyMutex_Lock(&from->mutex);
    rest = from->amount - entry->amount;
    RACE_POINT();
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
