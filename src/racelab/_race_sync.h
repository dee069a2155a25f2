/* _race_sync.h: let all threads go at the same moment, again and again.
 *
 * Rendezvous are numbered 1, 2, 3... and a thread has arrived at number r when it has
 * published r: the number is what the flipping sense of a sense-reversing barrier is, with
 * more than two values. Up to 8 threads that all have a core publish in a line each, and
 * everybody reads everybody: then last and first see the last arrival at nearly the same
 * time, because both have to fetch a line. Otherwise there is one counter and one line to
 * wait on, and waiting threads give the core away.
 *
 * A thread waits attached for a bounded time, then detached, because a thread that spins
 * attached keeps everybody else from stopping the world.
 */
#ifndef RACELAB_RACE_SYNC_H
#define RACELAB_RACE_SYNC_H

#include <stdatomic.h>
#include <stdint.h>

#define RL_LINE 128 /* two cache lines: adjacent lines are fetched in pairs */

typedef struct {
    _Alignas(RL_LINE) _Atomic uint64_t number;
    _Atomic uint64_t tick[2]; /* the target it proposes for an even, an odd rendezvous */
    _Atomic int cpu;          /* where it ran when it arrived */
    uint64_t margin;          /* how far ahead it proposes: its own business */
} rl_flag;

typedef struct {
    int threads;
    int own_core; /* every thread has a core of its own, as far as we know */
    int central;  /* one counter instead of a flag each */
    uint64_t spin_ticks;
    uint64_t least_margin; /* from an arrival to the target it proposes, ticks */
    uint64_t most_margin;
    rl_flag *flags;
    _Alignas(RL_LINE) _Atomic uint64_t arrivals;
    _Alignas(RL_LINE) _Atomic uint64_t opened;
    _Atomic uint64_t target;
} rl_sync;

/* How a thread left a rendezvous. */
typedef struct {
    uint64_t tick; /* when */
    int detached;  /* it had detached while it waited */
    int late;      /* the common target had passed before it looked */
} rl_release;

int rl_sync_init(rl_sync *sync, int threads, int own_core, double spin_us, double ns_per_tick);
void rl_sync_free(rl_sync *sync);

/* Wait for all threads at rendezvous `number`. The caller is attached, and is so again
 * when this returns. Returns whether it had detached. */
int rl_sync_meet(rl_sync *sync, int self, uint64_t number);

/* The same, then start together. With `common`, at a time-stamp target. `offset` ticks
 * later in either case; the tick reported is the one without the offset. */
rl_release rl_sync_release(rl_sync *sync, int self, uint64_t number, int common,
                           uint64_t offset);

#endif
