/* _race_args.c: from the arguments of run() to an rl_run, with one sentence if they are wrong. */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE 1
#endif
#include "_race_args.h"

#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "_race_clock.h"

enum { BATCH = 1024, BATCH_MOST = 1 << 20, VALUES_MOST = 1 << 19, BURST_MOST = 1 << 20 };
static const double default_spin_us = 50.0, longest_s = 1e6, longest_offset_ns = 1e9;

int
rl_cores(void)
{
#ifdef __linux__
    cpu_set_t set;
    if (sched_getaffinity(0, sizeof(set), &set) == 0) {
        return CPU_COUNT(&set);
    }
#endif
    long n = sysconf(_SC_NPROCESSORS_ONLN);
    return n > 0 ? (int)n : 1;
}

static int
bad_type(const char *name, const char *wanted, PyObject *got)
{
    PyErr_Format(PyExc_TypeError, "run(%s=...) takes %s, not %R", name, wanted, got);
    return -1;
}

/* An int argument in [least, most]; None leaves *value alone. */
static int
take_int(PyObject *given, const char *name, long long least, long long most, long long *value)
{
    if (given == NULL || given == Py_None) {
        return 0;
    }
    if (!PyIndex_Check(given)) {
        return bad_type(name, "an int", given);
    }
    PyObject *number = PyNumber_Index(given);
    int overflow = 0;
    long long n = number ? PyLong_AsLongLongAndOverflow(number, &overflow) : -1;
    Py_XDECREF(number);
    if (n == -1 && PyErr_Occurred()) {
        return -1;
    }
    if (overflow || n < least || n > most) {
        PyErr_Format(PyExc_ValueError, "run(%s=%R) is out of range: %lld to %lld", name, given,
                     least, most);
        return -1;
    }
    *value = n;
    return 0;
}

/* A float argument in [least, most]; None leaves *value alone. */
static int
take_float(PyObject *given, const char *name, double least, double most, double *value)
{
    if (given == NULL || given == Py_None) {
        return 0;
    }
    double x = PyFloat_AsDouble(given);
    if (x == -1.0 && PyErr_Occurred()) {
        PyErr_Clear();
        return bad_type(name, "a number", given);
    }
    if (!(x >= least && x <= most)) {
        PyObject *range = PyUnicode_FromFormat("%lld to %lld", (long long)least, (long long)most);
        if (range != NULL) {
            PyErr_Format(PyExc_ValueError, "run(%s=%R) is out of range: %U", name, given, range);
            Py_DECREF(range);
        }
        return -1;
    }
    *value = x;
    return 0;
}

/* A sequence of exactly `threads` items, or NULL (with an exception, or for None). */
static PyObject *
per_thread(PyObject *given, const char *name, int threads)
{
    if (given == NULL || given == Py_None) {
        return NULL;
    }
    if (PyUnicode_Check(given)) {
        bad_type(name, "a sequence of numbers", given);
        return NULL;
    }
    PyObject *items = PySequence_Tuple(given);
    if (items == NULL) {
        PyErr_Clear();
        bad_type(name, "a sequence of numbers", given);
    }
    else if (PyTuple_GET_SIZE(items) != threads) {
        PyErr_Format(PyExc_ValueError,
                     "run(%s=%R) has %zd numbers for %d threads; give one per thread", name,
                     given, PyTuple_GET_SIZE(items), threads);
        Py_CLEAR(items);
    }
    return items;
}

/* ---- actors --------------------------------------------------------------------- */

