/* _race_loop.c: what each racing thread does: make states, race over them, grade, free.
 *
 * A batch has four rendezvous besides those of its rounds: planned, made, raced, graded.
 * Whether to go on is decided by thread 0 alone, between "graded" and "planned", so that
 * all threads leave at the same point.
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE 1 /* pthread_setaffinity_np, RUSAGE_THREAD */
#endif
#include "_race_run.h"

#include <sched.h>
#include <sys/resource.h>

#include "_race_clock.h"

enum { FIRST_BATCH = 32 };
static const uint64_t short_batch_ns = 2000000, long_batch_ns = 20000000;

static void
set_phase(rl_thread *me, enum rl_phase phase)
{
    atomic_store_explicit(&me->block->phase, phase, memory_order_relaxed);
}

static void
meet(rl_thread *me)
{
    rl_sync_meet(&me->run->sync, me->self, ++me->meeting);
}

void
rl_fail(rl_run *run)
{
    PyObject *mine = PyErr_GetRaisedException(), *none = NULL;

    if (!atomic_compare_exchange_strong(&run->failure, &none, mine)) {
        Py_XDECREF(mine);
    }
}

static int
failed(rl_run *run)
{
    return atomic_load_explicit(&run->failure, memory_order_acquire) != NULL;
}

/* ---- planning (thread 0) -------------------------------------------------------- */

static const char *
reason_to_stop(rl_run *run)
{
    if (failed(run)) {
        return "failed";
    }
    if (atomic_load_explicit(&run->stop, memory_order_acquire)) {
        return "interrupt";
    }
    if (atomic_load_explicit(&run->stop_seen, memory_order_relaxed)) {
        return "stop_on";
    }
    if (run->rounds != 0 && run->base >= run->rounds) {
        return "rounds";
    }
    if (run->limit_ticks != 0 && run->base != 0 && rl_ticks() - run->began >= run->limit_ticks) {
        return "seconds";
    }
    return NULL;
}

/* Long enough that the rendezvous between its phases cost nothing, short enough to stop
 * soon and to show a dying child's outcomes early. */
static size_t
next_size(rl_run *run, size_t size, uint64_t took_ns)
{
    if (took_ns < short_batch_ns && run->n == size) {
        size *= 2;
    }
    else if (took_ns > long_batch_ns) {
        size /= 2;
    }
    size = size < run->batch_max ? size : run->batch_max;
    return size > 0 ? size : 1;
}

static void
plan(rl_run *run, size_t *size, uint64_t *batch_began)
{
    uint64_t now = rl_ticks();

    if (run->n != 0 && !failed(run)) { /* else the last batch is not graded to its end */
        run->base += run->n;
        *size = next_size(run, *size, (uint64_t)((double)(now - *batch_began) * run->ns_per_tick));
        atomic_store_explicit(&run->header->rounds, run->base, memory_order_relaxed);
        atomic_store_explicit(&run->header->updated_ns, rl_now_ns(), memory_order_relaxed);
    }
    *batch_began = now;
    run->stopped = reason_to_stop(run);
    run->n = run->stopped != NULL ? 0 : *size;
    if (run->rounds != 0 && run->rounds - run->base < run->n) {
        run->n = (size_t)(run->rounds - run->base);
    }
    atomic_store_explicit(&run->header->batch, (uint32_t)run->n, memory_order_relaxed);
}

/* ---- one batch ------------------------------------------------------------------ */

/* The rounds this thread makes, grades and frees. */
static void
share(const rl_thread *me, size_t *from, size_t *to)
{
    const rl_run *run = me->run;

    if (run->made_by >= 0) {
        *from = 0;
        *to = me->self == run->made_by ? me->n : 0;
        return;
    }
    *from = me->n * (size_t)me->self / (size_t)run->threads;
    *to = me->n * (size_t)(me->self + 1) / (size_t)run->threads;
}

static void
make_states(rl_thread *me)
{
    rl_run *run = me->run;
    size_t from, to;

    set_phase(me, RL_MAKING);
    share(me, &from, &to);
    for (size_t i = from; run->states != NULL && i < to; i++) {
        run->states[i] = PyObject_CallNoArgs(run->setup);
        if (run->states[i] == NULL) {
            rl_fail(run);
            return;
        }
    }
}

static void
free_states(rl_thread *me)
{
    rl_run *run = me->run;
    size_t from, to;

    share(me, &from, &to);
    for (size_t i = from; run->states != NULL && i < to; i++) {
        Py_CLEAR(run->states[i]);
    }
}

/* Objects of ours that others let go queue up until this thread looks at its eval breaker.
 * No C function does that; any Python function does. */
static void
drain(rl_thread *me)
{
    PyObject *done = PyObject_CallNoArgs(me->run->drain);

    if (done == NULL) {
        rl_fail(me->run);
    }
    Py_XDECREF(done);
}

static inline PyObject *
call(rl_thread *me)
{
    PyObject *value = rl_actor_call(&me->actor);

    if (value == NULL) {
        if (!PyErr_Occurred()) {
            PyErr_SetString(PyExc_SystemError, "the actor returned NULL without an exception");
        }
        return rl_tag_raised(PyErr_GetRaisedException());
    }
    if (!me->run->keep_returned) {
        Py_DECREF(value);
        return NULL;
    }
    return value;
}

