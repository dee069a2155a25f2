/* planted_broken.c: six small functions, each with a bug. BROKEN ON PURPOSE.
 *
 * Lesson   notebooks/05_plugins.md
 * Bug      Counter.bump()   a load and a store: another call fits in between
 *          table()          test and store are two steps: several threads make the table
 *          label()          one buffer for all threads
 *          Account.give()   locks its two accounts in the order in which they are named
 *          show()           a borrowed reference: the list may let go of the item
 *          answer()         who sees the flag may not yet see the number that it announces
 * Needs    a free-threaded build, two attached threads; answer(): a processor or a compiler
 *          that reorders the two stores
 * Seen     notebooks/recorded/plugins.jsonl
 * Repair   planted_fixed.c; the two differ only in this header and in [race] regions
 * Source   https://docs.python.org/3.13/howto/free-threading-extensions.html
 *
 * Six bugs in one file, where other files of this book have one: the chapter asks which tool
 * finds which of them.
 */
#include <Python.h>

#include <stdatomic.h>

#include "racelab/race_point.h"

/* ---- a counter ---------------------------------------------------------------------------- */

typedef struct {
    PyObject_HEAD
    /* [race:state] */
    volatile long value;
    /* [race:state] */
} Counter;

static PyObject *
counter_bump(PyObject *self, PyObject *Py_UNUSED(ignored))
{
    Counter *counter = (Counter *)self;
    /* [race] */
    long seen = counter->value;
    RACE_POINT();
    counter->value = seen + 1;
    /* [race] */
    Py_RETURN_NONE;
}

static PyObject *
counter_value(PyObject *self, void *Py_UNUSED(closure))
{
    return PyLong_FromLong(((Counter *)self)->value);
}

/* ---- a table that is made once ------------------------------------------------------------ */

enum { TABLE_SIZE = 20000 };

static PyObject *
make_table(void)
{
    PyObject *made = PyTuple_New(TABLE_SIZE);
    for (Py_ssize_t i = 0; made != NULL && i < TABLE_SIZE; i++) {
        PyObject *square = PyLong_FromSsize_t(i * i);
        if (square == NULL) {
            Py_CLEAR(made);
        }
        else {
            PyTuple_SET_ITEM(made, i, square);
        }
    }
    return made;
}

/* [race:table] */
static PyObject *squares;
/* [race:table] */

static PyObject *
table(PyObject *Py_UNUSED(module), PyObject *Py_UNUSED(ignored))
{
    /* [race:table] */
    if (squares == NULL) {
        RACE_POINT();
        squares = make_table();
    }
    return Py_XNewRef(squares);
    /* [race:table] */
}

/* ---- a text from a number ----------------------------------------------------------------- */

static PyObject *
label(PyObject *Py_UNUSED(module), PyObject *arg)
{
    /* [race:label] */
    static char text[32];
    /* [race:label] */
    long number = PyLong_AsLong(arg);
    if (number == -1 && PyErr_Occurred()) {
        return NULL;
    }
    PyOS_snprintf(text, sizeof(text), "item-%ld", number);
    RACE_POINT();
    return PyUnicode_FromString(text);
}

/* ---- two accounts, two locks -------------------------------------------------------------- */

typedef struct {
    PyObject_HEAD
    PyMutex mutex; /* guards the balance */
    long balance;
} Account;

static PyObject *
account_give(PyObject *self, PyObject *other)
{
    if (other == self || !Py_IS_TYPE(other, Py_TYPE(self))) { /* no subclasses */
        return PyErr_Format(PyExc_TypeError, "give(other): another Account, not %R", other);
    }
    Account *from = (Account *)self, *to = (Account *)other;
    /* [race:give] */
    Account *one = from, *two = to;
    /* [race:give] */
    PyMutex_Lock(&one->mutex);
    RACE_POINT();
    PyMutex_Lock(&two->mutex);
    from->balance -= 1;
    to->balance += 1;
    PyMutex_Unlock(&two->mutex);
    PyMutex_Unlock(&one->mutex);
    Py_RETURN_NONE;
}

/* ---- the text of a list's first item ------------------------------------------------------ */

