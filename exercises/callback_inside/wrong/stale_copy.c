// Caught by race.
// The keys are copied, hashed outside of the section, and put in place: without those that were added meanwhile.
// BEGIN 2
    Py_ssize_t count = 0;
    Slot *copy = NULL;
    Py_BEGIN_CRITICAL_SECTION(self);
    copy = PyMem_Calloc((size_t)self->size, sizeof(Slot));
    for (Py_ssize_t i = 0; copy != NULL && size > self->size && i < self->size; i++) {
        if (self->slots[i].key != NULL) {
            copy[count++] = self->slots[i];
        }
    }
    Py_END_CRITICAL_SECTION();
    if (copy == NULL) {
        PyMem_Free(slots);
        return PyErr_NoMemory();
    }
    for (Py_ssize_t i = 0; i < count; i++) {
        Py_hash_t hash = PyObject_Hash(copy[i].key);
        if (hash == -1) {
            PyMem_Free(copy);
            PyMem_Free(slots);
            return NULL;
        }
        *find(slots, size, copy[i].key, hash) = copy[i];
    }
    PyMem_Free(copy);
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
