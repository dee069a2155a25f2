/* gil_window_fixed.c: an increment that is one step, GIL or not.
 *
 * Lesson   notebooks/06_lost_update.md
 * Repair   One atomic addition, in which nobody can detach and nobody can come between. The
 *          slow part and the Py_DECREF come after it.
 * Broken   gil_window_broken.c; the two differ only in this header and in [race] regions
 * Source   https://docs.python.org/3.13/c-api/init.html#releasing-the-gil-from-extension-code
 */
#include <Python.h>

#include <stdatomic.h>
#include <time.h>

#include "racelab/race_point.h"

typedef struct {
    PyObject_HEAD
    PyObject *make_note; /* called for every change; never replaced */
    /* [race:state] */
    _Atomic long value;
    /* [race:state] */
} Meter;

/* Stands for a write to something slow. It needs no Python. */
static void
flush(void)
{
    struct timespec pause = {0, 20000};
    nanosleep(&pause, NULL);
}

/* 0, or -1 with an exception. */
static int
add_one(Meter *self)
{
    PyObject *note = PyObject_CallNoArgs(self->make_note);
    if (note == NULL) {
        return -1;
    }
    /* [race] */
    RACE_POINT();
    atomic_fetch_add_explicit(&self->value, 1, memory_order_relaxed);
    Py_BEGIN_ALLOW_THREADS
    flush();
    Py_END_ALLOW_THREADS
    Py_DECREF(note);
    /* [race] */
    return 0;
}

static PyObject *
meter_bump(PyObject *self, PyObject *Py_UNUSED(ignored))
{
    if (add_one((Meter *)self) < 0) {
        return NULL;
    }
    Py_RETURN_NONE;
}

static PyObject *
meter_value(PyObject *self, void *Py_UNUSED(closure))
{
    return PyLong_FromLong(((Meter *)self)->value);
}

static PyObject *
meter_new(PyTypeObject *type, PyObject *args, PyObject *kwargs)
{
    static char *names[] = {"make_note", NULL};
    PyObject *make_note;
    if (!PyArg_ParseTupleAndKeywords(args, kwargs, "O:Meter", names, &make_note)) {
        return NULL;
    }
    PyObject *self = type->tp_alloc(type, 0);
    if (self != NULL) {
        ((Meter *)self)->make_note = Py_NewRef(make_note);
    }
    return self;
}

static int
meter_traverse(PyObject *self, visitproc visit, void *arg)
{
    Py_VISIT(Py_TYPE(self));
    Py_VISIT(((Meter *)self)->make_note);
    return 0;
}

static int
meter_clear(PyObject *self)
{
    Py_CLEAR(((Meter *)self)->make_note);
    return 0;
}

static void
meter_dealloc(PyObject *self)
{
    PyTypeObject *type = Py_TYPE(self);
    PyObject_GC_UnTrack(self);
    meter_clear(self);
    type->tp_free(self);
    Py_DECREF(type);
}

static PyMethodDef meter_methods[] = {
    {"bump", meter_bump, METH_NOARGS, PyDoc_STR("Add one.")},
    {NULL, NULL, 0, NULL},
};

static PyGetSetDef meter_getset[] = {
    {"value", meter_value, NULL, PyDoc_STR("How often it was bumped."), NULL},
    {NULL, NULL, NULL, NULL, NULL},
};

static PyType_Slot meter_slots[] = {
    {Py_tp_doc, PyDoc_STR("Meter(make_note): starts at 0; make_note() is called for every change.")},
    {Py_tp_new, meter_new},
    {Py_tp_traverse, meter_traverse},
    {Py_tp_clear, meter_clear},
    {Py_tp_dealloc, meter_dealloc},
    {Py_tp_methods, meter_methods},
    {Py_tp_getset, meter_getset},
    {0, NULL},
};

static PyType_Spec meter_spec = {
    .name = "gil_window_fixed.Meter",
    .basicsize = sizeof(Meter),
    .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC | Py_TPFLAGS_IMMUTABLETYPE,
    .slots = meter_slots,
};

static int
exec_module(PyObject *module)
{
    PyObject *type = PyType_FromModuleAndSpec(module, &meter_spec, NULL);
    int status = PyModule_AddObjectRef(module, "Meter", type);
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
    .m_name = "gil_window_fixed",
    .m_slots = module_slots,
};

PyMODINIT_FUNC
PyInit_gil_window_fixed(void)
{
    return PyModuleDef_Init(&module_def);
}
