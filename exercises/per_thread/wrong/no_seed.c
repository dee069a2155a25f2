// Caught by single.
// A state for each thread, and nobody fills it: the successor of 0 is 0.
// BEGIN 1
static _Thread_local uint64_t state;
// END
// BEGIN 2
    uint64_t x = successor(state);
    RACE_POINT();
    state = x;
// END
