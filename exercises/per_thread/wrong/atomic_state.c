// Caught by race.
// Each load and each store is one step, and between them two threads compute one successor.
// BEGIN 1
static _Atomic uint64_t state = 88172645463325252u;
// END
// BEGIN 2
    uint64_t x = successor(state);
    RACE_POINT();
    state = x;
// END
