// Caught by single.
// A PyMutex is not given up; a __hash__ that makes room in the same table waits for its own thread.
// BEGIN 2
    static PyMutex moving;
    int failed = 0;
    PyMutex_Lock(&moving);
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
    PyMutex_Unlock(&moving);
    if (failed) {
        PyMem_Free(slots);
        return NULL;
    }
// END
