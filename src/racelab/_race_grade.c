/* _race_grade.c: what did this round leave behind, and how often was that so?
 *
 * Calling Python a million times a second costs more than the race. So where a label can
 * only depend on some values (attributes read, values returned), small ints, None and bools
 * are turned into words and the label is looked up by them in a table of the thread's own;
 * other plain values go through a dict; and only the rest is computed each time.
 */
#include "_race_run.h"

#include <string.h>

#include "_race_clock.h"

enum { MEMO_SLOTS = 1024, MEMO_SLOTS_LONG = 128, LONG_KEY = 16, LONGEST_KEY = 4096 };
enum { BY_VALUE_MAX = 4096 };
static const char other_label[] = "(other outcomes)";

/* ---- words ---------------------------------------------------------------------- */

/* A word that stands for this value and no other, without a reference to it. */
static inline int
word_of(PyObject *value, uint64_t *word)
{
    if (PyLong_CheckExact(value) && PyUnstable_Long_IsCompact((PyLongObject *)value)) {
        *word = (uint64_t)PyUnstable_Long_CompactValue((PyLongObject *)value) << 2 | 1;
        return 1;
    }
    if (value == Py_None || value == Py_True || value == Py_False) { /* immortal */
        *word = (uintptr_t)value;
        return 1;
    }
    return 0;
}

static size_t
memo_slot(const rl_memo *memo, const uint64_t *key)
{
    uint64_t hash = 0;

    for (size_t i = 0; i < memo->words; i++) {
        hash = (hash ^ key[i]) * 0x9e3779b97f4a7c15u;
        hash ^= hash >> 29;
    }
    size_t slot = hash & (memo->slots - 1);
    while (memo->labels[slot] >= 0
           && memcmp(memo->keys + slot * memo->words, key, memo->words * sizeof(*key)) != 0) {
        slot = (slot + 1) & (memo->slots - 1);
    }
    return slot;
}

static void
memo_insert(rl_memo *memo, const uint64_t *key, int label)
{
    if (memo->slots != 0 && memo->used < memo->slots / 4 * 3) {
        size_t slot = memo_slot(memo, key);
        if (memo->labels[slot] < 0) {
            memcpy(memo->keys + slot * memo->words, key, memo->words * sizeof(*key));
            memo->labels[slot] = label;
            memo->used++;
        }
    }
}

static int
memo_init(rl_memo *memo, size_t words)
{
    memo->words = words;
    memo->slots = words <= LONG_KEY ? MEMO_SLOTS : words <= LONGEST_KEY ? MEMO_SLOTS_LONG : 0;
    memo->keys = PyMem_Calloc(memo->slots * words + 1, sizeof(*memo->keys));
    memo->labels = PyMem_Malloc((memo->slots + 1) * sizeof(*memo->labels));
    if (memo->keys == NULL || memo->labels == NULL) {
        PyErr_NoMemory();
        return -1;
    }
    memset(memo->labels, 0xff, memo->slots * sizeof(*memo->labels));
    return 0;
}

/* ---- labels --------------------------------------------------------------------- */

/* When round i of the batch was released, ns since the start of the run. */
static uint64_t
released_ns(const rl_run *run, size_t i)
{
    uint64_t tick = run->thread[0].starts[i / (size_t)run->stride] & ~RL_DETACHED_BIT;
    return (uint64_t)((double)(tick - run->began) * run->ns_per_tick);
}

/* Cut after `room` bytes at most, between two characters. */
static Py_ssize_t
cut_utf8(const char *text, Py_ssize_t size, Py_ssize_t room)
{
    if (size <= room) {
        return size;
    }
    while (room > 0 && ((unsigned char)text[room] & 0xc0) == 0x80) {
        room--;
    }
    return room;
}

/* Fill the next free entry. The last entry of the table takes all that come too late. */
static int
new_label(rl_thread *me, PyObject *text, size_t i)
{
    rl_run *run = me->run;
    uint32_t used = atomic_load_explicit(&me->block->labels_used, memory_order_relaxed);
    Py_ssize_t size;
    const char *utf8 = PyUnicode_AsUTF8AndSize(text, &size);
    rl_label label = {.first_round = run->base + i, .first_ns = released_ns(run, i)};

    if (utf8 == NULL) { /* lone surrogates */
        PyErr_Clear();
        utf8 = "(a label that is no valid text)";
        size = (Py_ssize_t)strlen(utf8);
    }
    if (used >= run->header->labels) {
        return (int)used - 1;
    }
    if (used == run->header->labels - 1) {
        utf8 = other_label;
        size = (Py_ssize_t)strlen(other_label);
    }
    Py_ssize_t kept = cut_utf8(utf8, size, size > RL_LABEL_BYTES ? RL_LABEL_BYTES - 3 : size);
    memcpy(label.text, utf8, (size_t)kept);
    if (kept < size) {
        memcpy(label.text + kept, "...", 3);
        kept += 3;
    }
    label.length = (uint32_t)kept;
    rl_tally_store(&me->block->label[used], &label, sizeof(label));
    atomic_store_explicit(&me->block->labels_used, used + 1, memory_order_release);
    return (int)used;
}