static inline void
race_round(rl_thread *me, size_t i, int detached)
{
    PyObject **returned = me->returned + i * (size_t)me->burst;

    rl_add(&me->block->entered, 1);
    for (int b = 0; b < me->burst; b++) {
        returned[b] = call(me);
    }
    rl_add(&me->block->finished, 1);
    if (detached) {
        rl_add(&me->block->detached, 1);
    }
}

static void
race(rl_thread *me)
{
    rl_run *run = me->run;
    size_t n = me->n, stride = (size_t)run->stride;

    set_phase(me, RL_RACING);
    for (size_t first = 0, r = 0; first < n; first += stride, r++) {
        size_t end = first + stride < n ? first + stride : n;
        rl_actor_prepare(&me->actor, run->states ? run->states[first] : NULL);
        rl_release release = rl_sync_release(&run->sync, me->self, ++me->meeting, run->common,
                                             me->offset_ticks);
        race_round(me, first, release.detached);
        me->starts[r] = release.tick | (release.detached ? RL_DETACHED_BIT : 0);
        if (release.late) {
            rl_add(&me->block->late, 1);
        }
        for (size_t i = first + 1; i < end; i++) {
            rl_actor_prepare(&me->actor, run->states ? run->states[i] : NULL);
            race_round(me, i, release.detached);
        }
    }
}

/* Each state is let go as soon as it is graded, by the thread that made it. */
static void
grade(rl_thread *me)
{
    rl_run *run = me->run;
    size_t from, to;

    set_phase(me, RL_GRADING);
    share(me, &from, &to);
    for (size_t i = from; i < to && !failed(run); i++) {
        if (rl_grade(me, i) < 0) {
            rl_fail(run);
        }
        if (run->states != NULL) {
            Py_CLEAR(run->states[i]);
        }
    }
    free_states(me); /* what a failure left */
}

static void
free_returned(rl_thread *me)
{
    size_t n = me->n * (size_t)me->burst;

    set_phase(me, RL_FREEING);
    for (size_t k = 0; k < n; k++) {
        if (me->returned[k] != NULL) {
            Py_DECREF(rl_untag(me->returned[k]));
            me->returned[k] = NULL;
        }
    }
    PyErr_Clear(); /* a broken actor may have returned a value and set an exception */
}

/* End of a phase; thread 0 takes the time. */
static void
end_phase(rl_thread *me, int phase, uint64_t *mark)
{
    meet(me);
    if (me->self == 0) {
        uint64_t now = rl_ticks();
        me->run->phase_ticks[phase] += now - *mark;
        *mark = now;
    }
}

static void
run_batches(rl_thread *me)
{
    rl_run *run = me->run;
    size_t size = FIRST_BATCH < run->batch_max ? FIRST_BATCH : run->batch_max;
    uint64_t batch_began = 0, mark = run->began;

    for (;;) {
        if (me->self == 0) {
            plan(run, &size, &batch_began);
        }
        end_phase(me, 2, &mark);
        me->n = run->n; /* thread 0 plans the next batch while others still free this one */
        if (me->n == 0) {
            break;
        }
        make_states(me);
        end_phase(me, 0, &mark);
        if (failed(run)) { /* set before the rendezvous, so all see it */
            free_states(me);
            break;
        }
        race(me);
        end_phase(me, 1, &mark);
        grade(me);
        end_phase(me, 2, &mark);
        free_returned(me);
        drain(me);
    }
    set_phase(me, RL_IDLE);
}

/* ---- the thread ----------------------------------------------------------------- */

static uint64_t
own_switches(void)
{
#ifdef RUSAGE_THREAD
    struct rusage usage;
    if (getrusage(RUSAGE_THREAD, &usage) == 0) {
        return (uint64_t)usage.ru_nvcsw + (uint64_t)usage.ru_nivcsw;
    }
#endif
    return 0;
}

static void
pin(const rl_thread *me)
{
#ifdef __linux__
    const rl_run *run = me->run;
    if (run->ncpus != 0) {
        cpu_set_t set;
        CPU_ZERO(&set);
        CPU_SET((size_t)run->cpus[(size_t)me->self % run->ncpus], &set);
        pthread_setaffinity_np(pthread_self(), sizeof(set), &set); /* checked beforehand */
    }
#else
    (void)me;
#endif
}

static int
wait_for_gate(rl_run *run)
{
    pthread_mutex_lock(&run->mutex);
    while (run->gate == 0) {
        pthread_cond_wait(&run->cond, &run->mutex);
    }
    int open = run->gate > 0;
    pthread_mutex_unlock(&run->mutex);
    return open;
}

static void
report_end(rl_run *run)
{
    pthread_mutex_lock(&run->mutex);
    run->running--;
    pthread_cond_broadcast(&run->cond);
    pthread_mutex_unlock(&run->mutex);
}

/* One at a time: the first thread of a process to attach makes 3.13t immortalize objects, and
 * two that do so together race in there. */
static PyGILState_STATE
attach(rl_run *run)
{
    pthread_mutex_lock(&run->mutex);
    PyGILState_STATE attached = PyGILState_Ensure();
    pthread_mutex_unlock(&run->mutex);
    return attached;
}

void *
rl_thread_main(void *argument)
{
    rl_thread *me = argument;
    rl_run *run = me->run;

    if (wait_for_gate(run)) {
        pin(me);
        PyGILState_STATE attached = attach(run);
        uint64_t before = own_switches();
        run_batches(me);
        atomic_store_explicit(&me->block->switches, own_switches() - before,
                              memory_order_relaxed);
        rl_actor_forget(&me->actor);
        PyGILState_Release(attached);
    }
    report_end(run);
    return NULL;
}
