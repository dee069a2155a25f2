// Caught by race.
// The accounts have one order; audit() still holds the journal and waits for an account.
// BEGIN 5
    for (Entry *each = self->newest; each != NULL; each = each->next) {
        RACE_POINT();
        found += amount_of(each->from) < 0 || amount_of(each->to) < 0;
    }
    PyMutex_Unlock(&self->mutex);
// END
