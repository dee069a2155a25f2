// Caught by race.
// stats() and reset() keep each other out, and note() walks in: between two loads it counts a hit and a miss.
// BEGIN 1
    PyMutex mutex;
    _Atomic long hits;
    _Atomic long misses;
// END
// BEGIN 2
// END
// BEGIN 3
// END
