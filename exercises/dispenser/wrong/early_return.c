// Caught by single.
// Without jobs it returns with the lock held: the next caller waits for ever.
// BEGIN 2
    PyMutex_Lock(&self->mutex);
    if (PyList_Size(self->jobs) == 0) {
        return NULL;
    }
    RACE_POINT();
    PyObject *job = PyList_GetItemRef(self->jobs, 0);
    RACE_POINT();
    if (job != NULL && PySequence_DelItem(self->jobs, 0) < 0) {
        Py_CLEAR(job);
    }
    PyMutex_Unlock(&self->mutex);
    return job;
// END
