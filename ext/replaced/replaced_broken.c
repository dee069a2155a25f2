/* replaced_broken.c: a cached object, replaced while others take it. BROKEN ON PURPOSE.
 *
 * Lesson   notebooks/08_caches.md
 * Bug      Finding the pointer and owning the object are two steps. Between them the writer
 *          may replace it, free it and use its memory for something else.
 * Needs    a free-threaded build, two attached threads, one of them writing
 * Seen     notebooks/recorded/replaced.jsonl
 * Repair   replaced_fixed.c; the two differ only in this header and in [race] regions
 * Source   https://docs.python.org/3.13/c-api/refcounting.html#c.Py_XSETREF
 */
#include <Python.h>

#include "racelab/race_point.h"

/* What a Memo remembers, and what else its floats may hold while nobody should look at them. */
#define ANSWER 1.0
#define ELSEWHERE (-1.0)

typedef struct {
    PyObject_HEAD
    PyObject *latest; /* the newest answer; never NULL */
    /* [race:state] */
    /* nothing guards it */
    /* [race:state] */
} Memo;

/* A strong reference to the newest answer. */
static PyObject *
take(Memo *self)
{
    PyObject *found;
    /* [race] */
    found = self->latest; /* borrowed: the memo owns it */
    RACE_POINT();
    Py_INCREF(found); /* too late, if the memo has let go */
    /* [race] */
    return found;
}

/* Puts a newer answer in place of the one that is there. Steals `made`. */
static void
replace(Memo *self, PyObject *made)
{
    PyObject *old;
    /* [race:replace] */
    old = self->latest; /* what Py_XSETREF does */
    self->latest = made;
    /* [race:replace] */
    Py_DECREF(old); /* no lock held: it may run any code */
}

static PyObject *
memo_get(PyObject *self, PyObject *Py_UNUSED(ignored))
{
    PyObject *found = take((Memo *)self);
    int ours = PyFloat_CheckExact(found) && PyFloat_AS_DOUBLE(found) == ANSWER;
    Py_DECREF(found);
    return PyBool_FromLong(ours);
}

static PyObject *
memo_renew(PyObject *self, PyObject *Py_UNUSED(ignored))
{
    PyObject *made = PyFloat_FromDouble(ANSWER);
    if (made == NULL) {
        return NULL;
    }
    replace((Memo *)self, made);
    /* What ordinary code does next: it makes another float, in the memory just freed. */
    PyObject *stranger = PyFloat_FromDouble(ELSEWHERE);
    if (stranger == NULL) {
        return NULL;
    }
    RACE_POINT(); /* while it lives there: on one core a reader gets its turn only so */
    Py_DECREF(stranger);
    Py_RETURN_NONE;
}

static PyObject *
memo_new(PyTypeObject *type, PyObject *Py_UNUSED(args), PyObject *Py_UNUSED(kwargs))
{
    Memo *self = (Memo *)type->tp_alloc(type, 0);
    if (self == NULL) {
        return NULL;
    }
    self->latest = PyFloat_FromDouble(ANSWER);
    if (self->latest == NULL) {
        Py_DECREF(self);
        return NULL;
    }
    return (PyObject *)self;
}

static void
memo_dealloc(PyObject *self)
{
    PyTypeObject *type = Py_TYPE(self);
    Py_XDECREF(((Memo *)self)->latest);
    type->tp_free(self);
    Py_DECREF(type);
}

static PyMethodDef memo_methods[] = {
    {"get", memo_get, METH_NOARGS, PyDoc_STR("Take the answer; True if it is one of this memo.")},
    {"renew", memo_renew, METH_NOARGS, PyDoc_STR("Put a newer answer in its place.")},
    {NULL, NULL, 0, NULL},
};

static PyType_Slot memo_slots[] = {
    {Py_tp_doc, PyDoc_STR("Memo(): remembers one answer, the newest.")},
    {Py_tp_new, memo_new},
    {Py_tp_dealloc, memo_dealloc},
    {Py_tp_methods, memo_methods},
    {0, NULL},
};

static PyType_Spec memo_spec = {
    .name = "replaced_broken.Memo",
    .basicsize = sizeof(Memo),
    .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_IMMUTABLETYPE,
    .slots = memo_slots,
};

static int
exec_module(PyObject *module)
{
    PyObject *type = PyType_FromModuleAndSpec(module, &memo_spec, NULL);
    int status = PyModule_AddObjectRef(module, "Memo", type);
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
    .m_name = "replaced_broken",
    .m_slots = module_slots,
};

PyMODINIT_FUNC
PyInit_replaced_broken(void)
{
    return PyModuleDef_Init(&module_def);
}
