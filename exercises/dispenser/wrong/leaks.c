// Caught by single.
// A second reference to a reference that was strong already: no job is ever freed.
// BEGIN 2
    PyObject *job = NULL;
    PyMutex_Lock(&self->mutex);
    if (PyList_Size(self->jobs) > 0) {
        RACE_POINT();
        job = Py_XNewRef(PyList_GetItemRef(self->jobs, 0));
        RACE_POINT();
        if (job != NULL && PySequence_DelItem(self->jobs, 0) < 0) {
            Py_CLEAR(job);
        }
    }
    PyMutex_Unlock(&self->mutex);
    return job;
// END
