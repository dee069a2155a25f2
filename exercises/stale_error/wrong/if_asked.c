// Caught by race.
// Emptied by a find() that succeeds, and only if somebody has asked: who never asks leaves it to the next request.
// BEGIN 1
static _Thread_local char reason[48];
static _Thread_local int asked;
// END
// BEGIN 2
    if (number >= 0 && number < KNOWN) {
        if (asked) {
            reason[0] = '\0';
        }
        Py_RETURN_TRUE;
    }
    asked = 0;
    snprintf(reason, sizeof(reason), "no order %ld", number);
    RACE_POINT();
    Py_RETURN_FALSE;
// END
// BEGIN 3
    asked = 1;
    if (reason[0] == '\0') {
        Py_RETURN_NONE;
    }
    return PyUnicode_FromString(reason);
// END
