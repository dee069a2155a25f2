// Caught by sanitizer.
// Looks for an owner before it takes the lock, and owner is a plain number now: right each time it ran, and a data race.
// BEGIN 1
    PyMutex mutex; /* guards owner */
    _Atomic long total;
    _Atomic long used;
    long owner;
// END
// BEGIN 4
    long owner = self->owner;
    if (owner == 0) {
        RACE_POINT();
        PyMutex_Lock(&self->mutex);
        if (self->owner == 0) {
            self->owner = who;
        }
        owner = self->owner;
        PyMutex_Unlock(&self->mutex);
    }
// END
