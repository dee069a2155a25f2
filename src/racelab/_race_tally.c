#include "_race_tally.h"

#include <string.h>

static uint32_t
block_size(uint32_t labels)
{
    size_t size = sizeof(rl_block) + (size_t)labels * sizeof(rl_label);
    return (uint32_t)((size + 127) & ~(size_t)127); /* no two threads share a line */
}

size_t
rl_tally_size(uint32_t threads, uint32_t labels)
{
    return sizeof(rl_header) + (size_t)threads * block_size(labels);
}

rl_block *
rl_tally_block(const rl_header *header, uint32_t thread)
{
    return (rl_block *)((char *)header + header->header_size
                        + (size_t)thread * header->thread_size);
}

void
rl_tally_store(void *to, const void *from, size_t size)
{
    rl_u64 *words = to;

    for (size_t i = 0; i < size / 8; i++) {
        uint64_t word = 0;
        if (from != NULL) {
            memcpy(&word, (const char *)from + 8 * i, 8);
        }
        atomic_store_explicit(&words[i], word, memory_order_relaxed);
    }
}

static void
load(void *to, const void *from, size_t size)
{
    const rl_u64 *words = from;

    for (size_t i = 0; i < size / 8; i++) {
        uint64_t word = rl_get(&words[i]);
        memcpy((char *)to + 8 * i, &word, 8);
    }
}

void
rl_tally_describe(rl_header *header, uint32_t threads, uint32_t labels)
{
    header->version = RL_TALLY_VERSION;
    header->header_size = sizeof(rl_header);
    header->threads = threads;
    header->labels = labels;
    header->label_size = sizeof(rl_label);
    header->thread_size = block_size(labels);
    header->skew_bins = RL_SKEW_BINS;
}

void
rl_tally_init(rl_header *header, const rl_header *first, size_t size)
{
    atomic_store_explicit(&header->magic, 0, memory_order_relaxed);
    atomic_thread_fence(memory_order_release);
    rl_tally_store((char *)header + 8, (const char *)first + 8, sizeof(*first) - 8);
    rl_tally_store((char *)header + sizeof(*first), NULL, size - sizeof(*first));
    atomic_store_explicit(&header->magic, RL_TALLY_MAGIC, memory_order_release);
}

/* Put value, a new reference or NULL, into dict. */
static int
put(PyObject *dict, const char *name, PyObject *value)
{
    int rc = value == NULL ? -1 : PyDict_SetItemString(dict, name, value);
    Py_XDECREF(value);
    return rc;
}

static int
put_u64(PyObject *dict, const char *name, uint64_t value)
{
    return put(dict, name, PyLong_FromUnsignedLongLong(value));
}

/* dict[key] += n; an absent key counts as 0, and n == 0 leaves it absent. */
static int
add_to(PyObject *dict, PyObject *key, uint64_t n)
{
    PyObject *old = NULL, *sum = NULL, *more = NULL;
    int rc = -1;

    if (n == 0) {
        return 0;
    }
    more = PyLong_FromUnsignedLongLong(n);
    if (more == NULL || PyDict_GetItemRef(dict, key, &old) < 0) {
        goto done;
    }
    sum = old == NULL ? Py_NewRef(more) : PyNumber_Add(old, more);
    rc = sum == NULL ? -1 : PyDict_SetItem(dict, key, sum);
done:
    Py_XDECREF(old);
    Py_XDECREF(sum);
    Py_XDECREF(more);
    return rc;
}

/* first[key] = the earlier of what is there and (round, ns). */
static int
put_first(PyObject *first, PyObject *key, uint64_t round, uint64_t ns)
{
    PyObject *old = NULL;
    PyObject *pair = Py_BuildValue("KK", (unsigned long long)round, (unsigned long long)ns);
    int rc = -1, earlier = 1;

    if (pair == NULL || PyDict_GetItemRef(first, key, &old) < 0) {
        goto done;
    }
    if (old != NULL) {
        earlier = PyObject_RichCompareBool(pair, old, Py_LT);
    }
    rc = earlier < 0 ? -1 : earlier ? PyDict_SetItem(first, key, pair) : 0;
done:
    Py_XDECREF(old);
    Py_XDECREF(pair);
    return rc;
}

static int
read_labels(const rl_block *block, uint32_t capacity, PyObject *outcomes, PyObject *detached,
            PyObject *first)
{
    uint32_t used = atomic_load_explicit(&block->labels_used, memory_order_acquire);

    for (uint32_t i = 0; i < used && i < capacity; i++) {
        const rl_label *label = &block->label[i];
        uint32_t length = label->length < RL_LABEL_BYTES ? label->length : RL_LABEL_BYTES;
        PyObject *text = PyUnicode_DecodeUTF8(label->text, (Py_ssize_t)length, "replace");
        int rc = text == NULL ? -1 : 0;
        rc = rc < 0 ? rc : add_to(outcomes, text, rl_get(&label->count));
        rc = rc < 0 ? rc : add_to(detached, text, rl_get(&label->detached));
        rc = rc < 0 ? rc : put_first(first, text, label->first_round, label->first_ns);
        Py_XDECREF(text);
        if (rc < 0) {
            return -1;
        }
    }
    return 0;
}

