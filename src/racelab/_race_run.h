/* _race_run.h: what the threads of one run share. */
#ifndef RACELAB_RACE_RUN_H
#define RACELAB_RACE_RUN_H

#include <Python.h>

#include <pthread.h>
#include <stdatomic.h>
#include <stdint.h>

#include "_race_sync.h"
#include "_race_tally.h"

#define RL_DETACHED_BIT ((uint64_t)1 << 63) /* in starts[]: that thread had detached */
#define RL_MAX_THREADS 1024
#define RL_MAX_LABELS 4096

/* A returned value whose lowest bit is set is an exception. */
static inline int
rl_is_raised(const PyObject *value)
{
    return ((uintptr_t)value & 1) != 0;
}

static inline PyObject *
rl_tag_raised(PyObject *exception)
{
    return (PyObject *)((uintptr_t)exception | 1);
}

static inline PyObject *
rl_untag(PyObject *value)
{
    return (PyObject *)((uintptr_t)value & ~(uintptr_t)1);
}

/* How to call an actor's body on states of one type. */
typedef struct {
    PyObject *body;       /* borrowed from rl_run.bodies: a name (str) or a callable */
    PyTypeObject *type;   /* states of this type (strong, so that its address stays its own) */
    PyObject *callable;   /* are called by this (strong), or NULL: look up each time */
    vectorcallfunc entry; /* its vectorcall, or NULL: PyObject_Vectorcall */
    PyObject **args;      /* [0] free for the callee, [1] the state, then the arguments */
    size_t nargs;         /* without [0] */
    int with_state;
} rl_actor;

/* How to read an attribute of states of one type. */
typedef struct {
    PyObject *name;          /* borrowed from rl_run.keys */
    PyTypeObject *type; /* strong */
    PyObject *descr; /* strong; a member descriptor, or NULL: PyObject_GetAttr */
} rl_reader;

/* From (attributes read, values returned) as plain words to a label. Open addressing. */
typedef struct {
    size_t words; /* per key */
    size_t slots; /* a power of two, or 0 if keys are too long */
    size_t used;
    uint64_t *keys;
    int32_t *labels; /* -1: free */
} rl_memo;

enum rl_observe { RL_BY_RETURNED, RL_BY_ATTRIBUTE, RL_BY_CALL, RL_BY_MEMO };

typedef struct rl_run rl_run;

typedef struct {
    _Alignas(RL_LINE) rl_run *run;
    int self;
    int burst;
    uint64_t offset_ticks;
    rl_actor actor;
    rl_block *block;
    size_t n;             /* rounds in this batch */
    uint64_t meeting;     /* number of the last rendezvous */
    uint64_t *starts;     /* [batch / stride]: release ticks of the batch */
    PyObject **returned;  /* [batch * burst], strong; tagged if raised */
    /* grading */
    rl_reader *readers; /* [run->nkeys] */
    rl_memo memo;
    PyObject *labels;     /* dict: text -> index */
    PyObject *by_value;   /* dict: (value, type, ...) -> index, where words do not do */
    uint64_t *word;       /* scratch, memo.words */
    PyObject **value;     /* scratch, memo.words: borrowed, attributes strong */
    pthread_t handle;
} rl_thread;

struct rl_run {
    /* settings, fixed before the threads start */
    int threads;
    int stride;
    int made_by; /* -1: all */
    int common;
    int keep_returned;
    int gil;
    int own_core;
    uint64_t rounds;      /* 0: no limit */
    uint64_t limit_ticks; /* 0: no limit */
    size_t batch_max;
    size_t nreturned; /* values per round, all threads */
    double ns_per_tick;
    PyObject *setup;  /* NULL: no state */
    PyObject *bodies; /* tuple of (body, *arguments), one per thread */
    enum rl_observe how;
    PyObject *observe;
    PyObject *keys; /* tuple of names */
    size_t nkeys;
    size_t words; /* key of the memo: attributes and returned values */
    PyObject *stop_on; /* frozenset of labels */
    PyObject *errors;  /* dict: label -> text */
    PyObject *drain;   /* a Python function that does nothing */
    PyObject *threads_object;
    int *cpus;
    size_t ncpus;
    /* shared while running */
    rl_sync sync;
    rl_thread *thread;
    PyObject **states; /* [batch_max] */
    rl_header *header;
    Py_buffer view; /* of the caller's tally; view.obj NULL: header is ours */
    uint64_t began;
    size_t n;         /* rounds in this batch; 0: stop. Written by thread 0 */
    uint64_t base;    /* index of its first round */
    const char *stopped;
    uint64_t phase_ticks[3];
    atomic_int stop;      /* the caller wants to stop */
    atomic_int stop_seen; /* a label of stop_on was seen */
    _Atomic(PyObject *) failure; /* first exception that ends the run (strong) */
    /* start and end of the threads */
    pthread_mutex_t mutex;
    pthread_cond_t cond;
    int gate;    /* 0 closed, 1 open, -1 go home */
    int running; /* threads that have not ended */
};

/* Body of a racing thread; argument: its rl_thread. */
void *rl_thread_main(void *argument);

/* _race_call.c: finding and calling actors, reading attributes. */
void rl_actor_prepare(rl_actor *actor, PyObject *state);
PyObject *rl_actor_call(rl_actor *actor);
void rl_actor_forget(rl_actor *actor);
PyObject *rl_reader_get(rl_reader *reader, PyObject *state);
void rl_reader_forget(rl_reader *reader);

/* _race_grade.c: label round i of the batch in `thread`'s tally. -1 and an exception set:
 * this run can't go on. */
int rl_grade_init(rl_thread *thread);
void rl_grade_free(rl_thread *thread);
int rl_grade(rl_thread *thread, size_t i);

/* Keep the exception that is set as the reason to end the run, if it is the first. */
void rl_fail(rl_run *run);

#endif
