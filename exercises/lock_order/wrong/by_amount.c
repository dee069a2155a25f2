// Caught by race.
// The smaller amount first: that is no order where both are equal, and none where they change.
// BEGIN 2
    Account *first = from->amount <= to->amount ? from : to;
    Account *second = first == from ? to : from;
    PyMutex_Lock(&first->mutex);
    RACE_POINT();
    if (second != first) {
        PyMutex_Lock(&second->mutex);
    }
    rest = from->amount - entry->amount;
// END
