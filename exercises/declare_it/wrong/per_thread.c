// Caught by race.
// A counter for each thread: nobody disturbs anybody, and all hand out the same numbers.
// BEGIN 1
static _Thread_local long next_number = 1;
// END
// BEGIN 2
    long first = next_number;
    RACE_POINT();
    next_number = first + n;
// END
