// Caught by single.
// One order for all, and who pays himself takes one lock twice.
// BEGIN 2
    Account *first = (uintptr_t)from < (uintptr_t)to ? from : to;
    Account *second = first == from ? to : from;
    PyMutex_Lock(&first->mutex);
    RACE_POINT();
    PyMutex_Lock(&second->mutex);
    rest = from->amount - entry->amount;
// END
// BEGIN 3
    PyMutex_Unlock(&second->mutex);
    PyMutex_Unlock(&first->mutex);
// END
