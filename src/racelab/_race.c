/* _race.c: the module racelab._race. Documentation is in _race.pyi. */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE 1
#endif
#include <Python.h>

#include <errno.h>
#include <sched.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "_race_args.h"
#include "_race_clock.h"
#include "race_point.h"

enum { POLL_NS = 50000000 };
static const uint64_t grace_ns = 2000000000;

typedef struct {
    PyObject *drain;
    PyObject *known_race;
    PyObject *known_race_label;
} module_state;

/* ---- starting and ending the threads -------------------------------------------- */

static void
open_gate(rl_run *run, int gate)
{
    pthread_mutex_lock(&run->mutex);
    run->gate = gate;
    pthread_cond_broadcast(&run->cond);
    pthread_mutex_unlock(&run->mutex);
}

static void
join_threads(rl_run *run, int started)
{
    for (int t = 0; t < started; t++) {
        Py_BEGIN_ALLOW_THREADS
        pthread_join(run->thread[t].handle, NULL);
        Py_END_ALLOW_THREADS
    }
}

/* Start all threads or none. They wait at the gate, so that none races alone. */
static int
start_threads(rl_run *run)
{
    run->running = run->threads;
    for (int t = 0; t < run->threads; t++) {
        int error =
            pthread_create(&run->thread[t].handle, NULL, rl_thread_main, &run->thread[t]);
        if (error != 0) {
            open_gate(run, -1);
            join_threads(run, t);
            PyErr_Format(PyExc_RuntimeError,
                         "the system started %d of %d threads, then refused (%s); race with fewer "
                         "threads or raise the limit (ulimit -u)",
                         t, run->threads, strerror(error));
            return -1;
        }
    }
    run->began = rl_ticks();
    uint64_t now = rl_now_ns();
    atomic_store_explicit(&run->header->started_ns, now, memory_order_relaxed);
    atomic_store_explicit(&run->header->updated_ns, now, memory_order_relaxed);
    atomic_store_explicit(&run->header->state, RL_RUNNING, memory_order_release);
    open_gate(run, 1);
    return 0;
}

/* Sleep, detached, until the threads have ended or it is time to look at signals. */
static int
threads_running(rl_run *run)
{
    struct timespec until;
    int running;

    Py_BEGIN_ALLOW_THREADS
    clock_gettime(CLOCK_REALTIME, &until);
    until.tv_nsec += POLL_NS;
    until.tv_sec += until.tv_nsec / 1000000000;
    until.tv_nsec %= 1000000000;
    pthread_mutex_lock(&run->mutex);
    while (run->running > 0
           && pthread_cond_timedwait(&run->cond, &run->mutex, &until) != ETIMEDOUT) {
    }
    running = run->running;
    pthread_mutex_unlock(&run->mutex);
    Py_END_ALLOW_THREADS
    return running;
}

/* Wait for the end of all threads, also after a signal handler has raised: then at most for
 * the grace time. Returns the number of threads that are still there; *raised is what the
 * signal handler raised (strong), or NULL. */
static int
wait_for_threads(rl_run *run, PyObject **raised)
{
    uint64_t given_up = 0;
    int running;

    while ((running = threads_running(run)) > 0) {
        if (PyErr_CheckSignals() < 0) {
            atomic_store_explicit(&run->stop, 1, memory_order_release);
            Py_XSETREF(*raised, PyErr_GetRaisedException());
            given_up = given_up == 0 ? rl_now_ns() + grace_ns : given_up;
        }
        if (given_up != 0 && rl_now_ns() > given_up) {
            break;
        }
    }
    return running;
}

/* ---- the result ----------------------------------------------------------------- */

static int
put(PyObject *dict, const char *name, PyObject *value) /* steals value, which may be NULL */
{
    int rc = value == NULL ? -1 : PyDict_SetItemString(dict, name, value);
    Py_XDECREF(value);
    return rc;
}

