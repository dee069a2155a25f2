// Caught by race.
// Only the account that pays is locked: nobody waits in a circle, and `to` is changed by anybody.
// BEGIN 2
    PyMutex_Lock(&from->mutex);
    rest = from->amount - entry->amount;
    RACE_POINT();
// END
// BEGIN 3
    PyMutex_Unlock(&from->mutex);
// END
