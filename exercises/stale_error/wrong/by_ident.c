// Caught by single.
// A reason for each thread's id: when a thread has ended, the next one gets its id, and its reason.
// BEGIN 1
static PyMutex mutex;
static PyObject *reasons; /* ident -> text */

static PyObject *
ident(void)
{
    return PyLong_FromUnsignedLong(PyThread_get_thread_ident());
}
// END
// BEGIN 2
    int there = number >= 0 && number < KNOWN;
    PyMutex_Lock(&mutex);
    if (reasons == NULL) {
        reasons = PyDict_New();
    }
    PyMutex_Unlock(&mutex);
    PyObject *key = ident();
    PyObject *text = there ? Py_NewRef(Py_None) : PyUnicode_FromFormat("no order %ld", number);
    RACE_POINT();
    PyDict_SetItem(reasons, key, text);
    Py_DECREF(key);
    Py_DECREF(text);
    return PyBool_FromLong(there);
// END
// BEGIN 3
    if (reasons == NULL) {
        Py_RETURN_NONE;
    }
    PyObject *key = ident(), *text;
    if (PyDict_GetItemRef(reasons, key, &text) == 0) {
        text = Py_NewRef(Py_None);
    }
    Py_DECREF(key);
    return text;
// END
