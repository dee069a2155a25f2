/* account_fixed.c: two amounts that add up whenever somebody may look.
 *
 * Lesson   notebooks/12_critical_section.md
 * Repair   Writer and reader hold the lock of the object while they touch the two amounts.
 * Broken   account_broken.c; the two differ only in this header and in [race] regions
 * Source   https://docs.python.org/3.13/c-api/init.html#python-critical-section-api
 */
#include <Python.h>

#include "racelab/race_point.h"

typedef struct {
    PyObject_HEAD
    long current;
    char statement[120]; /* other fields; they keep the two amounts on two cache lines */
    long savings;        /* current + savings: what was paid in, always */
} Account;

static PyObject *
account_move(PyObject *op, PyObject *Py_UNUSED(ignored))
{
    Account *self = (Account *)op;
    /* [race] */
    Py_BEGIN_CRITICAL_SECTION(self);
    self->current -= 1;
    RACE_POINT();
    self->savings += 1;
    Py_END_CRITICAL_SECTION();
    /* [race] */
    Py_RETURN_NONE;
}

static PyObject *
account_total(PyObject *op, PyObject *Py_UNUSED(ignored))
{
    Account *self = (Account *)op;
    long total;
    /* [race:read] */
    Py_BEGIN_CRITICAL_SECTION(self);
    total = self->current + self->savings;
    Py_END_CRITICAL_SECTION();
    /* [race:read] */
    return PyLong_FromLong(total);
}

static PyObject *
account_new(PyTypeObject *type, PyObject *Py_UNUSED(args), PyObject *Py_UNUSED(kwargs))
{
    PyObject *self = type->tp_alloc(type, 0);
    if (self != NULL) {
        ((Account *)self)->current = 100;
    }
    return self;
}

static void
account_dealloc(PyObject *self)
{
    PyTypeObject *type = Py_TYPE(self);
    type->tp_free(self);
    Py_DECREF(type);
}

static PyMethodDef account_methods[] = {
    {"move", account_move, METH_NOARGS, PyDoc_STR("Put one aside: from current to savings.")},
    {"total", account_total, METH_NOARGS, PyDoc_STR("What both hold together.")},
    {NULL, NULL, 0, NULL},
};

static PyType_Slot account_slots[] = {
    {Py_tp_doc, PyDoc_STR("Account(): 100 in current, nothing in savings.")},
    {Py_tp_new, account_new},
    {Py_tp_dealloc, account_dealloc},
    {Py_tp_methods, account_methods},
    {0, NULL},
};

static PyType_Spec account_spec = {
    .name = "account_fixed.Account",
    .basicsize = sizeof(Account),
    .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_IMMUTABLETYPE,
    .slots = account_slots,
};

static int
exec_module(PyObject *module)
{
    PyObject *type = PyType_FromModuleAndSpec(module, &account_spec, NULL);
    int status = PyModule_AddObjectRef(module, "Account", type);
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
    .m_name = "account_fixed",
    .m_slots = module_slots,
};

PyMODINIT_FUNC
PyInit_account_fixed(void)
{
    return PyModuleDef_Init(&module_def);
}