static PyObject *
offsets_list(const rl_run *run)
{
    PyObject *list = PyList_New(run->threads);
    for (int t = 0; list != NULL && t < run->threads; t++) {
        double ns = (double)run->thread[t].offset_ticks * run->ns_per_tick;
        PyObject *item = PyFloat_FromDouble(ns);
        if (item == NULL) {
            Py_CLEAR(list);
            break;
        }
        PyList_SET_ITEM(list, t, item);
    }
    return list;
}

static PyObject *
bursts_list(const rl_run *run)
{
    PyObject *list = PyList_New(run->threads);
    for (int t = 0; list != NULL && t < run->threads; t++) {
        PyObject *item = PyLong_FromLong(run->thread[t].burst);
        if (item == NULL) {
            Py_CLEAR(list);
            break;
        }
        PyList_SET_ITEM(list, t, item);
    }
    return list;
}

static PyObject *
cpus_list(const rl_run *run)
{
    if (run->ncpus == 0) {
        Py_RETURN_NONE;
    }
    PyObject *list = PyList_New(run->threads);
    for (int t = 0; list != NULL && t < run->threads; t++) {
        PyObject *item = PyLong_FromLong(run->cpus[(size_t)t % run->ncpus]);
        if (item == NULL) {
            Py_CLEAR(list);
            break;
        }
        PyList_SET_ITEM(list, t, item);
    }
    return list;
}

static PyObject *
ns_per_switch(const rl_run *run, uint64_t switches, double racing_s)
{
    int cores = rl_cores();
    if (run->threads <= cores || switches == 0) {
        Py_RETURN_NONE;
    }
    return PyFloat_FromDouble(racing_s * 1e9 * cores / (double)switches);
}

static int
put_times(rl_run *run, PyObject *result, double wall_s)
{
    static const char *const names[] = {"seconds_making", "seconds_racing", "seconds_grading"};
    double racing_s = (double)run->phase_ticks[1] * run->ns_per_tick * 1e-9;
    uint64_t switches = 0, late = 0;
    int rc = 0;

    for (int k = 0; k < 3 && rc == 0; k++) {
        double s = (double)run->phase_ticks[k] * run->ns_per_tick * 1e-9;
        rc = put(result, names[k], PyFloat_FromDouble(s));
    }
    for (int t = 0; t < run->threads; t++) {
        switches += rl_get(&run->thread[t].block->switches);
        late += rl_get(&run->thread[t].block->late);
    }
    double rounds = (double)run->base;
    if (rc < 0 || put(result, "seconds", PyFloat_FromDouble(wall_s)) < 0
        || put(result, "rounds_per_s", PyFloat_FromDouble(rounds / wall_s)) < 0
        || put(result, "race_rounds_per_s",
               PyFloat_FromDouble(racing_s > 0 ? rounds / racing_s : 0))
               < 0
        || put(result, "switches", PyLong_FromUnsignedLongLong(switches)) < 0
        || put(result, "late", PyLong_FromUnsignedLongLong(late)) < 0
        || put(result, "ns_per_switch", ns_per_switch(run, switches, racing_s)) < 0) {
        return -1;
    }
    return 0;
}

static int
widened(void)
{
    const char *value = getenv("RACELAB_WIDEN");
    return value != NULL && value[0] != '\0' && strcmp(value, "0") != 0;
}

static int
put_settings(rl_run *run, PyObject *result)
{
    double spin_us = (double)run->sync.spin_ticks * run->ns_per_tick * 1e-3;
    PyObject *made_by = run->made_by < 0 ? Py_NewRef(Py_None) : PyLong_FromLong(run->made_by);

    if (put(result, "made_by", made_by) < 0 || put(result, "offsets_ns", offsets_list(run)) < 0
        || put(result, "bursts", bursts_list(run)) < 0
        || put(result, "cpus", cpus_list(run)) < 0
        || put(result, "batch", PyLong_FromSize_t(run->batch_max)) < 0
        || put(result, "spin_limit_us", PyFloat_FromDouble(spin_us)) < 0
        || put(result, "cores", PyLong_FromLong(rl_cores())) < 0
        || put(result, "clock", PyUnicode_FromString(RL_TSC ? "tsc" : "clock_gettime")) < 0
        || put(result, "widened", PyBool_FromLong(widened())) < 0
        || put(result, "stopped", PyUnicode_FromString(run->stopped)) < 0
        || PyDict_SetItemString(result, "errors", run->errors) < 0) {
        return -1;
    }
    return 0;
}

