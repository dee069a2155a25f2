/* given.c: a log of numbers, as it was when the reports of who_freed.py were written. */
#include <Python.h>

#include <stdlib.h>

#include "racelab/race_point.h"

typedef struct {
    PyObject_HEAD
    PyMutex lock;
    long *numbers; /* malloc()ed; moves when it grows */
    size_t used, room;
} Log;

/* Make room for twice as many. The lock is held. */
static int
grow(Log *self)
{
    size_t room = self->room ? 2 * self->room : 2;
    long *bigger = malloc(room * sizeof(long));
    if (bigger == NULL) {
        return -1;
    }
    for (size_t i = 0; i < self->used; i++) {
        bigger[i] = self->numbers[i];
    }
    free(self->numbers);
    self->numbers = bigger;
    self->room = room;
    return 0;
}

static PyObject *
log_add(PyObject *op, PyObject *Py_UNUSED(ignored))
{
    Log *self = (Log *)op;
    int status = 0;
    PyMutex_Lock(&self->lock);
    if (self->used == self->room) {
        status = grow(self);
    }
    if (status == 0) {
        self->numbers[self->used] = (long)self->used;
        self->used++;
    }
    PyMutex_Unlock(&self->lock);
    return status == 0 ? Py_NewRef(Py_None) : PyErr_NoMemory();
}

static PyObject *
log_last(PyObject *op, PyObject *Py_UNUSED(ignored))
{
    Log *self = (Log *)op;
    PyMutex_Lock(&self->lock);
    size_t used = self->used;
    long *numbers = self->numbers;
    PyMutex_Unlock(&self->lock);
    if (used == 0) {
        Py_RETURN_NONE;
    }
    RACE_POINT();
    return PyLong_FromLong(numbers[used - 1]);
}

static PyObject *
log_new(PyTypeObject *type, PyObject *Py_UNUSED(args), PyObject *Py_UNUSED(kwargs))
{
    return type->tp_alloc(type, 0);
}

static void
log_dealloc(PyObject *op)
{
    PyTypeObject *type = Py_TYPE(op);
    free(((Log *)op)->numbers);
    type->tp_free(op);
    Py_DECREF(type);
}

static PyMethodDef log_methods[] = {
    {"add", log_add, METH_NOARGS, PyDoc_STR("Write down one number more.")},
    {"last", log_last, METH_NOARGS, PyDoc_STR("The number written last; None if there is none.")},
    {NULL, NULL, 0, NULL},
};

static PyType_Slot log_slots[] = {
    {Py_tp_doc, PyDoc_STR("Log(): numbers, in the order in which they came.")},
    {Py_tp_new, log_new},
    {Py_tp_dealloc, log_dealloc},
    {Py_tp_methods, log_methods},
    {0, NULL},
};

static PyType_Spec log_spec = {
    .name = "given.Log",
    .basicsize = sizeof(Log),
    .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_IMMUTABLETYPE,
    .slots = log_slots,
};

static int
exec_module(PyObject *module)
{
    PyObject *type = PyType_FromModuleAndSpec(module, &log_spec, NULL);
    int status = PyModule_AddObjectRef(module, "Log", type);
    Py_XDECREF(type);
    return status;
}

static PyModuleDef_Slot module_slots[] = {
    {Py_mod_exec, exec_module},
#ifdef Py_GIL_DISABLED
    {Py_mod_gil, Py_MOD_GIL_NOT_USED},
#endif
    {0, NULL},
};

static struct PyModuleDef module_def = {
    PyModuleDef_HEAD_INIT,
    .m_name = "given",
    .m_slots = module_slots,
};

PyMODINIT_FUNC
PyInit_given(void)
{
    return PyModuleDef_Init(&module_def);
}
