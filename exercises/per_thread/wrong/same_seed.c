// Caught by single.
// No race any more, and every thread begins with the same constant: all draw the same sequence.
// BEGIN 1
static _Thread_local uint64_t state = 88172645463325252u;
// END
// BEGIN 2
    uint64_t x = successor(state);
    RACE_POINT();
    state = x;
// END
