/* every_step.h: a race point before every access to memory, put there by the compiler.
 *
 * A RACE_POINT() holds the window open that its author knows of. On one core nothing else
 * does: if it was moved out of the window, a race that is still there stays silent. So the
 * checker of exercises compiles starter and answer once more, with
 *
 *     -include racelab/every_step.h -fsanitize=thread -nodefaultlibs -lc
 *
 * and races them again. The compiler announces each access to memory, as it would to
 * ThreadSanitizer; the functions below take the place of its library, and now and then give
 * the core away instead of looking at anything. Every RACE_POINT() means nothing then: what
 * the starter shows so does not depend on where anybody has put one.
 *
 * Needs  gcc or clang, and one source file in the module.
 * Off    unless RACELAB_WIDEN is set, as in race_point.h.
 * Orders atomics are made with seq_cst, whatever was asked for: this is about one core.
 */
#ifndef RACELAB_EVERY_STEP_H
#define RACELAB_EVERY_STEP_H

#define RACELAB_RACE_POINT_H
#define RACE_POINT() ((void)0)

#include <errno.h>
#include <sched.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/select.h>

#if defined(__clang__)
#define RACELAB_BARE_ __attribute__((disable_sanitizer_instrumentation, unused))
#else
#define RACELAB_BARE_ __attribute__((no_sanitize_thread, unused))
#endif
#define RACELAB_TEXT_(x) #x
#define RACELAB_STRING_(x) RACELAB_TEXT_(x)
/* Declares what the compiler calls `called`, under a name that is none of its own. */
#define RACELAB_CALLED_(type, name, called, parameters)                                    \
    __attribute__((visibility("hidden"))) type name parameters                             \
        __asm__(RACELAB_STRING_(__USER_LABEL_PREFIX__) called);                            \
    RACELAB_BARE_ __attribute__((used)) type name parameters

static int racelab_step_state; /* 0: not looked yet, 1: off, 2: on */
static __thread uint32_t racelab_step_left;
static __thread uint32_t racelab_step_dice;

static RACELAB_BARE_ uint32_t
racelab_step_throw_(void)
{
    if (racelab_step_dice == 0) {
        racelab_step_dice = ((uint32_t)((uintptr_t)&racelab_step_dice >> 6) * 0x9e3779b9u) | 1u;
    }
    racelab_step_dice ^= racelab_step_dice << 13;
    racelab_step_dice ^= racelab_step_dice >> 17;
    racelab_step_dice ^= racelab_step_dice << 5;
    return racelab_step_dice;
}

static RACELAB_BARE_ __attribute__((noinline, cold)) void
racelab_step_away_(void)
{
    struct timeval pause = {0, 0};
    int saved_errno = errno;

    if (racelab_step_state == 0) {
        const char *value = getenv("RACELAB_WIDEN");
        int on = value != NULL && value[0] != '\0' && !(value[0] == '0' && value[1] == '\0');
        __atomic_store_n(&racelab_step_state, on ? 2 : 1, __ATOMIC_RELAXED);
    }
    if (racelab_step_state == 2) {
        pause.tv_usec = 20 + (long)((racelab_step_throw_() >> 8) % 40u);
        select(0, NULL, NULL, NULL, &pause);
    }
    /* Up to 2, 4, ... or 64 accesses from here: calls have ten of them, or hundreds. */
    racelab_step_left = 1 + (racelab_step_throw_() >> 8) % (2u << (racelab_step_throw_() >> 8) % 6u);
    errno = saved_errno;
}

static RACELAB_BARE_ inline void
racelab_step_(void)
{
    if (racelab_step_left-- == 0) {
        racelab_step_away_();
    }
}

#define RACELAB_PLAIN_(name, called)                                                       \
    RACELAB_CALLED_(void, name, called, (void *at))                                        \
    {                                                                                      \
        (void)at;                                                                          \
        racelab_step_();                                                                   \
    }
#define RACELAB_PAIR_(name, called, type)                                                  \
    RACELAB_CALLED_(void, name, called, (void *at, type other))                            \
    {                                                                                      \
        (void)at;                                                                          \
        (void)other;                                                                       \
        racelab_step_();                                                                   \
    }
