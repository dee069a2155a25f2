// Caught by sanitizer.
// Gives the journal's lock back before it reads `newest`, which others write: the right result all the time, and a data race.
// BEGIN 5
    PyMutex_Unlock(&self->mutex);
    for (Entry *each = self->newest; each != NULL; each = each->next) {
        RACE_POINT();
        found += amount_of(each->from) < 0 || amount_of(each->to) < 0;
    }
// END
