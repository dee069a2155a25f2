// Caught by single.
// reset() never unlocks: the next caller waits for ever.
// BEGIN 5
    PyMutex_Lock(&self->mutex);
    self->hits = 0;
    RACE_POINT();
    self->misses = 0;
// END
