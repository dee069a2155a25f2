// Caught by race.
// It found no owner, so it takes itself for the owner, and does not ask who won the exchange.
// BEGIN 4
    long owner = self->owner;
    if (owner == 0) {
        RACE_POINT();
        long nobody = 0;
        atomic_compare_exchange_strong(&self->owner, &nobody, who);
        owner = who;
    }
// END
