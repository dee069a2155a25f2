// Caught by single.
// Counts in one loop and lines in another: a job that is there twice gets the same number twice.
// BEGIN 2
/* report(jobs) -> lines: count the jobs, a list of str, and make the newest report of it. */
static PyObject *
report(PyObject *op, PyObject *jobs)
{
    Tally *self = (Tally *)op;
    PyObject *mine = PySequence_Tuple(jobs), *lines = mine ? PyList_New(0) : NULL;
    Py_ssize_t size = mine ? PyTuple_GET_SIZE(mine) : 0;
    int status = lines ? 0 : -1;
    PyMutex_Lock(&self->mutex);
    for (Py_ssize_t i = 0; status == 0 && i < size; i++) {
        PyObject *old = NULL, *new = NULL;
        status = PyDict_GetItemRef(self->seen, PyTuple_GET_ITEM(mine, i), &old);
        RACE_POINT();
        if (status >= 0) {
            new = PyLong_FromLong(old ? PyLong_AsLong(old) + 1 : 1);
            status = new ? PyDict_SetItem(self->seen, PyTuple_GET_ITEM(mine, i), new) : -1;
        }
        Py_XDECREF(old);
        Py_XDECREF(new);
    }
    for (Py_ssize_t i = 0; status == 0 && i < size; i++) {
        PyObject *now = NULL, *line = NULL;
        if (PyDict_GetItemRef(self->seen, PyTuple_GET_ITEM(mine, i), &now) > 0) {
            line = PyUnicode_FromFormat("%U: %S", PyTuple_GET_ITEM(mine, i), now);
        }
        status = line ? PyList_Append(lines, line) : -1;
        Py_XDECREF(line);
        Py_XDECREF(now);
    }
    PyMutex_Unlock(&self->mutex);
    status = status == 0 ? PyList_SetItem(self->latest, 0, Py_NewRef(lines)) : -1;
    Py_XDECREF(mine);
    if (status < 0) {
        Py_CLEAR(lines);
    }
    return lines;
}
// END