static PyObject *
result_of(rl_run *run, double wall_s)
{
    size_t size = rl_tally_size((uint32_t)run->threads, run->header->labels);
    PyObject *result = rl_tally_read(run->header, size);

    if (result != NULL && (put_times(run, result, wall_s) < 0 || put_settings(run, result) < 0)) {
        Py_CLEAR(result);
    }
    return result;
}

/* ---- run ------------------------------------------------------------------------ */

static int
gil_is_on(void)
{
#ifdef Py_GIL_DISABLED
    PyObject *function = PySys_GetObject("_is_gil_enabled"); /* borrowed */
    PyObject *on = function ? PyObject_CallNoArgs(function) : NULL;
    int is_on = on ? PyObject_IsTrue(on) : 1;
    Py_XDECREF(on);
    PyErr_Clear();
    return is_on != 0;
#else
    return 1;
#endif
}

static rl_run *
new_run(module_state *state)
{
    size_t size = (sizeof(rl_run) + RL_LINE - 1) / RL_LINE * RL_LINE;
    rl_run *run = aligned_alloc(RL_LINE, size);

    if (run == NULL) {
        PyErr_NoMemory();
        return NULL;
    }
    memset((void *)run, 0, size);
    run->made_by = -1;
    run->gil = gil_is_on();
    run->drain = Py_NewRef(state->drain);
    pthread_mutex_init(&run->mutex, NULL);
    pthread_cond_init(&run->cond, NULL);
    return run;
}

/* The threads have ended: the result, or the exception that ended the run. Steals raised. */
static PyObject *
finish(rl_run *run, PyObject *raised)
{
    double wall_s = (double)(rl_ticks() - run->began) * run->ns_per_tick * 1e-9;

    if (raised == NULL) {
        raised = Py_XNewRef(atomic_load(&run->failure));
    }
    atomic_store_explicit(&run->header->state, raised ? RL_FAILED : RL_FINISHED,
                          memory_order_release);
    if (raised != NULL) {
        PyErr_SetRaisedException(raised);
        return NULL;
    }
    return result_of(run, wall_s);
}

static PyObject *
run_given(module_state *state, const rl_given *given)
{
    rl_run *run = new_run(state);
    PyObject *result = NULL, *raised = NULL;

    if (run == NULL) {
        return NULL;
    }
    if (rl_run_prepare(run, given) == 0 && start_threads(run) == 0) {
        if (wait_for_threads(run, &raised) > 0) {
            /* Threads that hang in an actor still use all of this: it is never freed. */
            atomic_store_explicit(&run->header->state, RL_FAILED, memory_order_release);
            PyErr_SetRaisedException(raised);
            return NULL;
        }
        join_threads(run, run->threads);
        result = finish(run, raised);
    }
    rl_run_free(run);
    return result;
}

static PyObject *
race_run(PyObject *module, PyObject *args, PyObject *kwargs)
{
    static char *names[] = {"setup",       "actors",    "threads",    "rounds",
                            "seconds",     "observe",   "observe_key", "release",
                            "stride",      "batch",     "offsets_ns", "bursts",
                            "made_by",     "spin_limit_us", "keep_returned", "stop_on",
                            "cpus",        "tally",     "labels",     NULL};
    rl_given given = {.keep_returned = 1};

    if (!PyArg_ParseTupleAndKeywords(
            args, kwargs, "|$OOOOOOOOOOOOOOpOOOO:run", names, &given.setup, &given.actors,
            &given.threads, &given.rounds, &given.seconds, &given.observe, &given.observe_key,
            &given.release, &given.stride, &given.batch, &given.offsets_ns, &given.bursts,
            &given.made_by, &given.spin_limit_us, &given.keep_returned, &given.stop_on,
            &given.cpus, &given.tally, &given.labels)) {
        return NULL;
    }
    return run_given(PyModule_GetState(module), &given);
}

