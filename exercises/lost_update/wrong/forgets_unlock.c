// Caught by single.
// Returns with the lock held when there is no place left: the next caller waits for ever.
// BEGIN 1
    PyMutex mutex;
    _Atomic long total;
    _Atomic long used;
    _Atomic long owner;
// END
// BEGIN 3
    PyMutex_Lock(&self->mutex);
    if (self->used >= self->limit) {
        Py_RETURN_FALSE;
    }
    self->used++;
    taken = 1;
    PyMutex_Unlock(&self->mutex);
// END
