// Caught by race.
// A critical section on the dispenser: who waits in it for the list, which others may have, gives it up.
// BEGIN 2
    PyObject *job = NULL;
    Py_BEGIN_CRITICAL_SECTION(self);
    if (PyList_Size(self->jobs) > 0) {
        RACE_POINT();
        job = PyList_GetItemRef(self->jobs, 0);
        RACE_POINT();
        if (job != NULL && PySequence_DelItem(self->jobs, 0) < 0) {
            Py_CLEAR(job);
        }
    }
    Py_END_CRITICAL_SECTION();
    return job;
// END
