// Caught by race.
// Adds in one step and then looks again: by then another thread has added, too.
// BEGIN 2
    next_number += n;
    RACE_POINT();
    long first = next_number - n;
// END
