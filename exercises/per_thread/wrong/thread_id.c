// Caught by single.
// Seeded with the thread's id: a thread that comes when another one has ended gets its id, and its numbers.
// BEGIN 1
static _Thread_local uint64_t state;
// END
// BEGIN 2
    if (state == 0) {
        state = mix(PyThread_get_thread_ident());
    }
    uint64_t x = successor(state);
    RACE_POINT();
    state = x;
// END
