/* three_mistakes.c: reports on jobs, and how often each job was there.
 *
 * Goal   Anybody may call report() and newest() at any time, and append to the list of jobs
 *        meanwhile: a report has a line for each job that it counts, no count is lost, no two
 *        lines give a job the same number, and nobody sees a report before it is full.
 * Check  racelab check three_mistakes        Stuck?  racelab hint three_mistakes
 */
#include <Python.h>

#include "racelab/race_point.h"

typedef struct {
    PyObject_HEAD
    // BEGIN SOLUTION
    PyMutex mutex; /* reading, adding and storing in `seen` are one step */
    // END
    PyObject *seen;   /* a dict: job -> how often it was there, in all reports */
    PyObject *latest; /* a list with one item: the newest report, a list of lines */
} Tally;

// BEGIN STARTER
// /* report(jobs) -> lines: count the jobs, a list of str, and make the newest report of it. */
// static PyObject *
// report(PyObject *op, PyObject *jobs)
// {
//     Tally *self = (Tally *)op;
//     int status = 0;
//     PyObject *lines = PyList_New(PyList_GET_SIZE(jobs));
//     if (lines == NULL || PyList_SetItem(self->latest, 0, Py_NewRef(lines)) < 0) {
//         Py_XDECREF(lines);
//         return NULL;
//     }
//     RACE_POINT();
//     for (Py_ssize_t i = 0; status == 0 && i < PyList_GET_SIZE(jobs); i++) {
//         PyObject *job = PyList_GET_ITEM(jobs, i);
//         PyObject *old = NULL, *new = NULL, *line = NULL;
//         status = PyDict_GetItemRef(self->seen, job, &old);
//         RACE_POINT();
//         if (status >= 0) {
//             new = PyLong_FromLong(old ? PyLong_AsLong(old) + 1 : 1);
//             status = new ? PyDict_SetItem(self->seen, job, new) : -1;
//         }
//         if (status == 0) {
//             line = PyUnicode_FromFormat("%U: %S", job, new);
//             status = line ? 0 : -1;
//             PyList_SET_ITEM(lines, i, line);
//         }
//         Py_XDECREF(old);
//         Py_XDECREF(new);
//     }
//     if (status < 0) {
//         Py_CLEAR(lines);
//     }
//     return lines;
// }
// BEGIN SOLUTION
/* Count a job once more: a strong reference to its new number, or NULL. */
static PyObject *
count_one(Tally *self, PyObject *job)
{
    PyObject *old = NULL, *new = NULL;
    PyMutex_Lock(&self->mutex);
    if (PyDict_GetItemRef(self->seen, job, &old) >= 0) {
        RACE_POINT();
        new = PyLong_FromLong(old ? PyLong_AsLong(old) + 1 : 1);
        if (new != NULL && PyDict_SetItem(self->seen, job, new) < 0) {
            Py_CLEAR(new);
        }
    }
    PyMutex_Unlock(&self->mutex);
    Py_XDECREF(old); /* behind the unlock: what frees an object may run any code */
    return new;
}

/* report(jobs) -> lines: count the jobs, a list of str, and make the newest report of it. */
static PyObject *
report(PyObject *op, PyObject *jobs)
{
    Tally *self = (Tally *)op;
    PyObject *mine = PySequence_Tuple(jobs); /* what others append now is not in this report */
    Py_ssize_t size = mine ? PyTuple_GET_SIZE(mine) : 0;
    PyObject *lines = mine ? PyList_New(size) : NULL;
    int status = lines ? 0 : -1;
    for (Py_ssize_t i = 0; status == 0 && i < size; i++) {
        PyObject *job = PyTuple_GET_ITEM(mine, i), *line = NULL;
        PyObject *new = count_one(self, job);
        if (new != NULL) {
            line = PyUnicode_FromFormat("%U: %S", job, new);
        }
        Py_XDECREF(new);
        status = line ? 0 : -1;
        PyList_SET_ITEM(lines, i, line);
        RACE_POINT();
    }
    if (status == 0) { /* shown when it is full */
        status = PyList_SetItem(self->latest, 0, Py_NewRef(lines));
    }
    if (status < 0) {
        Py_CLEAR(lines);
    }
    Py_XDECREF(mine);
    return lines;
}
// END

