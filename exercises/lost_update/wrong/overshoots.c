// Caught by single.
// Adds first and looks then: who is refused has taken a place all the same.
// BEGIN 3
    taken = atomic_fetch_add(&self->used, 1) < self->limit;
// END
