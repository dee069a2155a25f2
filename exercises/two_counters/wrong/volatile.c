// Caught by race.
// Volatile: every access goes to memory, and two accesses are still two steps.
// BEGIN 1
    volatile long hits;
    volatile long misses;
// END
// BEGIN 2
// END
// BEGIN 3
// END
// BEGIN 4
    long hits = self->hits;
    RACE_POINT();
    long misses = self->misses;
// END
// BEGIN 5
    self->hits = 0;
    RACE_POINT();
    self->misses = 0;
// END
