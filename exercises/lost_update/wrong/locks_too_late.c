// Caught by race.
// The lock begins after the question: two threads can both have seen the last place.
// BEGIN 1
    PyMutex mutex;
    _Atomic long total;
    _Atomic long used;
    _Atomic long owner;
// END
// BEGIN 3
    if (self->used < self->limit) {
        RACE_POINT();
        PyMutex_Lock(&self->mutex);
        self->used++;
        PyMutex_Unlock(&self->mutex);
        taken = 1;
    }
// END
