// Caught by race.
// Each call makes a lock of its own, so nobody ever waits.
// BEGIN 2
    PyObject *job = NULL;
    PyMutex mutex = {0};
    PyMutex_Lock(&mutex);
    if (PyList_Size(self->jobs) > 0) {
        RACE_POINT();
        job = PyList_GetItemRef(self->jobs, 0);
        RACE_POINT();
        if (job != NULL && PySequence_DelItem(self->jobs, 0) < 0) {
            Py_CLEAR(job);
        }
    }
    PyMutex_Unlock(&mutex);
    return job;
// END