static PyObject *
read_thread(const rl_block *block)
{
    static const char *const phases[] = {"idle", "making", "racing", "grading", "freeing"};
    uint32_t phase = atomic_load_explicit(&block->phase, memory_order_relaxed);
    return Py_BuildValue(
        "{sK sK sK sK ss sK sK}", "entered", (unsigned long long)rl_get(&block->entered),
        "finished", (unsigned long long)rl_get(&block->finished), "detached",
        (unsigned long long)rl_get(&block->detached), "graded",
        (unsigned long long)rl_get(&block->graded), "phase",
        phase <= RL_FREEING ? phases[phase] : "?", "switches",
        (unsigned long long)rl_get(&block->switches), "late",
        (unsigned long long)rl_get(&block->late));
}

/* Bounds of a bin, ns: from (included) and to (not included). */
static void
bin_bounds(int bin, uint64_t *from, uint64_t *to)
{
    if (bin < 16) {
        *from = (uint64_t)bin;
        *to = *from + 1;
        return;
    }
    int e = (bin - 16) / 16;
    *from = (uint64_t)(16 + (bin - 16) % 16) << e;
    *to = *from + ((uint64_t)1 << e);
}

/* The value below which `share` of all counts lie, interpolated inside its bin, ns. */
static double
percentile(const uint64_t *bins, uint64_t total, double share)
{
    double wanted = share * (double)total, below = 0;

    for (int i = 0; i < RL_SKEW_BINS; i++) {
        if (bins[i] != 0 && below + (double)bins[i] >= wanted) {
            uint64_t from, to;
            bin_bounds(i, &from, &to);
            return (double)from + (double)(to - from) * (wanted - below) / (double)bins[i];
        }
        below += (double)bins[i];
    }
    return 0;
}

static PyObject *
read_skew(const rl_header *header)
{
    static const double shares[] = {0.50, 0.95, 1.0};
    static const char *const names[] = {"p50", "p95", "max"};
    uint64_t bins[RL_SKEW_BINS] = {0}, total = 0;
    PyObject *skew = PyDict_New(), *list = PyList_New(0);

    for (uint32_t t = 0; t < header->threads; t++) {
        for (int i = 0; i < RL_SKEW_BINS; i++) {
            bins[i] += rl_get(&rl_tally_block(header, t)->skew[i]);
        }
    }
    for (int i = 0; i < RL_SKEW_BINS && list != NULL; i++) {
        if (bins[i] != 0) {
            uint64_t from, to;
            bin_bounds(i, &from, &to);
            PyObject *row = Py_BuildValue("KKK", (unsigned long long)from,
                                          (unsigned long long)to, (unsigned long long)bins[i]);
            if (row == NULL || PyList_Append(list, row) < 0) {
                Py_CLEAR(list);
            }
            Py_XDECREF(row);
            total += bins[i];
        }
    }
    for (int i = 0; i < 3 && skew != NULL; i++) {
        PyObject *value = total == 0 ? Py_NewRef(Py_None)
                                     : PyFloat_FromDouble(percentile(bins, total, shares[i]));
        if (put(skew, names[i], value) < 0) {
            Py_CLEAR(skew);
        }
    }
    if (skew == NULL || list == NULL || PyDict_SetItemString(skew, "bins", list) < 0) {
        Py_CLEAR(skew);
    }
    Py_XDECREF(list);
    return skew;
}

static int
read_threads(const rl_header *header, PyObject *result)
{
    PyObject *outcomes = PyDict_New(), *detached = PyDict_New(), *first = PyDict_New();
    PyObject *threads = PyList_New(0);
    uint64_t finished = header->threads ? UINT64_MAX : 0, entered = 0;
    int rc = outcomes && detached && first && threads ? 0 : -1;

    for (uint32_t t = 0; t < header->threads && rc == 0; t++) {
        const rl_block *block = rl_tally_block(header, t);
        PyObject *row = read_thread(block);
        rc = row == NULL ? -1 : PyList_Append(threads, row);
        Py_XDECREF(row);
        rc = rc < 0 ? rc : read_labels(block, header->labels, outcomes, detached, first);
        uint64_t done = rl_get(&block->finished), begun = rl_get(&block->entered);
        finished = done < finished ? done : finished;
        entered = begun > entered ? begun : entered;
    }
    if (rc < 0 || PyDict_SetItemString(result, "outcomes", outcomes) < 0
        || PyDict_SetItemString(result, "outcomes_detached", detached) < 0
        || PyDict_SetItemString(result, "first", first) < 0
        || PyDict_SetItemString(result, "thread", threads) < 0
        || put_u64(result, "rounds_finished", finished) < 0
        || put_u64(result, "rounds_entered", entered) < 0) {
        rc = -1;
    }
    Py_XDECREF(outcomes);
    Py_XDECREF(detached);
    Py_XDECREF(first);
    Py_XDECREF(threads);
    return rc;
}