/* One entry of actors as a tuple (body, *arguments), checked; a new reference. */
static PyObject *
take_actor(PyObject *given, Py_ssize_t i, int with_state)
{
    PyObject *actor = PyTuple_Check(given) ? Py_NewRef(given) : PyTuple_Pack(1, given);
    PyObject *body = actor && PyTuple_GET_SIZE(actor) ? PyTuple_GET_ITEM(actor, 0) : NULL;

    if (actor == NULL) {
        return NULL;
    }
    if (body == NULL || !(PyUnicode_Check(body) || PyCallable_Check(body))) {
        PyErr_Format(PyExc_TypeError,
                     "actors[%zd] is %R; give an attribute name, a callable, or a tuple (body, "
                     "*arguments)",
                     i, given);
        Py_CLEAR(actor);
    }
    else if (PyUnicode_Check(body) && !with_state) {
        PyErr_Format(PyExc_ValueError,
                     "actors[%zd] is the name %R, but there is no state to look it up on; give "
                     "setup=..., or a callable",
                     i, body);
        Py_CLEAR(actor);
    }
    return actor;
}

static int
take_actors(rl_run *run, PyObject *given, PyObject *threads)
{
    if (given == NULL || PyUnicode_Check(given)) {
        PyErr_Format(PyExc_TypeError,
                     "run(actors=...) takes a sequence of names and callables, not %R",
                     given ? given : Py_None);
        return -1;
    }
    PyObject *list = PySequence_Tuple(given);
    if (list == NULL) {
        PyErr_Clear();
        return bad_type("actors", "a sequence of names and callables", given);
    }
    long long n = PyTuple_GET_SIZE(list);
    if (n == 0) {
        PyErr_SetString(PyExc_ValueError, "run(actors=...) is empty; give at least one actor");
    }
    else if (take_int(threads, "threads", 1, RL_MAX_THREADS, &n) == 0) {
        run->threads = (int)n;
        run->bodies = PyTuple_New(run->threads);
    }
    for (int t = 0; run->bodies != NULL && t < run->threads; t++) {
        Py_ssize_t i = t % PyTuple_GET_SIZE(list);
        PyObject *actor = take_actor(PyTuple_GET_ITEM(list, i), i, run->setup != NULL);
        if (actor == NULL) {
            Py_CLEAR(run->bodies);
            break;
        }
        PyTuple_SET_ITEM(run->bodies, t, actor);
    }
    Py_DECREF(list);
    return run->bodies == NULL ? -1 : 0;
}

static int
take_bursts(rl_run *run, PyObject *given)
{
    PyObject *items = per_thread(given, "bursts", run->threads);
    int rc = PyErr_Occurred() ? -1 : 0;

    run->nreturned = 0;
    for (int t = 0; t < run->threads && rc == 0; t++) {
        long long burst = 1;
        if (items != NULL) {
            rc = take_int(PyTuple_GET_ITEM(items, t), "bursts", 1, BURST_MOST, &burst);
        }
        run->thread[t].burst = (int)burst;
        run->nreturned += (size_t)burst;
    }
    Py_XDECREF(items);
    return rc;
}

static int
take_offsets(rl_run *run, PyObject *given)
{
    PyObject *items = per_thread(given, "offsets_ns", run->threads);
    double least = 0, *ns = PyMem_Calloc((size_t)run->threads, sizeof(*ns));
    int rc = PyErr_Occurred() ? -1 : 0;

    if (ns == NULL) {
        PyErr_NoMemory();
        rc = -1;
    }
    for (int t = 0; items != NULL && t < run->threads && rc == 0; t++) {
        rc = take_float(PyTuple_GET_ITEM(items, t), "offsets_ns", -longest_offset_ns,
                        longest_offset_ns, &ns[t]);
        least = t == 0 || ns[t] < least ? ns[t] : least;
    }
    for (int t = 0; t < run->threads && rc == 0; t++) {
        run->thread[t].offset_ticks = (uint64_t)((ns[t] - least) / run->ns_per_tick);
    }
    PyMem_Free(ns);
    Py_XDECREF(items);
    return rc;
}