/* ---- the tally ------------------------------------------------------------------ */

static PyObject *
race_tally_size(PyObject *Py_UNUSED(module), PyObject *args, PyObject *kwargs)
{
    static char *names[] = {"threads", "labels", NULL};
    int threads, labels = 64;

    if (!PyArg_ParseTupleAndKeywords(args, kwargs, "i|i:tally_size", names, &threads, &labels)) {
        return NULL;
    }
    if (threads < 1 || threads > RL_MAX_THREADS || labels < 2 || labels > RL_MAX_LABELS) {
        PyErr_Format(PyExc_ValueError,
                     "tally_size(%d, %d) is out of range: 1 to %d threads, 2 to %d labels",
                     threads, labels, RL_MAX_THREADS, RL_MAX_LABELS);
        return NULL;
    }
    return PyLong_FromSize_t(rl_tally_size((uint32_t)threads, (uint32_t)labels));
}

static PyObject *
race_read_tally(PyObject *Py_UNUSED(module), PyObject *buffer)
{
    Py_buffer view;

    if (PyObject_GetBuffer(buffer, &view, PyBUF_SIMPLE) < 0) {
        return NULL;
    }
    PyObject *result = rl_tally_read(view.buf, (size_t)view.len);
    PyBuffer_Release(&view);
    return result;
}

/* ---- about this machine --------------------------------------------------------- */

static PyObject *
race_tick_hz(PyObject *Py_UNUSED(module), PyObject *Py_UNUSED(ignored))
{
    return PyFloat_FromDouble(rl_tick_hz());
}

static PyObject *
race_cores(PyObject *Py_UNUSED(module), PyObject *Py_UNUSED(ignored))
{
    return PyLong_FromLong(rl_cores());
}

static PyObject *
race_gil_enabled(PyObject *Py_UNUSED(module), PyObject *Py_UNUSED(ignored))
{
    return PyBool_FromLong(gil_is_on());
}

static PyObject *
race_measure_skew(PyObject *module, PyObject *args, PyObject *kwargs)
{
    static char *names[] = {"threads", "rounds", "release", "cpus", NULL};
    module_state *state = PyModule_GetState(module);
    rl_given given = {.keep_returned = 1, .setup = state->known_race};
    PyObject *threads = NULL, *rounds = NULL, *result = NULL;

    if (!PyArg_ParseTupleAndKeywords(args, kwargs, "|$OOOO:measure_skew", names, &threads, &rounds,
                                     &given.release, &given.cpus)) {
        return NULL;
    }
    given.threads = threads ? Py_NewRef(threads) : PyLong_FromLong(2);
    given.rounds = rounds ? Py_NewRef(rounds) : PyLong_FromLong(100000);
    given.actors = Py_BuildValue("(s)", "nothing");
    if (given.threads != NULL && given.rounds != NULL && given.actors != NULL) {
        result = run_given(state, &given);
    }
    Py_XDECREF(given.threads);
    Py_XDECREF(given.rounds);
    Py_XDECREF(given.actors);
    return result;
}

typedef struct {
    int turn; /* 0 or 1; by atomic builtins */
    int cpu;  /* both on this one; -1: anywhere */
    long handovers;
} relay;

typedef struct {
    relay *relay;
    int self;
} runner;

static void *
run_relay(void *argument)
{
    const runner *me = argument;
    relay *relay = me->relay;

#ifdef __linux__
    if (relay->cpu >= 0) {
        cpu_set_t set;
        CPU_ZERO(&set);
        CPU_SET((size_t)relay->cpu, &set);
        pthread_setaffinity_np(pthread_self(), sizeof(set), &set);
    }
#endif
    for (long i = 0; i < relay->handovers; i++) {
        while (__atomic_load_n(&relay->turn, __ATOMIC_ACQUIRE) != me->self) {
            sched_yield();
        }
        __atomic_store_n(&relay->turn, !me->self, __ATOMIC_RELEASE);
    }
    return NULL;
}

