// Caught by single.
// One number stands for no error, and somebody asks for the order of that number.
// BEGIN 1
static _Thread_local long missing = -1;
// END
// BEGIN 2
    if (number >= 0 && number < KNOWN) {
        missing = -1;
        Py_RETURN_TRUE;
    }
    missing = number;
    RACE_POINT();
    Py_RETURN_FALSE;
// END
// BEGIN 3
    if (missing == -1) {
        Py_RETURN_NONE;
    }
    return PyUnicode_FromFormat("no order %ld", missing);
// END
