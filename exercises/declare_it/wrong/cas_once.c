// Caught by race.
// Compares and exchanges, and does not look whether it worked: who failed reserves nothing, and goes on with the numbers of the next.
// BEGIN 2
    long first = next_number;
    RACE_POINT();
    atomic_compare_exchange_strong(&next_number, &first, first + n);
// END