/* Total time of one relay, ns; 0 and an exception set if a thread could not be started. */
static uint64_t
time_relay(long handovers, int cpu)
{
    relay shared = {0, cpu, handovers};
    runner first = {&shared, 0}, second = {&shared, 1};
    pthread_t handle;
    uint64_t took = 0;
    int error;

    Py_BEGIN_ALLOW_THREADS
    error = pthread_create(&handle, NULL, run_relay, &second);
    if (error == 0) {
        pthread_t other;
        uint64_t began = rl_now_ns();
        error = pthread_create(&other, NULL, run_relay, &first);
        if (error == 0) {
            pthread_join(other, NULL);
        }
        else {
            run_relay(&first); /* the second thread must not wait for ever */
        }
        pthread_join(handle, NULL);
        took = rl_now_ns() - began;
    }
    Py_END_ALLOW_THREADS
    if (error != 0) {
        PyErr_Format(PyExc_RuntimeError, "the system refused to start a thread: %s",
                     strerror(error));
        return 0;
    }
    return took == 0 ? 1 : took;
}

static int
first_cpu(void)
{
#ifdef __linux__
    cpu_set_t set;
    if (sched_getaffinity(0, sizeof(set), &set) == 0) {
        for (int cpu = 0; cpu < CPU_SETSIZE; cpu++) {
            if (CPU_ISSET((size_t)cpu, &set)) {
                return cpu;
            }
        }
    }
#endif
    return -1;
}

static int
compare_u64(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return (x > y) - (x < y);
}

static PyObject *
race_switch_cost_ns(PyObject *Py_UNUSED(module), PyObject *args, PyObject *kwargs)
{
    static char *names[] = {"switches", NULL};
    uint64_t took[5];
    long switches = 20000;

    if (!PyArg_ParseTupleAndKeywords(args, kwargs, "|$l:switch_cost_ns", names, &switches)) {
        return NULL;
    }
    if (switches < 2 || switches > 100000000) {
        PyErr_Format(PyExc_ValueError,
                     "switch_cost_ns(switches=%ld) is out of range: 2 to 100000000", switches);
        return NULL;
    }
    for (int i = 0; i < 5; i++) {
        took[i] = time_relay(switches / 2, first_cpu());
        if (took[i] == 0) {
            return NULL;
        }
    }
    qsort(took, 5, sizeof(took[0]), compare_u64);
    return PyFloat_FromDouble((double)took[2] / (double)(switches / 2 * 2));
}

/* ---- a race that is known to be there ------------------------------------------- */

typedef struct {
    PyObject_HEAD
    _Atomic long value;
} known_race;

/* The bug is in the logic: every access is atomic, the increment isn't. So it loses updates
 * like any counter, and sanitizers have nothing to say against it. */
static PyObject *
known_race_bump(PyObject *self, PyObject *Py_UNUSED(ignored))
{
    known_race *counter = (known_race *)self;
    long seen = atomic_load_explicit(&counter->value, memory_order_relaxed);
    RACE_POINT();
    atomic_store_explicit(&counter->value, seen + 1, memory_order_relaxed);
    Py_RETURN_NONE;
}

static PyObject *
known_race_bump_atomic(PyObject *self, PyObject *Py_UNUSED(ignored))
{
    atomic_fetch_add_explicit(&((known_race *)self)->value, 1, memory_order_relaxed);
    Py_RETURN_NONE;
}

static PyObject *
known_race_nothing(PyObject *Py_UNUSED(self), PyObject *Py_UNUSED(ignored))
{
    Py_RETURN_NONE;
}

static void
known_race_dealloc(PyObject *self)
{
    PyTypeObject *type = Py_TYPE(self);
    type->tp_free(self);
    Py_DECREF(type);
}

static PyMethodDef known_race_methods[] = {
    {"bump", known_race_bump, METH_NOARGS, "Add 1 by a load and a store: loses updates."},
    {"bump_atomic", known_race_bump_atomic, METH_NOARGS, "Add 1 atomically: loses nothing."},
    {"nothing", known_race_nothing, METH_NOARGS, "Do nothing."},
    {NULL, NULL, 0, NULL},
};