/* The vectorcall arguments of a thread: a free place, the state, then what was given. */
static int
prepare_actor(rl_run *run, int t)
{
    rl_actor *actor = &run->thread[t].actor;
    PyObject *given = PyTuple_GET_ITEM(run->bodies, t);
    Py_ssize_t extra = PyTuple_GET_SIZE(given) - 1;

    actor->with_state = run->setup != NULL;
    actor->body = PyTuple_GET_ITEM(given, 0);
    actor->nargs = (size_t)extra + (actor->with_state ? 1 : 0);
    actor->args = PyMem_Calloc((size_t)extra + 2, sizeof(*actor->args));
    if (actor->args == NULL) {
        PyErr_NoMemory();
        return -1;
    }
    for (Py_ssize_t k = 0; k < extra; k++) {
        actor->args[k + (actor->with_state ? 2 : 1)] = PyTuple_GET_ITEM(given, k + 1);
    }
    if (!PyUnicode_Check(actor->body)) {
        actor->callable = Py_NewRef(actor->body);
        actor->entry = PyVectorcall_Function(actor->callable);
    }
    return 0;
}

/* ---- observing ------------------------------------------------------------------ */

/* A name, or a sequence of names, as a tuple. */
static PyObject *
take_names(PyObject *given, const char *name)
{
    PyObject *names =
        PyUnicode_Check(given) ? PyTuple_Pack(1, given) : PySequence_Tuple(given);
    for (Py_ssize_t i = 0; names != NULL && i < PyTuple_GET_SIZE(names); i++) {
        if (!PyUnicode_Check(PyTuple_GET_ITEM(names, i))) {
            Py_CLEAR(names);
        }
    }
    if (names == NULL) {
        PyErr_Clear();
        bad_type(name, "a name or a sequence of names", given);
    }
    return names;
}

static int
take_observe(rl_run *run, PyObject *observe, PyObject *key)
{
    int keyed = key != NULL && key != Py_None;

    if (observe == NULL || observe == Py_None) {
        run->how = RL_BY_RETURNED;
        if (!run->keep_returned) {
            PyErr_SetString(PyExc_ValueError,
                            "run(keep_returned=False) leaves nothing to label a round by; give "
                            "observe=...");
            return -1;
        }
    }
    else if (PyUnicode_Check(observe)) {
        run->how = RL_BY_ATTRIBUTE;
    }
    else if (PyCallable_Check(observe)) {
        run->how = keyed ? RL_BY_MEMO : RL_BY_CALL;
    }
    else {
        return bad_type("observe", "None, an attribute name or a callable", observe);
    }
    if (keyed && run->how != RL_BY_MEMO) {
        PyErr_Format(PyExc_ValueError,
                     "run(observe_key=%R) goes with a callable observe; leave it out", key);
        return -1;
    }
    run->observe = Py_NewRef(observe ? observe : Py_None);
    run->keys = run->how == RL_BY_ATTRIBUTE ? PyTuple_Pack(1, observe)
                : keyed                     ? take_names(key, "observe_key")
                                            : PyTuple_New(0);
    if (run->keys == NULL) {
        return -1;
    }
    run->nkeys = (size_t)PyTuple_GET_SIZE(run->keys);
    if (run->nkeys != 0 && run->setup == NULL) {
        PyErr_SetString(PyExc_ValueError,
                        "observing an attribute needs a state to read it from; give setup=...");
        return -1;
    }
    if (!run->keep_returned) {
        run->nreturned = 0;
    }
    run->words = run->nkeys + (run->how == RL_BY_ATTRIBUTE ? 0 : run->nreturned);
    return 0;
}

static int
take_stop_on(rl_run *run, PyObject *given)
{
    if (given != NULL && PyUnicode_Check(given)) {
        return bad_type("stop_on", "a collection of labels", given);
    }
    run->stop_on = PyFrozenSet_New(given);
    return run->stop_on == NULL ? -1 : 0;
}

/* ---- limits, sizes -------------------------------------------------------------- */

