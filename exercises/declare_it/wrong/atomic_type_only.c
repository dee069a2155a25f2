// Caught by race.
// Declared atomic, and still loaded in one step and stored in another.
// BEGIN 2
    long first = next_number;
    RACE_POINT();
    next_number = first + n;
// END
