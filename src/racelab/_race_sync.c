#ifndef _GNU_SOURCE
#define _GNU_SOURCE 1 /* sched_getcpu */
#endif
#include <Python.h>

#include "_race_sync.h"

#include <sched.h>
#include <stdlib.h>
#include <string.h>

#include "_race_clock.h"

enum { CENTRAL_FROM = 9, HARD_SPINS = 256, SPINS_PER_LOOK = 64, YIELDS = 2000 };
enum { LEAST_MARGIN_NS = 100, MOST_MARGIN_NS = 2000 };
enum { NAP_NS = 20000, NAPS = 100, LONGEST_NAP_NS = 1000000 };

static inline int
this_cpu(void)
{
#ifdef __linux__
    return sched_getcpu();
#else
    return -1;
#endif
}

int
rl_sync_init(rl_sync *sync, int threads, int own_core, double spin_us, double ns_per_tick)
{
    memset((void *)sync, 0, sizeof(*sync));
    sync->threads = threads;
    sync->own_core = own_core;
    sync->central = threads >= CENTRAL_FROM || !own_core;
    sync->spin_ticks = (uint64_t)(spin_us * 1000 / ns_per_tick);
    sync->least_margin = (uint64_t)(LEAST_MARGIN_NS / ns_per_tick);
    sync->most_margin = (uint64_t)(MOST_MARGIN_NS / ns_per_tick);
    sync->flags = aligned_alloc(RL_LINE, (size_t)threads * sizeof(rl_flag));
    if (sync->flags == NULL) {
        return -1;
    }
    memset((void *)sync->flags, 0, (size_t)threads * sizeof(rl_flag));
    for (int t = 0; t < threads; t++) {
        sync->flags[t].margin = 2 * sync->least_margin;
    }
    return 0;
}

void
rl_sync_free(rl_sync *sync)
{
    free(sync->flags);
    sync->flags = NULL;
}

static inline void
arrive(rl_sync *sync, int self, uint64_t number, int common)
{
    rl_flag *mine = &sync->flags[self];

    if (!sync->central) {
        if (common) {
            atomic_store_explicit(&mine->tick[number & 1], rl_ticks() + mine->margin,
                                  memory_order_relaxed);
        }
        atomic_store_explicit(&mine->cpu, this_cpu(), memory_order_relaxed);
        atomic_store_explicit(&mine->number, number, memory_order_release);
        return;
    }
    uint64_t here = atomic_fetch_add_explicit(&sync->arrivals, 1, memory_order_acq_rel) + 1;
    if (here == number * (uint64_t)sync->threads) {
        if (common) {
            atomic_store_explicit(&sync->target, rl_ticks() + mine->margin,
                                  memory_order_relaxed);
        }
        atomic_store_explicit(&sync->opened, number, memory_order_release);
    }
}

static inline int
all_here(rl_sync *sync, int self, uint64_t number)
{
    if (sync->central) {
        return atomic_load_explicit(&sync->opened, memory_order_acquire) >= number;
    }
    for (int t = 0; t < sync->threads; t++) {
        if (t != self
            && atomic_load_explicit(&sync->flags[t].number, memory_order_acquire) < number) {
            return 0;
        }
    }
    return 1;
}

/* Does somebody who has not come run on the core that we keep busy? */
static int
in_the_way(rl_sync *sync, int self, uint64_t number)
{
    int here = this_cpu();

    if (sync->central || here < 0) {
        return !sync->own_core;
    }
    for (int t = 0; t < sync->threads; t++) {
        if (t != self
            && atomic_load_explicit(&sync->flags[t].number, memory_order_relaxed) < number
            && atomic_load_explicit(&sync->flags[t].cpu, memory_order_relaxed) == here) {
            return 1;
        }
    }
    return 0;
}

