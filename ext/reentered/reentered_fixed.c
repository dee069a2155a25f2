/* reentered_fixed.c: a critical section, entered once.
 *
 * Lesson   notebooks/12_critical_section.md
 * Repair   The helper expects the section to be held, and its name says so. What others call
 *          takes the section and then calls the helper.
 * Broken   reentered_broken.c; the two differ only in this header and in [race] regions
 * Source   https://github.com/python/cpython/pull/128126
 */
#include <Python.h>

#include "racelab/race_point.h"

typedef struct {
    PyObject_HEAD
    long low, high; /* high is always 10 above low */
    long changes;
} Range;

/* Takes the section itself: for callers that do not have it. */
static void
note_change(Range *self)
{
    Py_BEGIN_CRITICAL_SECTION(self);
    self->changes++;
    Py_END_CRITICAL_SECTION();
}

/* For callers that have it. */
static __attribute__((unused)) void
note_change_held(Range *self)
{
    self->changes++;
}

static PyObject *
range_shift(PyObject *op, PyObject *Py_UNUSED(ignored))
{
    Range *self = (Range *)op;
    Py_BEGIN_CRITICAL_SECTION(self);
    self->low++;
    RACE_POINT();
    /* [race] */
    note_change_held(self);
    /* [race] */
    self->high++;
    Py_END_CRITICAL_SECTION();
    Py_RETURN_NONE;
}

static PyObject *
range_touch(PyObject *op, PyObject *Py_UNUSED(ignored))
{
    note_change((Range *)op);
    Py_RETURN_NONE;
}

static PyObject *
range_width(PyObject *op, PyObject *Py_UNUSED(ignored))
{
    Range *self = (Range *)op;
    long width;
    Py_BEGIN_CRITICAL_SECTION(self);
    width = self->high - self->low;
    Py_END_CRITICAL_SECTION();
    return PyLong_FromLong(width);
}

static PyObject *
range_new(PyTypeObject *type, PyObject *Py_UNUSED(args), PyObject *Py_UNUSED(kwargs))
{
    PyObject *self = type->tp_alloc(type, 0);
    if (self != NULL) {
        ((Range *)self)->high = 10;
    }
    return self;
}

static void
range_dealloc(PyObject *self)
{
    PyTypeObject *type = Py_TYPE(self);
    type->tp_free(self);
    Py_DECREF(type);
}

static PyMethodDef range_methods[] = {
    {"shift", range_shift, METH_NOARGS, PyDoc_STR("Move both ends up by one.")},
    {"touch", range_touch, METH_NOARGS, PyDoc_STR("Note a change that moves nothing.")},
    {"width", range_width, METH_NOARGS, PyDoc_STR("From end to end: 10.")},
    {NULL, NULL, 0, NULL},
};

static PyType_Slot range_slots[] = {
    {Py_tp_doc, PyDoc_STR("Range(): from 0 to 10.")},
    {Py_tp_new, range_new},
    {Py_tp_dealloc, range_dealloc},
    {Py_tp_methods, range_methods},
    {0, NULL},
};

static PyType_Spec range_spec = {
    .name = "reentered_fixed.Range",
    .basicsize = sizeof(Range),
    .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_IMMUTABLETYPE,
    .slots = range_slots,
};

static int
exec_module(PyObject *module)
{
    PyObject *type = PyType_FromModuleAndSpec(module, &range_spec, NULL);
    int status = PyModule_AddObjectRef(module, "Range", type);
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
    .m_name = "reentered_fixed",
    .m_slots = module_slots,
};

PyMODINIT_FUNC
PyInit_reentered_fixed(void)
{
    return PyModuleDef_Init(&module_def);
}
