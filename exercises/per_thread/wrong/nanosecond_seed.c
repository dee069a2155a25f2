// Caught by single.
// Seeded with the nanoseconds of the clock: two threads that read it in the same one draw the same, which no race will show.
// BEGIN 1
#include <time.h>

static _Thread_local uint64_t state;
// END
// BEGIN 2
    if (state == 0) {
        struct timespec now;
        clock_gettime(CLOCK_MONOTONIC, &now);
        state = mix((uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec);
    }
    uint64_t x = successor(state);
    RACE_POINT();
    state = x;
// END
