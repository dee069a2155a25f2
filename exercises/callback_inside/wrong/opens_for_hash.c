// Caught by race.
// The section is left for each hash and entered again, and nobody looks what has changed meanwhile.
// BEGIN 2
    for (Py_ssize_t i = 0;; i++) {
        PyObject *key = NULL;
        int over;
        Py_BEGIN_CRITICAL_SECTION(self);
        over = i >= self->size || size <= self->size;
        key = over ? NULL : Py_XNewRef(self->slots[i].key);
        Py_END_CRITICAL_SECTION();
        if (over) {
            break;
        }
        if (key != NULL) {
            Py_hash_t hash = PyObject_Hash(key);
            if (hash != -1) {
                find(slots, size, key, hash)->key = key;
            }
            Py_DECREF(key);
            if (hash == -1) {
                PyMem_Free(slots);
                return NULL;
            }
        }
    }
    RACE_POINT();
    Py_BEGIN_CRITICAL_SECTION(self);
    if (size > self->size) {
        Slot *old = self->slots;
        self->slots = slots;
        self->size = size;
        slots = old;
    }
    Py_END_CRITICAL_SECTION();
// END