static PyObject *
show(PyObject *Py_UNUSED(module), PyObject *list)
{
    /* [race:show] */
    PyObject *item = PyList_GetItem(list, 0); /* borrowed */
    RACE_POINT();
    return item == NULL ? NULL : PyObject_Repr(item);
    /* [race:show] */
}

/* ---- a number that is worked out once ----------------------------------------------------- */

static long
work_out(void)
{
    long sum = 0;
    for (long i = 1; i <= 6; i++) {
        sum += 2 * i;
    }
    return sum;
}

/* [race:answer] */
static volatile long found;
static volatile int known;
/* [race:answer] */

static PyObject *
answer(PyObject *Py_UNUSED(module), PyObject *Py_UNUSED(ignored))
{
    if (!known) {
        found = work_out(); /* several threads may; all find the same */
        RACE_POINT();
        known = 1;
    }
    return PyLong_FromLong(found);
}

/* ---- the module --------------------------------------------------------------------------- */

static void
plain_dealloc(PyObject *self)
{
    PyTypeObject *type = Py_TYPE(self);
    type->tp_free(self);
    Py_DECREF(type);
}

static PyMethodDef counter_methods[] = {
    {"bump", counter_bump, METH_NOARGS, PyDoc_STR("Add one.")},
    {NULL, NULL, 0, NULL},
};

static PyGetSetDef counter_getset[] = {
    {"value", counter_value, NULL, PyDoc_STR("How often it was bumped."), NULL},
    {NULL, NULL, NULL, NULL, NULL},
};

static PyType_Slot counter_slots[] = {
    {Py_tp_doc, PyDoc_STR("Counter(): starts at 0.")},
    {Py_tp_new, PyType_GenericNew},
    {Py_tp_dealloc, plain_dealloc},
    {Py_tp_methods, counter_methods},
    {Py_tp_getset, counter_getset},
    {0, NULL},
};

static PyType_Spec counter_spec = {
    .name = "planted_broken.Counter",
    .basicsize = sizeof(Counter),
    .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_IMMUTABLETYPE,
    .slots = counter_slots,
};

static PyMethodDef account_methods[] = {
    {"give", account_give, METH_O, PyDoc_STR("give(other): move one unit to another account.")},
    {NULL, NULL, 0, NULL},
};

static PyType_Slot account_slots[] = {
    {Py_tp_doc, PyDoc_STR("Account(): starts at 0.")},
    {Py_tp_new, PyType_GenericNew},
    {Py_tp_dealloc, plain_dealloc},
    {Py_tp_methods, account_methods},
    {0, NULL},
};

static PyType_Spec account_spec = {
    .name = "planted_broken.Account",
    .basicsize = sizeof(Account),
    .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_IMMUTABLETYPE,
    .slots = account_slots,
};

static int
add_type(PyObject *module, const char *name, PyType_Spec *spec)
{
    PyObject *type = PyType_FromModuleAndSpec(module, spec, NULL);
    int status = PyModule_AddObjectRef(module, name, type);
    Py_XDECREF(type);
    return status;
}

static int
exec_module(PyObject *module)
{
    if (add_type(module, "Counter", &counter_spec) < 0) {
        return -1;
    }
    return add_type(module, "Account", &account_spec);
}

static PyMethodDef module_methods[] = {
    {"table", table, METH_NOARGS, PyDoc_STR("A tuple of squares, always the same one.")},
    {"label", label, METH_O, PyDoc_STR("label(number): \"item-<number>\".")},
    {"show", show, METH_O, PyDoc_STR("show(list): the repr of its first item.")},
    {"answer", answer, METH_NOARGS, PyDoc_STR("42, worked out once.")},
    {NULL, NULL, 0, NULL},
};

static PyModuleDef_Slot module_slots[] = {
    {Py_mod_exec, exec_module},
#ifdef Py_GIL_DISABLED
    {Py_mod_gil, Py_MOD_GIL_NOT_USED},
#endif
    {0, NULL},
};

static struct PyModuleDef module_def = {
    PyModuleDef_HEAD_INIT,
    .m_name = "planted_broken",
    .m_methods = module_methods,
    .m_slots = module_slots,
};

PyMODINIT_FUNC
PyInit_planted_broken(void)
{
    return PyModuleDef_Init(&module_def);
}
