#include <Python.h> /* first: it decides what the system headers show */

#include "_race_clock.h"

#include <stdatomic.h>
#include <stddef.h>

#if RL_TSC

/* Both clocks at one instant: of a few tries, the one that was least disturbed. */
static void
read_both(uint64_t *ticks, uint64_t *ns)
{
    uint64_t best = UINT64_MAX;

    for (int i = 0; i < 16; i++) {
        uint64_t before = rl_ticks();
        uint64_t now = rl_now_ns();
        uint64_t took = rl_ticks() - before;
        if (took < best) {
            best = took;
            *ticks = before + took / 2;
            *ns = now;
        }
    }
}

double
rl_tick_hz(void)
{
    static _Atomic double known;
    double hz = atomic_load_explicit(&known, memory_order_relaxed);

    if (hz == 0) { /* two threads may both measure: either value will do */
        struct timespec pause = {0, 2000000};
        uint64_t ticks_0 = 0, ns_0 = 0, ticks_1 = 0, ns_1 = 0;
        read_both(&ticks_0, &ns_0);
        nanosleep(&pause, NULL);
        read_both(&ticks_1, &ns_1);
        hz = (double)(ticks_1 - ticks_0) * 1e9 / (double)(ns_1 - ns_0);
        atomic_store_explicit(&known, hz, memory_order_relaxed);
    }
    return hz;
}

#else

double
rl_tick_hz(void)
{
    return 1e9;
}

#endif
