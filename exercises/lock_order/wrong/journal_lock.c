// Caught by race.
// One lock for all that a journal is told of: two journals have two locks, and may know the same accounts.
// BEGIN 1
    entry->next = self->newest;
    RACE_POINT();
    self->newest = entry;
// END
// BEGIN 2
    PyMutex_Lock(&self->mutex);
    rest = from->amount - entry->amount;
    RACE_POINT();
// END
// BEGIN 3
    PyMutex_Unlock(&self->mutex);
// END
// BEGIN 4
    long amount = account->amount;
// END
// BEGIN 5
    for (Entry *each = self->newest; each != NULL; each = each->next) {
        RACE_POINT();
        found += amount_of(each->from) < 0 || amount_of(each->to) < 0;
    }
    PyMutex_Unlock(&self->mutex);
// END