#define RACELAB_SIZE_(n)                                                                   \
    RACELAB_PLAIN_(racelab_read##n##_, "__tsan_read" #n)                                   \
    RACELAB_PLAIN_(racelab_write##n##_, "__tsan_write" #n)                                 \
    RACELAB_PLAIN_(racelab_uread##n##_, "__tsan_unaligned_read" #n)                        \
    RACELAB_PLAIN_(racelab_uwrite##n##_, "__tsan_unaligned_write" #n)                      \
    RACELAB_PLAIN_(racelab_both##n##_, "__tsan_read_write" #n)                             \
    RACELAB_PLAIN_(racelab_uboth##n##_, "__tsan_unaligned_read_write" #n)
RACELAB_SIZE_(1)
RACELAB_SIZE_(2)
RACELAB_SIZE_(4)
RACELAB_SIZE_(8)
RACELAB_SIZE_(16)
RACELAB_PAIR_(racelab_read_range_, "__tsan_read_range", size_t)
RACELAB_PAIR_(racelab_write_range_, "__tsan_write_range", size_t)
RACELAB_PLAIN_(racelab_vptr_read_, "__tsan_vptr_read")
RACELAB_PAIR_(racelab_vptr_update_, "__tsan_vptr_update", void *)
RACELAB_CALLED_(void, racelab_entry_, "__tsan_func_entry", (void *from)) { (void)from; }
RACELAB_CALLED_(void, racelab_exit_, "__tsan_func_exit", (void)) {}
RACELAB_CALLED_(void, racelab_init_, "__tsan_init", (void)) {}
RACELAB_CALLED_(void, racelab_fence_, "__tsan_atomic_thread_fence", (int order))
{
    (void)order;
    __atomic_thread_fence(__ATOMIC_SEQ_CST);
}
RACELAB_CALLED_(void, racelab_signal_fence_, "__tsan_atomic_signal_fence", (int order))
{
    (void)order;
    __atomic_signal_fence(__ATOMIC_SEQ_CST);
}
RACELAB_CALLED_(void *, racelab_memcpy_, "__tsan_memcpy", (void *to, const void *from, size_t size))
{
    racelab_step_();
    return memcpy(to, from, size);
}
RACELAB_CALLED_(void *, racelab_memmove_, "__tsan_memmove", (void *to, const void *from, size_t size))
{
    racelab_step_();
    return memmove(to, from, size);
}
RACELAB_CALLED_(void *, racelab_memset_, "__tsan_memset", (void *to, int byte, size_t size))
{
    racelab_step_();
    return memset(to, byte, size);
}

#define RACELAB_CHANGE_(n, word)                                                           \
    RACELAB_CALLED_(uint##n##_t, racelab_##word##n##_, "__tsan_atomic" #n "_" #word,       \
                    (volatile uint##n##_t *at, uint##n##_t value, int order))              \
    {                                                                                      \
        (void)order;                                                                       \
        racelab_step_();                                                                   \
        return __atomic_##word(at, value, __ATOMIC_SEQ_CST);                               \
    }
#define RACELAB_EXCHANGE_(n, word, weak)                                                   \
    RACELAB_CALLED_(int, racelab_##word##n##_, "__tsan_atomic" #n "_compare_exchange_" #word, \
                    (volatile uint##n##_t *at, uint##n##_t *seen, uint##n##_t value, int order, int fail)) \
    {                                                                                      \
        (void)order;                                                                       \
        (void)fail;                                                                        \
        racelab_step_();                                                                   \
        return __atomic_compare_exchange_n(at, seen, value, weak, __ATOMIC_SEQ_CST,        \
                                           __ATOMIC_SEQ_CST);                              \
    }
#define RACELAB_ATOMIC_(n)                                                                 \
    RACELAB_CALLED_(uint##n##_t, racelab_load##n##_, "__tsan_atomic" #n "_load",           \
                    (const volatile uint##n##_t *at, int order))                           \
    {                                                                                      \
        (void)order;                                                                       \
        racelab_step_();                                                                   \
        return __atomic_load_n(at, __ATOMIC_SEQ_CST);                                      \
    }                                                                                      \
    RACELAB_CALLED_(void, racelab_store##n##_, "__tsan_atomic" #n "_store",                \
                    (volatile uint##n##_t *at, uint##n##_t value, int order))              \
    {                                                                                      \
        (void)order;                                                                       \
        racelab_step_();                                                                   \
        __atomic_store_n(at, value, __ATOMIC_SEQ_CST);                                     \
    }                                                                                      \
    RACELAB_CALLED_(uint##n##_t, racelab_exchange##n##_, "__tsan_atomic" #n "_exchange",   \
                    (volatile uint##n##_t *at, uint##n##_t value, int order))              \
    {                                                                                      \
        (void)order;                                                                       \
        racelab_step_();                                                                   \
        return __atomic_exchange_n(at, value, __ATOMIC_SEQ_CST);                           \
    }                                                                                      \
    RACELAB_CALLED_(uint##n##_t, racelab_val##n##_, "__tsan_atomic" #n "_compare_exchange_val", \
                    (volatile uint##n##_t *at, uint##n##_t seen, uint##n##_t value, int order, int fail)) \
    {                                                                                      \
        (void)order;                                                                       \
        (void)fail;                                                                        \
        racelab_step_();                                                                   \
        __atomic_compare_exchange_n(at, &seen, value, 0, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST); \
        return seen;                                                                       \
    }                                                                                      \
    RACELAB_EXCHANGE_(n, strong, 0)                                                        \
    RACELAB_EXCHANGE_(n, weak, 1)                                                          \
    RACELAB_CHANGE_(n, fetch_add)                                                          \
    RACELAB_CHANGE_(n, fetch_sub)                                                          \
    RACELAB_CHANGE_(n, fetch_and)                                                          \
    RACELAB_CHANGE_(n, fetch_or)                                                           \
    RACELAB_CHANGE_(n, fetch_xor)                                                          \
    RACELAB_CHANGE_(n, fetch_nand)
RACELAB_ATOMIC_(8)
RACELAB_ATOMIC_(16)
RACELAB_ATOMIC_(32)
RACELAB_ATOMIC_(64)

#endif
