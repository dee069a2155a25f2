// Caught by race.
// It is the owner for a moment even if it came second: others see it, and put it back for ever.
// BEGIN 4
    long owner = atomic_exchange(&self->owner, who);
    RACE_POINT();
    if (owner != 0) {
        self->owner = owner;
    }
    else {
        owner = who;
    }
// END
