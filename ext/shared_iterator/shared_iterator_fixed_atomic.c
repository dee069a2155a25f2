/* shared_iterator_fixed_atomic.c: an iterator with several users, without a lock.
 *
 * Lesson   notebooks/11_containers.md
 * Repair   One atomic step reads the place and moves on. Behind the end it goes on
 *          counting, which is why what it returns is compared with the end each time.
 * Broken   shared_iterator_broken.c; the two differ only in this header and in [race] regions
 * Source   https://en.cppreference.com/w/c/atomic/atomic_fetch_add
 */
#include <Python.h>

#include <stdatomic.h>

#include "racelab/race_point.h"

/* How many tickets there are. */
#define TICKETS 8

typedef struct {
    PyObject_HEAD
    PyObject *tickets; /* a tuple, 0 to TICKETS - 1 */
    /* [race:state] */
    _Atomic Py_ssize_t next; /* index of the next ticket */
    /* [race:state] */
} Roll;

/* tp_iternext: a strong reference to the next ticket, or NULL when there are no more. */
static PyObject *
roll_next(PyObject *op)
{
    Roll *self = (Roll *)op;
    Py_ssize_t at;
    /* [race] */
    at = atomic_fetch_add_explicit(&self->next, 1, memory_order_relaxed);
    RACE_POINT();
    /* [race] */
    return at < TICKETS ? Py_NewRef(PyTuple_GET_ITEM(self->tickets, at)) : NULL;
}

static PyObject *
roll_take(PyObject *self, PyObject *Py_UNUSED(ignored))
{
    PyObject *ticket = roll_next(self);
    if (ticket == NULL) {
        Py_RETURN_NONE;
    }
    return ticket;
}

static PyObject *
roll_new(PyTypeObject *type, PyObject *Py_UNUSED(args), PyObject *Py_UNUSED(kwargs))
{
    Roll *self = (Roll *)type->tp_alloc(type, 0);
    if (self == NULL) {
        return NULL;
    }
    self->tickets = Py_BuildValue("(iiiiiiii)", 0, 1, 2, 3, 4, 5, 6, 7);
    if (self->tickets == NULL) {
        Py_DECREF(self);
        return NULL;
    }
    return (PyObject *)self;
}

static void
roll_dealloc(PyObject *self)
{
    PyTypeObject *type = Py_TYPE(self);
    Py_XDECREF(((Roll *)self)->tickets);
    type->tp_free(self);
    Py_DECREF(type);
}

static PyMethodDef roll_methods[] = {
    {"take", roll_take, METH_NOARGS, PyDoc_STR("The next ticket; None when there are no more.")},
    {NULL, NULL, 0, NULL},
};

static PyType_Slot roll_slots[] = {
    {Py_tp_doc, PyDoc_STR("Roll(): an iterator over eight tickets.")},
    {Py_tp_new, roll_new},
    {Py_tp_dealloc, roll_dealloc},
    {Py_tp_iter, PyObject_SelfIter},
    {Py_tp_iternext, roll_next},
    {Py_tp_methods, roll_methods},
    {0, NULL},
};

static PyType_Spec roll_spec = {
    .name = "shared_iterator_fixed_atomic.Roll",
    .basicsize = sizeof(Roll),
    .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_IMMUTABLETYPE,
    .slots = roll_slots,
};

static int
exec_module(PyObject *module)
{
    PyObject *type = PyType_FromModuleAndSpec(module, &roll_spec, NULL);
    int status = PyModule_AddObjectRef(module, "Roll", type);
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
    .m_name = "shared_iterator_fixed_atomic",
    .m_slots = module_slots,
};

PyMODINIT_FUNC
PyInit_shared_iterator_fixed_atomic(void)
{
    return PyModuleDef_Init(&module_def);
}