static int
look_out_for(rl_run *run, PyObject *text)
{
    int wanted = PySet_Contains(run->stop_on, text);
    if (wanted > 0) {
        atomic_store_explicit(&run->stop_seen, 1, memory_order_relaxed);
    }
    return wanted;
}

/* Index of the label in this thread's table, entered there if need be. */
static int
label_index(rl_thread *me, PyObject *text, size_t i)
{
    PyObject *known;
    int label = -1;

    if (PyDict_GetItemRef(me->labels, text, &known) < 0) {
        return -1;
    }
    if (known == NULL) {
        label = new_label(me, text, i);
        if (label < 0 || look_out_for(me->run, text) < 0) {
            return -1;
        }
        if (PyDict_GET_SIZE(me->labels) >= BY_VALUE_MAX) {
            return label; /* endless new labels must not fill the memory */
        }
        known = PyLong_FromLong(label);
        if (known == NULL || PyDict_SetItem(me->labels, text, known) < 0) {
            label = -1;
        }
    }
    else {
        label = (int)PyLong_AsLong(known);
    }
    Py_XDECREF(known);
    return label;
}

/* ---- exceptions as outcomes ----------------------------------------------------- */

static PyObject *
describe(PyObject *exception)
{
    PyObject *text = NULL, *empty = PyUnicode_FromString("");
    PyObject *traceback = PyImport_ImportModule("traceback");
    PyObject *lines =
        traceback ? PyObject_CallMethod(traceback, "format_exception", "O", exception) : NULL;

    if (lines != NULL && empty != NULL) {
        text = PyUnicode_Join(empty, lines);
    }
    if (text == NULL) {
        PyErr_Clear();
        text = PyUnicode_FromString(Py_TYPE(exception)->tp_name);
    }
    Py_XDECREF(lines);
    Py_XDECREF(traceback);
    Py_XDECREF(empty);
    return text;
}

static int
label_of_exception(rl_thread *me, const char *kind, PyObject *exception, size_t i)
{
    const char *name = strrchr(Py_TYPE(exception)->tp_name, '.');
    PyObject *text =
        PyUnicode_FromFormat("%s(%s)", kind, name ? name + 1 : Py_TYPE(exception)->tp_name);
    int label = text == NULL ? -1 : label_index(me, text, i);
    int known = label < 0 ? -1 : PyDict_Contains(me->run->errors, text);

    if (known == 0) {
        PyObject *sample = describe(exception);
        PyObject *kept = NULL;
        if (sample == NULL
            || PyDict_SetDefaultRef(me->run->errors, text, sample, &kept) < 0) {
            label = -1;
        }
        Py_XDECREF(kept);
        Py_XDECREF(sample);
    }
    Py_XDECREF(text);
    return known < 0 ? -1 : label;
}

/* observe raised. That is an outcome too, but not an actor's. */
static int
label_of_observe_error(rl_thread *me, size_t i)
{
    PyObject *exception = PyErr_GetRaisedException();
    int label = label_of_exception(me, "observe-error", exception, i);
    Py_DECREF(exception);
    return label;
}

/* ---- text of a label ------------------------------------------------------------ */

/* repr, but without an address, which would make every round an outcome of its own. */
static PyObject *
stable_repr(PyObject *value)
{
    if (Py_TYPE(value)->tp_repr == PyBaseObject_Type.tp_repr) {
        return PyUnicode_FromFormat("<%s object>", Py_TYPE(value)->tp_name);
    }
    return PyObject_Repr(value);
}

static PyObject *
times(PyObject *text, size_t n) /* steals text */
{
    if (text == NULL || n == 1) {
        return text;
    }
    PyObject *more = PyUnicode_FromFormat("%U x%zu", text, n);
    Py_DECREF(text);
    return more;
}

/* "1, 2"; a run of equal values as "None x50". */
static PyObject *
join_reprs(PyObject *const *values, size_t n)
{
    PyObject *parts = PyList_New(0), *comma = PyUnicode_FromString(", "), *text = NULL;
    int rc = parts != NULL && comma != NULL ? 0 : -1;

    for (size_t i = 0; i < n && rc == 0;) {
        size_t same = 1;
        while (i + same < n && values[i + same] == values[i]) {
            same++;
        }
        PyObject *part = times(stable_repr(values[i]), n > 8 ? same : 1);
        rc = part == NULL ? -1 : PyList_Append(parts, part);
        Py_XDECREF(part);
        i += n > 8 ? same : 1;
    }
    if (rc == 0) {
        text = PyUnicode_Join(comma, parts);
    }
    Py_XDECREF(comma);
    Py_XDECREF(parts);
    return text;
}

