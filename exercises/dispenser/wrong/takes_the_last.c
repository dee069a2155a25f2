// Caught by single.
// One call, but pop() without an index takes the newest job.
// BEGIN 2
    PyObject *job = PyObject_CallMethod(self->jobs, "pop", NULL);
    RACE_POINT();
    if (job == NULL && PyErr_ExceptionMatches(PyExc_IndexError)) {
        PyErr_Clear();
    }
    return job;
// END
