// Caught by race.
// It is quiet when it comes too late, and hands out a job twice as before.
// BEGIN 2
    PyObject *job = PyList_GetItemRef(self->jobs, 0);
    RACE_POINT();
    if (job != NULL && PySequence_DelItem(self->jobs, 0) < 0) {
        Py_CLEAR(job);
    }
    if (job == NULL && PyErr_ExceptionMatches(PyExc_IndexError)) {
        PyErr_Clear();
    }
    return job;
// END