static int
take_limits(rl_run *run, const rl_given *given)
{
    long long rounds = 0, stride = 1, made_by = -1;
    double seconds = 0;

    if (take_int(given->rounds, "rounds", 1, (long long)1 << 60, &rounds) < 0
        || take_float(given->seconds, "seconds", 0, longest_s, &seconds) < 0
        || take_int(given->stride, "stride", 1, BATCH_MOST, &stride) < 0
        || take_int(given->made_by, "made_by", 0, run->threads - 1, &made_by) < 0) {
        return -1;
    }
    int has_seconds = given->seconds != NULL && given->seconds != Py_None;
    if (rounds == 0 && !has_seconds) {
        PyErr_SetString(PyExc_ValueError,
                        "run() would never end; give rounds=..., seconds=... or both");
        return -1;
    }
    run->rounds = (uint64_t)rounds;
    run->limit_ticks = has_seconds ? (uint64_t)(seconds * rl_tick_hz()) + 1 : 0;
    run->stride = (int)stride;
    run->made_by = (int)made_by;
    return 0;
}

static int
take_batch(rl_run *run, PyObject *given)
{
    size_t values = 0;
    for (int t = 0; t < run->threads; t++) {
        values += (size_t)run->thread[t].burst;
    }
    long long batch = BATCH > run->stride ? BATCH : run->stride;
    if (batch > (long long)(VALUES_MOST / values)) {
        batch = VALUES_MOST > values ? (long long)(VALUES_MOST / values) : 1;
    }
    if (take_int(given, "batch", 1, BATCH_MOST, &batch) < 0) {
        return -1;
    }
    run->batch_max = (size_t)batch;
    return 0;
}

static int
take_release(rl_run *run, PyObject *given)
{
    if (given == NULL || PyUnicode_Check(given)) {
        if (given == NULL || PyUnicode_CompareWithASCIIString(given, "barrier") == 0) {
            return 0;
        }
        if (PyUnicode_CompareWithASCIIString(given, "tsc") == 0) {
            run->common = 1;
            return 0;
        }
    }
    PyErr_Format(PyExc_ValueError, "run(release=%R): must be \"barrier\" or \"tsc\"", given);
    return -1;
}

static int
cpu_is_ours(long long cpu)
{
#ifdef __linux__
    cpu_set_t set;
    return sched_getaffinity(0, sizeof(set), &set) == 0 && CPU_ISSET((size_t)cpu, &set);
#else
    (void)cpu;
    return 0;
#endif
}

static int
take_cpu_list(rl_run *run, PyObject *given)
{
    PyObject *items = PyUnicode_Check(given) ? NULL : PySequence_Tuple(given);
    if (items == NULL || PyTuple_GET_SIZE(items) == 0) {
        Py_XDECREF(items);
        PyErr_Clear();
        return bad_type("cpus", "\"spread\", \"any\" or a sequence of CPU numbers", given);
    }
    size_t n = (size_t)PyTuple_GET_SIZE(items);
    int rc = 0;
    run->cpus = PyMem_Calloc(n, sizeof(*run->cpus));
    for (size_t i = 0; run->cpus != NULL && i < n && rc == 0; i++) {
        long long cpu = 0;
        rc = take_int(PyTuple_GET_ITEM(items, (Py_ssize_t)i), "cpus", 0, 1023, &cpu);
        if (rc == 0 && !cpu_is_ours(cpu)) {
            PyErr_Format(PyExc_ValueError,
                         "run(cpus=%R): this process may not run on CPU %lld; leave cpus out or "
                         "see os.sched_getaffinity(0)",
                         given, cpu);
            rc = -1;
        }
        run->cpus[i] = (int)cpu;
    }
    Py_DECREF(items);
    run->ncpus = n;
    return run->cpus == NULL ? (PyErr_NoMemory(), -1) : rc;
}

/* A CPU each, drawn at random, so that two runs side by side do not fight for the same ones.
 * Left to the scheduler, threads that wait for each other may share a core for seconds. */
