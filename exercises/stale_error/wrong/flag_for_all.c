// Caught by race.
// The text is per thread, and the flag that says whether it counts is everybody's.
// BEGIN 1
#include <stdatomic.h>

static _Thread_local char reason[48];
static atomic_int failed;
// END
// BEGIN 2
    if (number >= 0 && number < KNOWN) {
        failed = 0;
        RACE_POINT();
        Py_RETURN_TRUE;
    }
    snprintf(reason, sizeof(reason), "no order %ld", number);
    failed = 1;
    RACE_POINT();
    Py_RETURN_FALSE;
// END
// BEGIN 3
    if (!failed) {
        Py_RETURN_NONE;
    }
    return PyUnicode_FromString(reason);
// END
