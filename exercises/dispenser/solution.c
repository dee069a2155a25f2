/* dispenser.c: hands out jobs, the oldest first.
 *
 * Goal   Each job goes to one thread: none twice, none lost. When there are no more, the iteration
 *        ends. Other threads may add jobs meanwhile.
 * Check  racelab check dispenser        Stuck?  racelab hint dispenser
 */
#include <Python.h>

#include "racelab/race_point.h"

typedef struct {
    PyObject_HEAD
    // BEGIN SOLUTION
    PyMutex mutex; /* from the question whether there is a job until it is out of the list */
    // END
    PyObject *jobs; /* a list; made by tp_new and never replaced */
} Dispenser;

/* next(dispenser): the oldest job. NULL without an exception means: no more jobs. */
static PyObject *
next_job(PyObject *op)
{
    Dispenser *self = (Dispenser *)op;
    // BEGIN STARTER
    // if (PyList_Size(self->jobs) == 0) {
    //     return NULL;
    // }
    // RACE_POINT();
    // PyObject *job = PyList_GetItemRef(self->jobs, 0);
    // RACE_POINT();
    // if (job != NULL && PySequence_DelItem(self->jobs, 0) < 0) {
    //     Py_CLEAR(job);
    // }
    // return job;
    // BEGIN SOLUTION
    PyObject *job = NULL;
    PyMutex_Lock(&self->mutex);
    if (PyList_Size(self->jobs) > 0) {
        RACE_POINT();
        job = PyList_GetItemRef(self->jobs, 0);
        RACE_POINT();
        if (job != NULL && PySequence_DelItem(self->jobs, 0) < 0) {
            Py_CLEAR(job);
        }
    }
    PyMutex_Unlock(&self->mutex);
    return job;
    // END
}

/* add(job): put it behind the others. */
static PyObject *
add(PyObject *op, PyObject *job)
{
    if (PyList_Append(((Dispenser *)op)->jobs, job) < 0) {
        return NULL;
    }
    Py_RETURN_NONE;
}

/* left() -> a new list of the jobs that nobody has yet */
static PyObject *
left(PyObject *op, PyObject *Py_UNUSED(ignored))
{
    return PyList_GetSlice(((Dispenser *)op)->jobs, 0, PY_SSIZE_T_MAX);
}

static PyObject *
new_dispenser(PyTypeObject *type, PyObject *Py_UNUSED(args), PyObject *Py_UNUSED(kwargs))
{
    Dispenser *self = (Dispenser *)type->tp_alloc(type, 0); /* filled with zeros */
    if (self != NULL && (self->jobs = PyList_New(0)) == NULL) {
        Py_CLEAR(self);
    }
    return (PyObject *)self;
}

static int
traverse(PyObject *op, visitproc visit, void *arg)
{
    Py_VISIT(Py_TYPE(op));
    Py_VISIT(((Dispenser *)op)->jobs);
    return 0;
}

static void
dealloc(PyObject *op)
{
    PyTypeObject *type = Py_TYPE(op);
    PyObject_GC_UnTrack(op);
    Py_XDECREF(((Dispenser *)op)->jobs);
    type->tp_free(op);
    Py_DECREF(type);
}

static PyMethodDef methods[] = {
    {"add", add, METH_O, PyDoc_STR("add(job): put it behind the others.")},
    {"left", left, METH_NOARGS, PyDoc_STR("left(): the jobs that nobody has yet.")},
    {NULL, NULL, 0, NULL},
};

static PyType_Slot type_slots[] = {
    {Py_tp_doc, PyDoc_STR("Dispenser(): an iterator over jobs, the oldest first.")},
    {Py_tp_new, new_dispenser},
    {Py_tp_traverse, traverse},
    {Py_tp_dealloc, dealloc},
    {Py_tp_iter, PyObject_SelfIter},
    {Py_tp_iternext, next_job},
    {Py_tp_methods, methods},
    {0, NULL},
};

static PyType_Spec type_spec = {
    .name = "dispenser.Dispenser",
    .basicsize = sizeof(Dispenser),
    .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC | Py_TPFLAGS_IMMUTABLETYPE,
    .slots = type_slots,
};

static int
exec_module(PyObject *module)
{
    PyObject *type = PyType_FromModuleAndSpec(module, &type_spec, NULL);
    int status = PyModule_AddObjectRef(module, "Dispenser", type);
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
    .m_name = "dispenser",
    .m_slots = slots,
};

PyMODINIT_FUNC
PyInit_dispenser(void)
{
    return PyModuleDef_Init(&definition);
}