static int
spread(rl_run *run)
{
#ifdef __linux__
    cpu_set_t set;
    size_t n = 0;
    uint64_t dice = rl_ticks() ^ (uint64_t)getpid() << 32;

    if (sched_getaffinity(0, sizeof(set), &set) != 0 || CPU_COUNT(&set) < run->threads) {
        return 0;
    }
    run->cpus = PyMem_Calloc((size_t)CPU_COUNT(&set), sizeof(*run->cpus));
    if (run->cpus == NULL) {
        PyErr_NoMemory();
        return -1;
    }
    for (int cpu = 0; cpu < CPU_SETSIZE; cpu++) {
        if (CPU_ISSET((size_t)cpu, &set)) { /* shuffled while they are collected */
            dice = dice * 6364136223846793005u + 1442695040888963407u;
            size_t k = (size_t)(dice >> 33) % (n + 1);
            run->cpus[n] = run->cpus[k];
            run->cpus[k] = cpu;
            n++;
        }
    }
    run->ncpus = (size_t)run->threads;
#endif
    return 0;
}

static int
take_cpus(rl_run *run, PyObject *given)
{
    if (given == NULL || given == Py_None
        || (PyUnicode_Check(given) && PyUnicode_CompareWithASCIIString(given, "spread") == 0)) {
        return spread(run);
    }
    if (PyUnicode_Check(given) && PyUnicode_CompareWithASCIIString(given, "any") == 0) {
        return 0;
    }
    return take_cpu_list(run, given);
}

static int
count_distinct(const int *cpus, size_t n)
{
    int distinct = 0;
    for (size_t i = 0; i < n; i++) {
        size_t k = 0;
        while (k < i && cpus[k] != cpus[i]) {
            k++;
        }
        distinct += k == i;
    }
    return distinct;
}

static int
prepare_sync(rl_run *run, PyObject *spin_limit_us)
{
    double spin_us = run->gil ? 0 : default_spin_us;

    if (take_float(spin_limit_us, "spin_limit_us", 0, 1e6, &spin_us) < 0) {
        return -1;
    }
    int cores = run->ncpus ? count_distinct(run->cpus, run->ncpus) : rl_cores();
    run->own_core = run->threads <= cores;
    if (rl_sync_init(&run->sync, run->threads, run->own_core, spin_us, run->ns_per_tick) < 0) {
        PyErr_NoMemory();
        return -1;
    }
    return 0;
}

/* ---- memory --------------------------------------------------------------------- */

static int
prepare_threads(rl_run *run)
{
    size_t size = (size_t)run->threads * sizeof(rl_thread);

    run->thread = aligned_alloc(RL_LINE, size);
    if (run->thread == NULL) {
        PyErr_NoMemory();
        return -1;
    }
    memset(run->thread, 0, size);
    for (int t = 0; t < run->threads; t++) {
        run->thread[t].run = run;
        run->thread[t].self = t;
    }
    return 0;
}

static int
prepare_arrays(rl_run *run)
{
    run->states = run->setup ? PyMem_Calloc(run->batch_max, sizeof(PyObject *)) : NULL;
    if (run->setup != NULL && run->states == NULL) {
        PyErr_NoMemory();
        return -1;
    }
    for (int t = 0; t < run->threads; t++) {
        rl_thread *thread = &run->thread[t];
        /* Apart from its neighbours: each array is written by one thread in every round. */
        size_t starts = (run->batch_max * sizeof(uint64_t) / RL_LINE + 2) * RL_LINE;
        size_t values =
            (run->batch_max * (size_t)thread->burst * sizeof(PyObject *) / RL_LINE + 2) * RL_LINE;
        thread->starts = aligned_alloc(RL_LINE, starts);
        thread->returned = aligned_alloc(RL_LINE, values);
        if (thread->starts == NULL || thread->returned == NULL) {
            PyErr_NoMemory();
            return -1;
        }
        memset(thread->starts, 0, starts);
        memset(thread->returned, 0, values);
        if (prepare_actor(run, t) < 0 || rl_grade_init(thread) < 0) {
            return -1;
        }
    }
    return 0;
}