static PyMemberDef known_race_members[] = {
    {"value", Py_T_LONG, offsetof(known_race, value), Py_READONLY, "How many increments counted."},
    {NULL, 0, 0, 0, NULL},
};

static PyType_Slot known_race_slots[] = {
    {Py_tp_doc, "A counter for calibration and tests; starts at 0."},
    {Py_tp_dealloc, (void *)(uintptr_t)known_race_dealloc},
    {Py_tp_methods, known_race_methods},
    {Py_tp_members, known_race_members},
    {0, NULL},
};

static PyType_Spec known_race_spec = {
    .name = "racelab._race.KnownRace",
    .basicsize = sizeof(known_race),
    .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_IMMUTABLETYPE,
    .slots = known_race_slots,
};

/* observe for calibrate(): (state, returned, threads) -> label */
static PyObject *
known_race_label(PyObject *Py_UNUSED(module), PyObject *const *args, Py_ssize_t nargs)
{
    if (nargs != 3) {
        PyErr_SetString(PyExc_TypeError, "_known_race_label takes 3 arguments");
        return NULL;
    }
    long threads = PyLong_AsLong(args[2]);
    long value = atomic_load_explicit(&((known_race *)args[0])->value, memory_order_relaxed);
    if (threads == -1 && PyErr_Occurred()) {
        return NULL;
    }
    return PyUnicode_FromString(value == threads ? "all counted" : "updates lost");
}

static PyMethodDef known_race_label_def = {
    "_known_race_label", (PyCFunction)(void (*)(void))known_race_label, METH_FASTCALL, NULL};

static long long
count_of(PyObject *result, const char *table, const char *label)
{
    PyObject *outcomes = PyDict_GetItemString(result, table); /* borrowed; result is ours */
    PyObject *n = outcomes ? PyDict_GetItemString(outcomes, label) : NULL;
    return n ? PyLong_AsLongLong(n) : 0;
}

static int
add_verdict(PyObject *result)
{
    long long lost = count_of(result, "outcomes", "updates lost")
                     + count_of(result, "outcomes_detached", "updates lost");
    long long all = lost + count_of(result, "outcomes", "all counted")
                    + count_of(result, "outcomes_detached", "all counted");
    if (put(result, "lost", PyLong_FromLongLong(lost)) < 0
        || put(result, "lost_rate", PyFloat_FromDouble(all ? (double)lost / (double)all : 0)) < 0
        || put(result, "shows", PyBool_FromLong(lost > 0)) < 0) {
        return -1;
    }
    return 0;
}

static PyObject *
race_calibrate(PyObject *module, PyObject *args, PyObject *kwargs)
{
    static char *names[] = {"threads", "rounds", "seconds", "release", NULL};
    module_state *state = PyModule_GetState(module);
    rl_given given = {.keep_returned = 0,
                      .setup = state->known_race,
                      .observe = state->known_race_label};
    PyObject *threads = NULL, *seconds = NULL, *result = NULL;

    if (!PyArg_ParseTupleAndKeywords(args, kwargs, "|$OOOO:calibrate", names, &threads,
                                     &given.rounds, &seconds, &given.release)) {
        return NULL;
    }
    given.threads = threads ? Py_NewRef(threads) : PyLong_FromLong(2);
    given.seconds = seconds ? Py_NewRef(seconds) : PyFloat_FromDouble(0.05);
    given.actors = Py_BuildValue("(s)", "bump");
    given.observe_key = PyUnicode_FromString("value");
    if (given.threads && given.seconds && given.actors && given.observe_key) {
        result = run_given(state, &given);
    }
    if (result != NULL && add_verdict(result) < 0) {
        Py_CLEAR(result);
    }
    Py_XDECREF(given.threads);
    Py_XDECREF(given.seconds);
    Py_XDECREF(given.actors);
    Py_XDECREF(given.observe_key);
    return result;
}

/* ---- module --------------------------------------------------------------------- */

