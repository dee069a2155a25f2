// Caught by race.
// The writers take the lock and the reader does not: it still reads between two stores.
// BEGIN 4
    long hits = self->hits;
    RACE_POINT();
    long misses = self->misses;
// END
