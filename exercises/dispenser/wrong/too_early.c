// Caught by race.
// The lock covers the size and the item, and not the deletion.
// BEGIN 2
    PyObject *job = NULL;
    PyMutex_Lock(&self->mutex);
    if (PyList_Size(self->jobs) > 0) {
        RACE_POINT();
        job = PyList_GetItemRef(self->jobs, 0);
    }
    PyMutex_Unlock(&self->mutex);
    RACE_POINT();
    if (job != NULL && PySequence_DelItem(self->jobs, 0) < 0) {
        Py_CLEAR(job);
    }
    return job;
// END
