// Caught by single.
// A copy with strong references, and another try where keys came meanwhile; who returns because of a __hash__ never gives them back.
// BEGIN 2
    for (;;) {
        Py_ssize_t before = 0, count = 0;
        int enough = 0, done = 0;
        PyObject **copy = NULL;
        Py_BEGIN_CRITICAL_SECTION(self);
        before = self->used;
        enough = size <= self->size;
        copy = PyMem_Calloc((size_t)self->size, sizeof(PyObject *));
        for (Py_ssize_t i = 0; !enough && copy != NULL && i < self->size; i++) {
            if (self->slots[i].key != NULL) {
                copy[count++] = Py_NewRef(self->slots[i].key);
            }
        }
        Py_END_CRITICAL_SECTION();
        if (copy == NULL || enough) {
            PyMem_Free(copy);
            break;
        }
        for (Py_ssize_t i = 0; i < count; i++) {
            Py_hash_t hash = PyObject_Hash(copy[i]);
            if (hash == -1) {
                PyMem_Free(copy);
                PyMem_Free(slots);
                return NULL;
            }
            find(slots, size, copy[i], hash)->key = copy[i];
        }
        RACE_POINT();
        Slot *old = slots;
        Py_BEGIN_CRITICAL_SECTION(self);
        done = before == self->used && size > self->size;
        if (done) {
            old = self->slots;
            self->slots = slots;
            self->size = size;
        }
        Py_END_CRITICAL_SECTION();
        for (Py_ssize_t i = 0; i < count; i++) {
            Py_DECREF(copy[i]);
        }
        PyMem_Free(copy);
        if (done) {
            slots = old;
            break;
        }
        for (Py_ssize_t i = 0; i < size; i++) {
            slots[i].key = NULL;
        }
    }
// END
