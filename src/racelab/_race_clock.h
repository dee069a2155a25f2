/* _race_clock.h: the cheapest clock there is, and how to wait without a system call.
 *
 * On x86 the time-stamp counter, elsewhere (or with -DRACELAB_NO_TSC) clock_gettime in
 * nanoseconds. Ticks are compared across cores, so an invariant counter is assumed.
 */
#ifndef RACELAB_RACE_CLOCK_H
#define RACELAB_RACE_CLOCK_H

#include <stdint.h>
#include <time.h>

#if (defined(__x86_64__) || defined(__i386__)) && !defined(RACELAB_NO_TSC)
#define RL_TSC 1
#include <x86intrin.h>
#else
#define RL_TSC 0
#if defined(__x86_64__) || defined(__i386__)
#include <x86intrin.h>
#endif
#endif

static inline uint64_t
rl_now_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

static inline uint64_t
rl_ticks(void)
{
#if RL_TSC
    return __rdtsc();
#else
    return rl_now_ns();
#endif
}

static inline void
rl_pause(void)
{
#if defined(__x86_64__) || defined(__i386__)
    _mm_pause();
#elif defined(__aarch64__)
    __asm__ __volatile__("yield");
#endif
}

/* Ticks per second. Measured at the first call (2 ms); a forked child inherits it. */
double rl_tick_hz(void);

#endif
