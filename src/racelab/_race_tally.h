/* _race_tally.h: counts in memory that another process may watch. Layout: see _race.pyi.
 *
 * Every block has one writer, its thread. A reader may come at any time, so every word is
 * stored whole (relaxed atomics), and a label before the count of labels that covers it. A
 * reader works on a copy: what it has checked must not change any more.
 */
#ifndef RACELAB_RACE_TALLY_H
#define RACELAB_RACE_TALLY_H

#include <Python.h>

#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>

#define RL_TALLY_MAGIC 0x31594c4154434152u /* "RACTALY1" in little-endian order */
#define RL_TALLY_VERSION 1
#define RL_LABEL_BYTES 124
/* 16 bins of 1 ns, then 16 bins per power of two up to 2^36 ns (69 s). */
#define RL_SKEW_BINS (16 + (36 - 4) * 16)

typedef _Atomic uint64_t rl_u64;
typedef _Atomic uint32_t rl_u32;

enum rl_state { RL_EMPTY, RL_RUNNING, RL_FINISHED, RL_FAILED };
enum rl_phase { RL_IDLE, RL_MAKING, RL_RACING, RL_GRADING, RL_FREEING };

typedef struct {
    rl_u64 magic;
    uint32_t version;
    uint32_t header_size;
    uint32_t threads;
    uint32_t labels;
    uint32_t label_size;
    uint32_t thread_size;
    uint32_t skew_bins;
    rl_u32 state;
    double tick_hz;
    rl_u64 started_ns;
    rl_u64 updated_ns;
    uint64_t rounds_planned;
    uint32_t stride;
    rl_u32 batch;
    rl_u64 rounds;
    uint32_t gil;
    uint32_t release;
    unsigned char reserved[256 - 96];
} rl_header;

typedef struct {
    rl_u64 count;
    rl_u64 detached;
    uint64_t first_round;
    uint64_t first_ns;
    uint32_t length;
    char text[RL_LABEL_BYTES];
} rl_label;

typedef struct {
    rl_u64 entered;
    rl_u64 finished;
    rl_u64 detached;
    rl_u64 graded;
    rl_u32 phase;
    rl_u32 labels_used;
    rl_u64 switches;
    rl_u64 late;
    uint64_t reserved;
    rl_u64 skew[RL_SKEW_BINS];
    rl_label label[]; /* rl_header.labels of them */
} rl_block;

_Static_assert(sizeof(rl_header) == 256, "the layout is a contract");
_Static_assert(sizeof(rl_label) == 160, "the layout is a contract");
_Static_assert(offsetof(rl_block, skew) == 64, "the layout is a contract");

static inline void
rl_add(rl_u64 *counter, uint64_t n) /* one writer: no atomic read-modify-write needed */
{
    uint64_t seen = atomic_load_explicit(counter, memory_order_relaxed);
    atomic_store_explicit(counter, seen + n, memory_order_relaxed);
}

static inline uint64_t
rl_get(const rl_u64 *counter)
{
    return atomic_load_explicit(counter, memory_order_relaxed);
}

static inline int
rl_skew_bin(uint64_t ns)
{
    if (ns < 16) {
        return (int)ns;
    }
    int e = 63 - __builtin_clzll(ns);
    if (e >= 36) {
        return RL_SKEW_BINS - 1;
    }
    return 16 + (e - 4) * 16 + (int)((ns >> (e - 4)) & 15);
}

size_t rl_tally_size(uint32_t threads, uint32_t labels);
rl_block *rl_tally_block(const rl_header *header, uint32_t thread);

/* Make `header` an empty tally: everything 0 but what `first` says. A reader that comes in
 * between sees no tally at all, because the magic goes first and comes last. */
void rl_tally_init(rl_header *header, const rl_header *first, size_t size);

/* Fill in what every tally's header says of itself. */
void rl_tally_describe(rl_header *header, uint32_t threads, uint32_t labels);

/* Copy into a tally word by word, so that a reader gets each word whole. Size: a multiple of 8. */
void rl_tally_store(void *to, const void *from, size_t size);

/* Everything a tally says, as a new dict. NULL with an exception set on failure. */
PyObject *rl_tally_read(const void *memory, size_t size);

#endif
