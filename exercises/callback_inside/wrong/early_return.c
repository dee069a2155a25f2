// Caught by single.
// It calls nothing in the section, and returns from it where there is room enough: nobody gets in any more.
// BEGIN 2
    Py_BEGIN_CRITICAL_SECTION(self);
    if (size <= self->size) {
        PyMem_Free(slots);
        Py_RETURN_NONE;
    }
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
