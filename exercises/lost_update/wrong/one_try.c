// Caught by race.
// One compare-exchange without a loop: who was overtaken is refused, though there is room.
// BEGIN 3
    long seen = self->used;
    RACE_POINT();
    taken = seen < self->limit
            && atomic_compare_exchange_strong(&self->used, &seen, seen + 1);
// END