/* Wait attached, for a bounded time. Returns whether all have come. */
static int
wait_attached(rl_sync *sync, int self, uint64_t number)
{
    for (int spins = 0; spins < HARD_SPINS && sync->own_core; spins++) {
        if (all_here(sync, self, number)) {
            return 1; /* nearly always; a pause here would cost up to 40 ns of skew */
        }
    }
    uint64_t began = rl_ticks();
    for (unsigned spins = 0;; spins++) {
        if (all_here(sync, self, number)) {
            return 1;
        }
        if (spins % SPINS_PER_LOOK != 0 && sync->own_core) {
            rl_pause();
            continue;
        }
        if (rl_ticks() - began >= sync->spin_ticks) {
            return 0;
        }
        while (in_the_way(sync, self, number) && rl_ticks() - began < sync->spin_ticks) {
            sched_yield();
        }
    }
}

/* Wait detached, as long as it takes. Naps rather than yields where the core is our own: a
 * thread that yields to a stranger gets the core back milliseconds later, one that naps gets
 * it back at once. */
static void
wait_detached(rl_sync *sync, int self, uint64_t number)
{
    struct timespec nap = {0, NAP_NS};
    PyThreadState *state = PyEval_SaveThread();

    for (int waits = 0; !all_here(sync, self, number); waits++) {
        if (waits < YIELDS && in_the_way(sync, self, number)) {
            sched_yield();
            continue;
        }
        nanosleep(&nap, NULL);
        if (waits > NAPS) {
            nap.tv_nsec = nap.tv_nsec < LONGEST_NAP_NS / 2 ? nap.tv_nsec * 2 : LONGEST_NAP_NS;
        }
    }
    PyEval_RestoreThread(state);
}

static inline int
meet(rl_sync *sync, int self, uint64_t number, int common)
{
    arrive(sync, self, number, common);
    if (wait_attached(sync, self, number)) {
        return 0;
    }
    wait_detached(sync, self, number);
    return 1;
}

int
rl_sync_meet(rl_sync *sync, int self, uint64_t number)
{
    return meet(sync, self, number, 0);
}

/* All compute the same target from what all have published: nobody has to announce it. */
static inline uint64_t
common_target(rl_sync *sync, uint64_t number)
{
    uint64_t last = 0;

    if (sync->central) {
        return atomic_load_explicit(&sync->target, memory_order_relaxed);
    }
    for (int t = 0; t < sync->threads; t++) {
        uint64_t tick =
            atomic_load_explicit(&sync->flags[t].tick[number & 1], memory_order_relaxed);
        last = tick > last ? tick : last;
    }
    return last;
}

static inline uint64_t
spin_until(uint64_t tick)
{
    uint64_t now;
    do {
        now = rl_ticks();
    } while ((int64_t)(now - tick) < 0);
    return now;
}

/* As close as it can be with one round in sixty late: every late one widens it by an eighth,
 * every other one narrows it by a little. One that is later than any margin lost its core. */
static inline void
adapt_margin(rl_sync *sync, int self, int64_t late_by)
{
    rl_flag *mine = &sync->flags[self];

    if (late_by > (int64_t)sync->most_margin) {
        return;
    }
    mine->margin += late_by > 0 ? mine->margin / 8 : -(mine->margin / 512);
    mine->margin = mine->margin > sync->most_margin ? sync->most_margin : mine->margin;
    mine->margin = mine->margin < sync->least_margin ? sync->least_margin : mine->margin;
}

rl_release
rl_sync_release(rl_sync *sync, int self, uint64_t number, int common, uint64_t offset)
{
    rl_release release = {0, meet(sync, self, number, common), 0};

    release.tick = rl_ticks();
    if (common) {
        uint64_t target = common_target(sync, number);
        int64_t late_by = (int64_t)(release.tick - target);
        release.late = late_by > 0;
        release.tick = spin_until(target + offset) - offset;
        adapt_margin(sync, self, late_by);
    }
    else if (offset != 0) {
        spin_until(release.tick + offset);
    }
    return release;
}