/* newest() -> a tuple of the newest report's lines. A slot that was not filled yet shows as None:
   most readers would crash at it. Leave this function as it is. */
static PyObject *
newest(PyObject *op, PyObject *Py_UNUSED(ignored))
{
    PyObject *lines = PyList_GetItemRef(((Tally *)op)->latest, 0);
    PyObject *shown = lines ? PyTuple_New(PyList_GET_SIZE(lines)) : NULL;
    for (Py_ssize_t i = 0; shown != NULL && i < PyTuple_GET_SIZE(shown); i++) {
        PyObject *line = PyList_GET_ITEM(lines, i);
        PyTuple_SET_ITEM(shown, i, Py_NewRef(line ? line : Py_None));
    }
    Py_XDECREF(lines);
    return shown;
}

/* counts() -> a copy of the dict. Leave this function as it is. */
static PyObject *
counts(PyObject *op, PyObject *Py_UNUSED(ignored))
{
    return PyDict_Copy(((Tally *)op)->seen);
}

static PyObject *
new_tally(PyTypeObject *type, PyObject *Py_UNUSED(args), PyObject *Py_UNUSED(kwargs))
{
    Tally *self = (Tally *)type->tp_alloc(type, 0); /* filled with zeros */
    if (self == NULL) {
        return NULL;
    }
    self->seen = PyDict_New();
    self->latest = Py_BuildValue("[[]]");
    if (self->seen == NULL || self->latest == NULL) {
        Py_CLEAR(self);
    }
    return (PyObject *)self;
}

static int
traverse(PyObject *op, visitproc visit, void *arg)
{
    Py_VISIT(Py_TYPE(op));
    Py_VISIT(((Tally *)op)->seen);
    Py_VISIT(((Tally *)op)->latest);
    return 0;
}

static void
dealloc(PyObject *op)
{
    PyTypeObject *type = Py_TYPE(op);
    PyObject_GC_UnTrack(op);
    Py_XDECREF(((Tally *)op)->seen);
    Py_XDECREF(((Tally *)op)->latest);
    type->tp_free(op);
    Py_DECREF(type);
}

static PyMethodDef methods[] = {
    {"report", report, METH_O, PyDoc_STR("report(jobs): count the jobs; a list of lines.")},
    {"newest", newest, METH_NOARGS, PyDoc_STR("newest(): lines of the newest report.")},
    {"counts", counts, METH_NOARGS, PyDoc_STR("counts(): how often each job was there.")},
    {NULL, NULL, 0, NULL},
};

static PyType_Slot type_slots[] = {
    {Py_tp_doc, PyDoc_STR("Tally(): counts jobs and reports on them.")},
    {Py_tp_new, new_tally},
    {Py_tp_traverse, traverse},
    {Py_tp_dealloc, dealloc},
    {Py_tp_methods, methods},
    {0, NULL},
};

static PyType_Spec type_spec = {
    .name = "three_mistakes.Tally",
    .basicsize = sizeof(Tally),
    .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC | Py_TPFLAGS_IMMUTABLETYPE,
    .slots = type_slots,
};

static int
exec_module(PyObject *module)
{
    PyObject *type = PyType_FromModuleAndSpec(module, &type_spec, NULL);
    int status = PyModule_AddObjectRef(module, "Tally", type);
    Py_XDECREF(type);
    return status;
}

static PyModuleDef_Slot slots[] = {
    {Py_mod_exec, exec_module},
#ifdef Py_GIL_DISABLED
    {Py_mod_gil, Py_MOD_GIL_NOT_USED},
#endif
    {0, NULL},
};

static struct PyModuleDef definition = {
    PyModuleDef_HEAD_INIT,
    .m_name = "three_mistakes",
    .m_slots = slots,
};

PyMODINIT_FUNC
PyInit_three_mistakes(void)
{
    return PyModuleDef_Init(&definition);
}
