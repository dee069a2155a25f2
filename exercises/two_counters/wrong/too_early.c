// Caught by race.
// The lock is released between the two loads.
// BEGIN 4
    PyMutex_Lock(&self->mutex);
    long hits = self->hits;
    PyMutex_Unlock(&self->mutex);
    RACE_POINT();
    PyMutex_Lock(&self->mutex);
    long misses = self->misses;
    PyMutex_Unlock(&self->mutex);
// END