static PyObject *
call_observe(rl_run *run, PyObject *state, PyObject *const *returned)
{
    PyObject *tuple = PyTuple_New((Py_ssize_t)run->nreturned);
    if (tuple == NULL) {
        return NULL;
    }
    for (size_t k = 0; k < run->nreturned; k++) {
        PyTuple_SET_ITEM(tuple, (Py_ssize_t)k, Py_NewRef(returned[k]));
    }
    PyObject *args[] = {NULL, state, tuple, run->threads_object};
    PyObject *text = PyObject_Vectorcall(run->observe, args + 1,
                                         3 | PY_VECTORCALL_ARGUMENTS_OFFSET, NULL);
    Py_DECREF(tuple);
    if (text != NULL && !PyUnicode_CheckExact(text)) {
        Py_SETREF(text, PyObject_Str(text));
    }
    return text;
}

static PyObject *
label_text(rl_thread *me, PyObject *state)
{
    rl_run *run = me->run;
    PyObject *const *returned = me->value + run->nkeys;

    switch (run->how) {
    case RL_BY_RETURNED:
        return join_reprs(returned, run->nreturned);
    case RL_BY_ATTRIBUTE:
        return stable_repr(me->value[0]);
    default:
        return call_observe(run, state, returned);
    }
}

static int
label_from_text(rl_thread *me, PyObject *text, size_t i) /* steals text */
{
    if (text == NULL) {
        return label_of_observe_error(me, i);
    }
    int label = label_index(me, text, i);
    Py_DECREF(text);
    return label;
}

/* ---- grading one round ---------------------------------------------------------- */

/* Equal values of these types are the same outcome, and hashing them runs no foreign code. */
static int
is_plain(PyObject *value)
{
    return PyLong_CheckExact(value) || PyFloat_CheckExact(value) || PyUnicode_CheckExact(value)
           || PyBytes_CheckExact(value) || value == Py_None || PyBool_Check(value);
}

/* (value, type, value, type, ...): 1, 1.0 and True are equal but not the same outcome.
 * NULL without an exception: some value is not plain. */
static PyObject *
plain_key(PyObject *const *values, size_t n)
{
    for (size_t k = 0; k < n; k++) {
        if (!is_plain(values[k])) {
            return NULL;
        }
    }
    PyObject *key = PyTuple_New((Py_ssize_t)(2 * n));
    for (size_t k = 0; key != NULL && k < n; k++) {
        PyTuple_SET_ITEM(key, (Py_ssize_t)(2 * k), Py_NewRef(values[k]));
        PyTuple_SET_ITEM(key, (Py_ssize_t)(2 * k + 1), Py_NewRef(Py_TYPE(values[k])));
    }
    return key;
}

/* For values that are no words. */
static int
label_by_value(rl_thread *me, PyObject *state, size_t i)
{
    PyObject *key = plain_key(me->value, me->memo.words), *known = NULL;

    if (key == NULL) {
        return PyErr_Occurred() ? -1 : label_from_text(me, label_text(me, state), i);
    }
    int label = PyDict_GetItemRef(me->by_value, key, &known);
    if (label > 0) {
        label = (int)PyLong_AsLong(known);
    }
    else if (label == 0) {
        label = label_from_text(me, label_text(me, state), i);
        if (label >= 0 && PyDict_GET_SIZE(me->by_value) < BY_VALUE_MAX) {
            known = PyLong_FromLong(label);
            if (known == NULL || PyDict_SetItem(me->by_value, key, known) < 0) {
                label = -1;
            }
        }
    }
    Py_XDECREF(known);
    Py_DECREF(key);
    return label;
}

/* me->value and me->word hold the key; `words` says whether me->word is complete. */
static int
label_by_memo(rl_thread *me, PyObject *state, size_t i, int words)
{
    rl_memo *memo = &me->memo;

    if (!words || memo->slots == 0) {
        return label_by_value(me, state, i);
    }
    size_t slot = memo_slot(memo, me->word);
    if (memo->labels[slot] >= 0) {
        return memo->labels[slot];
    }
    int full = memo->used >= memo->slots / 4 * 3;
    int label = full ? label_by_value(me, state, i)
                     : label_from_text(me, label_text(me, state), i);
    if (label >= 0) {
        memo_insert(memo, me->word, label);
    }
    return label;
}

