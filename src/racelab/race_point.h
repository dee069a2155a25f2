/* race_point.h: a place where a race window can be held open on demand.
 *
 * Put RACE_POINT() between two steps that another thread must not come between:
 *
 *     long seen = self->n;
 *     RACE_POINT();
 *     self->n = seen + 1;
 *
 * It does nothing unless the environment variable RACELAB_WIDEN is set to something other
 * than "" and "0" when the first RACE_POINT() of a source file is reached (`racelab race
 * --widen` sets it in the child before it imports the module). Then it gives the core away:
 * mostly by a sleep of 20 to 60 microseconds, else by one to four sched_yield(), at random.
 * Results made so are stamped "widened"; they show that a window is there, not how often
 * it would be hit.
 *
 * Needs  nothing but this header; C, C++ or Cython (cdef extern from "race_point.h":
 *        void RACE_POINT() noexcept nogil).
 * May be called attached or detached, with locks held: it takes no lock, allocates
 *        nothing, never attaches or detaches, and leaves errno as it was.
 * Costs  off: one relaxed load of a static int and one branch that is predicted (under a
 *        nanosecond). On: 0.5 us to 150 us a call (timers add some 50 us to a sleep).
 * Orders nothing: no fence, no atomic read-modify-write, so ThreadSanitizer sees the same
 *        races with it as without it.
 */
#ifndef RACELAB_RACE_POINT_H
#define RACELAB_RACE_POINT_H

#if defined(__unix__) || defined(__APPLE__)

#include <errno.h>
#include <sched.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/select.h>

/* 0: not looked yet, 1: off, 2: on. One per source file that includes this header. */
static int racelab_widen_state;

#if defined(__GNUC__)
#define RACELAB_COLD_ __attribute__((noinline, cold, unused))
#define RACELAB_INLINE_ __inline__ __attribute__((always_inline, unused))
#else
#define RACELAB_COLD_
#define RACELAB_INLINE_ inline
#endif

static RACELAB_COLD_ int
racelab_look_(void)
{
    const char *value = getenv("RACELAB_WIDEN");
    int on = value != NULL && value[0] != '\0' && !(value[0] == '0' && value[1] == '\0');
    __atomic_store_n(&racelab_widen_state, on ? 2 : 1, __ATOMIC_RELAXED);
    return on;
}

static RACELAB_COLD_ void
racelab_give_way_(void)
{
    static __thread uint32_t dice; /* xorshift, one per thread: threads must not agree */
    struct timeval pause = {0, 0};
    int saved_errno = errno;
    int i;

    if (dice == 0) {
        dice = ((uint32_t)((uintptr_t)&dice >> 6) * 0x9e3779b9u) | 1u;
    }
    dice ^= dice << 13;
    dice ^= dice >> 17;
    dice ^= dice << 5;
    if ((dice & 7u) != 0) { /* a sleep always gives the core away, a yield may not */
        pause.tv_usec = 20 + (long)((dice >> 8) % 40u);
        select(0, NULL, NULL, NULL, &pause); /* nanosleep is hidden under -std=c11 */
    }
    else {
        for (i = 1 + (int)((dice >> 3) & 3u); i > 0; i--) {
            sched_yield();
        }
    }
    errno = saved_errno;
}

static RACELAB_INLINE_ void
racelab_race_point_(void)
{
    int state = __atomic_load_n(&racelab_widen_state, __ATOMIC_RELAXED);
    if (__builtin_expect(state != 1, 0) && (state == 2 || racelab_look_())) {
        racelab_give_way_();
    }
}

#define RACE_POINT() racelab_race_point_()

#else /* not POSIX: the race points are there, but can't be widened */

#define RACE_POINT() ((void)0)

#endif
#endif
