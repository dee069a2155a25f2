// Caught by race.
// The lock is released between the look at the state and the store.
// BEGIN 1
static PyMutex mutex;
static uint64_t state = 88172645463325252u;
// END
// BEGIN 2
    PyMutex_Lock(&mutex);
    uint64_t x = successor(state);
    PyMutex_Unlock(&mutex);
    RACE_POINT();
    PyMutex_Lock(&mutex);
    state = x;
    PyMutex_Unlock(&mutex);
// END
