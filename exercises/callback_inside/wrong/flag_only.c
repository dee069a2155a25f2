// Caught by race.
// The way out is mended, and a __hash__ still lets others into the section.
// BEGIN 2
    int failed = 0;
    Py_BEGIN_CRITICAL_SECTION(self);
    if (size > self->size) {
        for (Py_ssize_t i = 0; i < self->size; i++) {
            if (self->slots[i].key != NULL) {
                Py_hash_t hash = PyObject_Hash(self->slots[i].key);
                if (hash == -1) {
                    failed = 1;
                    break;
                }
                RACE_POINT();
                *find(slots, size, self->slots[i].key, hash) = self->slots[i];
            }
        }
        if (!failed) {
            Slot *old = self->slots;
            self->slots = slots;
            self->size = size;
            slots = old;
        }
    }
    Py_END_CRITICAL_SECTION();
    if (failed) {
        PyMem_Free(slots);
        return NULL;
    }
// END
