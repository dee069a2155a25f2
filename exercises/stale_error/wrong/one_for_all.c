// Caught by race.
// Emptied in time, and one for all threads: what is read is another one's.
// BEGIN 1
static char reason[48];
// END
