// Caught by race.
// Who records holds two accounts already, and takes no third lock: others, with accounts of their own, record at the same time.
// BEGIN 1
    entry->next = self->newest;
    RACE_POINT();
    self->newest = entry;
// END
