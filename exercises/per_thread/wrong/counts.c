// Caught by single.
// An atomic counter never repeats itself, and it is not random.
// BEGIN 1
static _Atomic uint64_t state = 1;
// END
// BEGIN 2
    uint64_t x = atomic_fetch_add(&state, 1);
// END
