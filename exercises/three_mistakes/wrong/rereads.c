// Caught by race.
// The number in the line is asked for once more behind the unlock: by then another report may have counted.
// BEGIN 2
/* Count a job once more: a strong reference to its new number, or NULL. */
static PyObject *
count_one(Tally *self, PyObject *job)
{
    PyObject *old = NULL, *new = NULL;
    PyMutex_Lock(&self->mutex);
    if (PyDict_GetItemRef(self->seen, job, &old) >= 0) {
        RACE_POINT();
        new = PyLong_FromLong(old ? PyLong_AsLong(old) + 1 : 1);
        if (new != NULL && PyDict_SetItem(self->seen, job, new) < 0) {
            Py_CLEAR(new);
        }
    }
    PyMutex_Unlock(&self->mutex);
    Py_XDECREF(old);
    Py_XDECREF(new);
    RACE_POINT();
    return new && PyDict_GetItemRef(self->seen, job, &new) > 0 ? new : NULL;
}

/* report(jobs) -> lines: count the jobs, a list of str, and make the newest report of it. */
static PyObject *
report(PyObject *op, PyObject *jobs)
{
    Tally *self = (Tally *)op;
    PyObject *mine = PySequence_Tuple(jobs); /* what others append now is not in this report */
    Py_ssize_t size = mine ? PyTuple_GET_SIZE(mine) : 0;
    PyObject *lines = mine ? PyList_New(size) : NULL;
    int status = lines ? 0 : -1;
    for (Py_ssize_t i = 0; status == 0 && i < size; i++) {
        PyObject *job = PyTuple_GET_ITEM(mine, i), *line = NULL;
        PyObject *new = count_one(self, job);
        if (new != NULL) {
            line = PyUnicode_FromFormat("%U: %S", job, new);
        }
        Py_XDECREF(new);
        status = line ? 0 : -1;
        PyList_SET_ITEM(lines, i, line);
        RACE_POINT();
    }
    if (status == 0) { /* shown when it is full */
        status = PyList_SetItem(self->latest, 0, Py_NewRef(lines));
    }
    if (status < 0) {
        Py_CLEAR(lines);
    }
    Py_XDECREF(mine);
    return lines;
}
// END