#define WITH_KEYWORDS(function) (PyCFunction)(void (*)(void))(function), METH_VARARGS | METH_KEYWORDS

static PyMethodDef race_methods[] = {
    {"run", WITH_KEYWORDS(race_run), "Race actors over fresh states and count the outcomes."},
    {"tally_size", WITH_KEYWORDS(race_tally_size), "Return how many bytes a tally needs."},
    {"read_tally", race_read_tally, METH_O, "Read a tally, also while another process writes it."},
    {"tick_hz", race_tick_hz, METH_NOARGS, "Return the clock's ticks per second."},
    {"cores", race_cores, METH_NOARGS, "Return how many CPUs this process may run on."},
    {"gil_enabled", race_gil_enabled, METH_NOARGS, "Return whether the GIL is on."},
    {"measure_skew", WITH_KEYWORDS(race_measure_skew), "Release threads that do nothing."},
    {"calibrate", WITH_KEYWORDS(race_calibrate), "Race a built-in counter that loses updates."},
    {"switch_cost_ns", WITH_KEYWORDS(race_switch_cost_ns), "Return the cost of a thread switch."},
    {NULL, NULL, 0, NULL},
};

static PyObject *
make_drain(void)
{
    PyObject *globals = PyDict_New(), *drain = NULL;
    PyObject *done = globals ? PyRun_String("def drain():\n    pass\n", Py_file_input, globals,
                                            globals)
                             : NULL;
    if (done != NULL && PyDict_GetItemStringRef(globals, "drain", &drain) < 0) {
        drain = NULL;
    }
    Py_XDECREF(done);
    Py_XDECREF(globals);
    return drain;
}

static int
race_exec(PyObject *module)
{
    module_state *state = PyModule_GetState(module);

    state->drain = make_drain();
    state->known_race = PyType_FromModuleAndSpec(module, &known_race_spec, NULL);
    state->known_race_label = PyCFunction_New(&known_race_label_def, NULL);
    if (state->drain == NULL || state->known_race == NULL || state->known_race_label == NULL
        || PyModule_AddType(module, (PyTypeObject *)state->known_race) < 0
        || PyModule_Add(module, "TALLY_MAGIC", PyLong_FromUnsignedLongLong(RL_TALLY_MAGIC)) < 0
        || PyModule_AddIntConstant(module, "TALLY_VERSION", RL_TALLY_VERSION) < 0
        || PyModule_AddIntConstant(module, "SKEW_BINS", RL_SKEW_BINS) < 0
        || PyModule_Add(module, "RUNNING_WITHOUT_TSC", PyBool_FromLong(!RL_TSC)) < 0) {
        return -1;
    }
    return 0;
}

static int
race_traverse(PyObject *module, visitproc visit, void *arg)
{
    module_state *state = PyModule_GetState(module);
    Py_VISIT(state->drain);
    Py_VISIT(state->known_race);
    Py_VISIT(state->known_race_label);
    return 0;
}

static int
race_clear(PyObject *module)
{
    module_state *state = PyModule_GetState(module);
    Py_CLEAR(state->drain);
    Py_CLEAR(state->known_race);
    Py_CLEAR(state->known_race_label);
    return 0;
}

static PyModuleDef_Slot race_slots[] = {
    {Py_mod_exec, (void *)(uintptr_t)race_exec},
    {Py_mod_multiple_interpreters, Py_MOD_MULTIPLE_INTERPRETERS_NOT_SUPPORTED},
    {Py_mod_gil, Py_MOD_GIL_NOT_USED},
    {0, NULL},
};

static PyModuleDef race_module = {
    .m_base = PyModuleDef_HEAD_INIT,
    .m_name = "racelab._race",
    .m_doc = "The C core of racelab: race callables against each other, round after round.",
    .m_size = sizeof(module_state),
    .m_methods = race_methods,
    .m_slots = race_slots,
    .m_traverse = race_traverse,
    .m_clear = race_clear,
};

PyMODINIT_FUNC
PyInit__race(void)
{
    return PyModuleDef_Init(&race_module);
}
