// Caught by race.
// Volatile: every access goes to memory, and adding is still a load and a store.
// BEGIN 1
    volatile long total;
    _Atomic long used;
    _Atomic long owner;
// END
// BEGIN 2
    long total = self->total;
    RACE_POINT();
    self->total = total + n;
// END
