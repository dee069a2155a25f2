// Caught by single.
// No hash, no callback: each key stays at its index. In a bigger table it belongs elsewhere.
// BEGIN 2
    Py_BEGIN_CRITICAL_SECTION(self);
    if (size > self->size) {
        for (Py_ssize_t i = 0; i < self->size; i++) {
            RACE_POINT();
            slots[i] = self->slots[i];
        }
        Slot *old = self->slots;
        self->slots = slots;
        self->size = size;
        slots = old;
    }
    Py_END_CRITICAL_SECTION();
// END