/* Put returned values after the attributes. Returns 1 if all are words, 0 if not, and -1
 * if a call raised (*raised is its exception). */
static int
collect_returned(rl_thread *me, size_t i, PyObject **raised)
{
    rl_run *run = me->run;
    int wanted = run->how != RL_BY_ATTRIBUTE && run->keep_returned;
    size_t k = run->nkeys;
    int words = 1;

    for (int t = 0; t < run->threads; t++) {
        rl_thread *other = &run->thread[t];
        PyObject **values = other->returned + i * (size_t)other->burst;
        for (int b = 0; b < other->burst; b++) {
            if (values[b] == NULL) {
                continue; /* not kept */
            }
            if (rl_is_raised(values[b])) {
                *raised = rl_untag(values[b]);
                return -1;
            }
            if (wanted) {
                words &= word_of(values[b], &me->word[k]);
                me->value[k++] = values[b];
            }
        }
    }
    return words;
}

/* Read the attributes the label depends on. 1: all are words, 0: not, -1: exception set. */
static int
collect_attributes(rl_thread *me, PyObject *state)
{
    int words = 1;

    for (size_t k = 0; k < me->run->nkeys; k++) {
        me->value[k] = rl_reader_get(&me->readers[k], state);
        if (me->value[k] == NULL) {
            return -1;
        }
        words &= word_of(me->value[k], &me->word[k]);
    }
    return words;
}

static int
label_of(rl_thread *me, size_t i)
{
    rl_run *run = me->run;
    PyObject *state = run->states != NULL ? run->states[i] : Py_None;
    PyObject *raised = NULL;
    int words = collect_returned(me, i, &raised);

    if (words < 0) {
        return label_of_exception(me, "error", raised, i);
    }
    if (run->how == RL_BY_CALL) {
        return label_from_text(me, call_observe(run, state, me->value), i);
    }
    int also = collect_attributes(me, state);
    int label = also < 0 ? label_of_observe_error(me, i)
                         : label_by_memo(me, state, i, words && also);
    for (size_t k = 0; k < run->nkeys; k++) {
        Py_CLEAR(me->value[k]);
    }
    return label;
}

/* Time from the first to the last release of round i; -1 if a thread had detached. */
static int64_t
skew_ticks(const rl_run *run, size_t release)
{
    uint64_t first = UINT64_MAX, last = 0;

    for (int t = 0; t < run->threads; t++) {
        uint64_t tick = run->thread[t].starts[release];
        if (tick & RL_DETACHED_BIT) {
            return -1;
        }
        first = tick < first ? tick : first;
        last = tick > last ? tick : last;
    }
    return (int64_t)(last - first);
}

int
rl_grade(rl_thread *me, size_t i)
{
    rl_run *run = me->run;
    size_t release = i / (size_t)run->stride;
    int64_t skew = skew_ticks(run, release);
    int label = label_of(me, i);

    if (label < 0) {
        return -1;
    }
    rl_label *entry = &me->block->label[label];
    rl_add(skew < 0 ? &entry->detached : &entry->count, 1);
    if (skew >= 0 && i % (size_t)run->stride == 0) {
        int bin = rl_skew_bin((uint64_t)((double)skew * run->ns_per_tick));
        rl_add(&me->block->skew[bin], 1);
    }
    rl_add(&me->block->graded, 1);
    return 0;
}

int
rl_grade_init(rl_thread *me)
{
    rl_run *run = me->run;

    me->labels = PyDict_New();
    me->by_value = PyDict_New();
    me->readers = PyMem_Calloc(run->nkeys + 1, sizeof(*me->readers));
    me->word = PyMem_Calloc(run->words + 1, sizeof(*me->word));
    me->value = PyMem_Calloc(run->words + 1, sizeof(*me->value));
    if (me->labels == NULL || me->by_value == NULL) {
        return -1;
    }
    if (me->readers == NULL || me->word == NULL || me->value == NULL) {
        PyErr_NoMemory();
        return -1;
    }
    for (size_t k = 0; k < run->nkeys; k++) {
        me->readers[k].name = PyTuple_GET_ITEM(run->keys, (Py_ssize_t)k);
    }
    return memo_init(&me->memo, run->words);
}

void
rl_grade_free(rl_thread *me)
{
    for (size_t k = 0; me->readers != NULL && k < me->run->nkeys; k++) {
        rl_reader_forget(&me->readers[k]);
    }
    PyMem_Free(me->readers);
    PyMem_Free(me->word);
    PyMem_Free(me->value);
    PyMem_Free(me->memo.keys);
    PyMem_Free(me->memo.labels);
    Py_CLEAR(me->labels);
    Py_CLEAR(me->by_value);
}
