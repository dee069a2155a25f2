// Caught by single.
// Emptied at the end of every find(), also of one that has just said why.
// BEGIN 2
    int there = number >= 0 && number < KNOWN;
    if (!there) {
        snprintf(reason, sizeof(reason), "no order %ld", number);
        RACE_POINT();
    }
    reason[0] = '\0';
    return PyBool_FromLong(there);
// END
