// Caught by single.
// Seeded with the seconds of the clock: threads that begin in the same second draw the same.
// BEGIN 1
#include <time.h>

static _Thread_local uint64_t state;
// END
// BEGIN 2
    if (state == 0) {
        state = mix((uint64_t)time(NULL));
    }
    uint64_t x = successor(state);
    RACE_POINT();
    state = x;
// END