static int
check_header(const rl_header *header, size_t size)
{
    uint64_t magic = atomic_load_explicit(&header->magic, memory_order_acquire);

    if (magic != RL_TALLY_MAGIC) {
        PyErr_Format(PyExc_ValueError,
                     "this is no tally: its first 8 bytes are %llx, not %llx; pass the buffer "
                     "that was given to run(tally=...)",
                     (unsigned long long)magic, (unsigned long long)RL_TALLY_MAGIC);
        return -1;
    }
    if (header->version != RL_TALLY_VERSION || header->header_size != sizeof(rl_header)
        || header->label_size != sizeof(rl_label) || header->skew_bins != RL_SKEW_BINS) {
        PyErr_Format(PyExc_ValueError,
                     "the tally has layout version %u, this racelab reads version %u; use one "
                     "racelab in both processes",
                     (unsigned)header->version, (unsigned)RL_TALLY_VERSION);
        return -1;
    }
    if (header->thread_size != block_size(header->labels)
        || rl_tally_size(header->threads, header->labels) > size) {
        PyErr_Format(PyExc_ValueError,
                     "the tally says it has %u threads and %u labels, which does not fit its "
                     "%zu bytes; pass the whole buffer",
                     (unsigned)header->threads, (unsigned)header->labels, size);
        return -1;
    }
    return 0;
}

/* A copy of a tally that was whole while it was copied; NULL with an exception set. */
static rl_header *
copy_tally(const rl_header *header, size_t size)
{
    rl_header *copy = PyMem_Calloc(1, size);

    if (copy == NULL) {
        PyErr_NoMemory();
        return NULL;
    }
    for (int tries = 0; tries < 1000; tries++) {
        uint64_t magic = atomic_load_explicit(&header->magic, memory_order_acquire);
        uint64_t started = rl_get(&header->started_ns);
        if (magic != 0) {
            load(copy, header, size / 8 * 8);
        }
        else {
            memset((void *)copy, 0, size);
        }
        atomic_thread_fence(memory_order_acquire);
        if (rl_get(&header->magic) == magic && rl_get(&header->started_ns) == started) {
            break; /* no new run began in between */
        }
    }
    return copy;
}

static PyObject *
read_copy(const rl_header *header, size_t size)
{
    static const char *const states[] = {"empty", "running", "finished", "failed"};

    if (rl_get(&header->magic) != 0 && check_header(header, size) < 0) {
        return NULL;
    }
    uint32_t state = atomic_load_explicit(&header->state, memory_order_acquire);
    PyObject *result = Py_BuildValue(
        "{sI ss sI sI sO ss sd sK sK sK}", "version", (unsigned)header->version, "state",
        state <= RL_FAILED ? states[state] : "?", "threads", (unsigned)header->threads, "stride",
        (unsigned)header->stride, "gil", header->gil ? Py_True : Py_False, "release",
        header->release ? "tsc" : "barrier", "tick_hz", header->tick_hz, "started_ns",
        (unsigned long long)rl_get(&header->started_ns), "updated_ns",
        (unsigned long long)rl_get(&header->updated_ns), "rounds",
        (unsigned long long)rl_get(&header->rounds));
    if (result == NULL) {
        return NULL;
    }
    PyObject *planned = header->rounds_planned
                            ? PyLong_FromUnsignedLongLong(header->rounds_planned)
                            : Py_NewRef(Py_None);
    if (put(result, "rounds_planned", planned) < 0 || read_threads(header, result) < 0
        || put(result, "skew_ns", read_skew(header)) < 0) {
        Py_CLEAR(result);
    }
    return result;
}

PyObject *
rl_tally_read(const void *memory, size_t size)
{
    if (size < sizeof(rl_header) || (uintptr_t)memory % 8 != 0) {
        PyErr_Format(PyExc_ValueError,
                     "a tally is at least %zu bytes at an address divisible by 8, this buffer has "
                     "%zu bytes; allocate tally_size(threads, labels) bytes by mmap",
                     sizeof(rl_header), size);
        return NULL;
    }
    rl_header *copy = copy_tally(memory, size);
    PyObject *result = copy == NULL ? NULL : read_copy(copy, size);
    PyMem_Free(copy);
    return result;
}
