// Caught by race.
// The promise without the repair: now nothing protects next_number any more.
// BEGIN 1
static long next_number = 1;
// END
// BEGIN 2
    long first = next_number;
    RACE_POINT();
    next_number = first + n;
// END
