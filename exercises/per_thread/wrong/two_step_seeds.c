// Caught by race.
// The seeds' counter is atomic, and looked at in one step and counted up in another: two new threads get one seed.
// BEGIN 1
static _Atomic uint64_t seeds = 1;
static _Thread_local uint64_t state;
// END
// BEGIN 2
    if (state == 0) {
        state = mix(seeds);
        seeds = seeds + 1;
    }
    uint64_t x = successor(state);
    RACE_POINT();
    state = x;
// END
