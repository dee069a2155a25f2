// Caught by race.
// add() is one step now; take() still looks first and takes later.
// BEGIN 3
    int room = self->used < self->limit;
    RACE_POINT();
    if (room) {
        self->used++; /* one step, and the decision was made before */
        taken = 1;
    }
// END