static int
prepare_tally(rl_run *run, PyObject *given, PyObject *labels_given)
{
    long long labels = 64;

    if (take_int(labels_given, "labels", 2, RL_MAX_LABELS, &labels) < 0) {
        return -1;
    }
    size_t size = rl_tally_size((uint32_t)run->threads, (uint32_t)labels);
    if (given != NULL && given != Py_None) {
        if (PyObject_GetBuffer(given, &run->view, PyBUF_WRITABLE) < 0) {
            PyErr_Clear();
            return bad_type("tally", "a writable buffer", given);
        }
        if ((size_t)run->view.len < size || (uintptr_t)run->view.buf % 8 != 0) {
            PyErr_Format(PyExc_ValueError,
                         "run(tally=...) has %zd bytes%s; %d threads and %lld labels need %zu: "
                         "allocate tally_size(%d, %lld) by mmap",
                         run->view.len,
                         (uintptr_t)run->view.buf % 8 ? " at an address not divisible by 8" : "",
                         run->threads, labels, size, run->threads, labels);
            return -1;
        }
        run->header = run->view.buf;
    }
    else {
        run->header = aligned_alloc(RL_LINE, (size + RL_LINE - 1) / RL_LINE * RL_LINE);
        if (run->header == NULL) {
            PyErr_NoMemory();
            return -1;
        }
    }
    rl_header first = {.tick_hz = 1e9 / run->ns_per_tick,
                       .rounds_planned = run->rounds,
                       .stride = (uint32_t)run->stride,
                       .gil = (uint32_t)run->gil,
                       .release = (uint32_t)run->common};
    rl_tally_describe(&first, (uint32_t)run->threads, (uint32_t)labels);
    rl_tally_init(run->header, &first, size);
    for (int t = 0; t < run->threads; t++) {
        run->thread[t].block = rl_tally_block(run->header, (uint32_t)t);
    }
    return 0;
}

static int
take_setup(rl_run *run, PyObject *given)
{
    if (given == NULL || given == Py_None) {
        return 0;
    }
    if (!PyCallable_Check(given)) {
        return bad_type("setup", "a callable or None", given);
    }
    run->setup = Py_NewRef(given);
    return 0;
}

int
rl_run_prepare(rl_run *run, const rl_given *given)
{
    run->ns_per_tick = 1e9 / rl_tick_hz();
    run->keep_returned = given->keep_returned;
    run->errors = PyDict_New();
    if (run->errors == NULL || take_setup(run, given->setup) < 0
        || take_actors(run, given->actors, given->threads) < 0 || prepare_threads(run) < 0
        || take_bursts(run, given->bursts) < 0 || take_offsets(run, given->offsets_ns) < 0
        || take_observe(run, given->observe, given->observe_key) < 0
        || take_stop_on(run, given->stop_on) < 0 || take_limits(run, given) < 0
        || take_release(run, given->release) < 0 || take_batch(run, given->batch) < 0
        || take_cpus(run, given->cpus) < 0 || prepare_sync(run, given->spin_limit_us) < 0
        || prepare_tally(run, given->tally, given->labels) < 0 || prepare_arrays(run) < 0) {
        return -1;
    }
    run->threads_object = PyLong_FromLong(run->threads);
    return run->threads_object == NULL ? -1 : 0;
}

void
rl_run_free(rl_run *run)
{
    for (int t = 0; run->thread != NULL && t < run->threads; t++) {
        rl_actor_forget(&run->thread[t].actor);
        rl_grade_free(&run->thread[t]);
        free(run->thread[t].starts);
        free(run->thread[t].returned);
    }
    free(run->thread);
    rl_sync_free(&run->sync);
    if (run->view.obj != NULL) {
        PyBuffer_Release(&run->view);
    }
    else {
        free(run->header);
    }
    PyMem_Free(run->states);
    PyMem_Free(run->cpus);
    Py_XDECREF(run->setup);
    Py_XDECREF(run->bodies);
    Py_XDECREF(run->observe);
    Py_XDECREF(run->keys);
    Py_XDECREF(run->stop_on);
    Py_XDECREF(run->errors);
    Py_XDECREF(run->drain);
    Py_XDECREF(run->threads_object);
    Py_XDECREF(atomic_load(&run->failure));
    pthread_mutex_destroy(&run->mutex);
    pthread_cond_destroy(&run->cond);
    free(run);
}
