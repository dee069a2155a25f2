// Caught by race.
// Whether there is room enough is asked in a section of its own: meanwhile somebody makes the table bigger than this one will be.
// BEGIN 2
    int more;
    Py_BEGIN_CRITICAL_SECTION(self);
    more = size > self->size;
    Py_END_CRITICAL_SECTION();
    if (!more) {
        PyMem_Free(slots);
        Py_RETURN_NONE;
    }
    RACE_POINT();
    Py_BEGIN_CRITICAL_SECTION(self);
    for (Py_ssize_t i = 0; i < self->size; i++) {
        Slot *each = &self->slots[i];
        if (each->key != NULL) {
            RACE_POINT();
            *find(slots, size, each->key, each->hash) = *each;
        }
    }
    Slot *old = self->slots;
    self->slots = slots;
    self->size = size;
    slots = old;
    Py_END_CRITICAL_SECTION();
// END
