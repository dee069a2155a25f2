/* dict_walk_broken.c: a walk over a dict that others change. BROKEN ON PURPOSE.
 *
 * Lesson   notebooks/11_containers.md
 * Bug      PyDict_Next locks nothing, and between two steps everything may change: the
 *          table, the place of an entry, the life of the value that we have borrowed.
 * Needs    a free-threaded build, two attached threads, one of them storing and deleting
 * Seen     notebooks/recorded/dict_walk.jsonl
 * Repair   dict_walk_fixed.c; the two differ only in this header and in [race]
 * Source   https://docs.python.org/3.13/c-api/dict.html#c.PyDict_Next
 */
#include <Python.h>

#include "racelab/race_point.h"

/* How many accounts there are, or one more while one is being moved. */
#define ACCOUNTS 4
/* What is in every account, and what else floats may hold while nobody should look at them. */
#define BALANCE 1.0
#define ELSEWHERE (-1.0)

typedef struct {
    PyObject_HEAD
    PyObject *accounts; /* a dict, number -> float; nobody else has it */
    PyObject *sleep;    /* time.sleep */
    long oldest;        /* the lowest number; only the thread that moves accounts reads it */
} Bank;

/* What a walk has met so far. */
typedef struct {
    long accounts, last;  /* how many accounts; the number of the last one */
    int strangers, gaps;  /* how many balances were not ours, how many numbers did not follow */
} Walk;

/* Counts one account. The numbers of the accounts that there are always follow each other. */
static void
check(Walk *walk, PyObject *number, PyObject *balance)
{
    long now = PyLong_AsLong(number);
    walk->strangers += !PyFloat_CheckExact(balance) || PyFloat_AS_DOUBLE(balance) != BALANCE;
    walk->gaps += walk->accounts > 0 && now != walk->last + 1;
    walk->last = now;
    walk->accounts++;
}

/* Stands for Python code that writes a line, or waits for a lock: it detaches for a moment. */
__attribute__((unused)) static void
call_python(Bank *self)
{
    PyObject *seconds = PyFloat_FromDouble(0.0);
    PyObject *slept = seconds == NULL ? NULL : PyObject_CallOneArg(self->sleep, seconds);
    Py_XDECREF(seconds);
    Py_XDECREF(slept);
    PyErr_Clear();
}

/* How many accounts there are; -1 if a balance was not ours, -2 if an account was missing. */
static long
count_accounts(Bank *self)
{
    PyObject *dict = self->accounts, *number, *balance;
    Py_ssize_t at = 0;
    Walk walk = {0};
    /* [race] */
    while (PyDict_Next(dict, &at, &number, &balance)) {
        RACE_POINT();
        check(&walk, number, balance); /* borrowed */
    }
    /* [race] */
    return walk.strangers ? -1 : walk.gaps ? -2 : walk.accounts;
}

static PyObject *
bank_count(PyObject *self, PyObject *Py_UNUSED(ignored))
{
    return PyLong_FromLong(count_accounts((Bank *)self));
}

/* Puts a float into the account with that number. */
static int
fill(Bank *self, long number)
{
    PyObject *key = PyLong_FromLong(number);
    PyObject *balance = PyFloat_FromDouble(BALANCE);
    int status = -1;
    if (key != NULL && balance != NULL) {
        status = PyDict_SetItem(self->accounts, key, balance);
    }
    Py_XDECREF(key);
    Py_XDECREF(balance);
    return status;
}

static PyObject *
bank_move(PyObject *op, PyObject *Py_UNUSED(ignored))
{
    Bank *self = (Bank *)op;
    PyObject *oldest = PyLong_FromLong(self->oldest);
    if (oldest == NULL || fill(self, self->oldest + ACCOUNTS) < 0
        || PyDict_DelItem(self->accounts, oldest) < 0) {
        Py_XDECREF(oldest);
        return NULL;
    }
    Py_DECREF(oldest);
    self->oldest++;
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
bank_new(PyTypeObject *type, PyObject *Py_UNUSED(args), PyObject *Py_UNUSED(kwargs))
{
    Bank *self = (Bank *)type->tp_alloc(type, 0);
    if (self == NULL) {
        return NULL;
    }
    PyObject *time = PyImport_ImportModule("time");
    self->accounts = PyDict_New();
    self->sleep = time == NULL ? NULL : PyObject_GetAttrString(time, "sleep");
    Py_XDECREF(time);
    int status = self->accounts == NULL || self->sleep == NULL ? -1 : 0;
    for (long number = 0; status == 0 && number < ACCOUNTS; number++) {
        status = fill(self, number);
    }
    if (status < 0) {
        Py_DECREF(self);
        return NULL;
    }
    return (PyObject *)self;
}

static void
bank_dealloc(PyObject *self)
{
    PyTypeObject *type = Py_TYPE(self);
    Py_XDECREF(((Bank *)self)->accounts);
    Py_XDECREF(((Bank *)self)->sleep);
    type->tp_free(self);
    Py_DECREF(type);
}

static PyMethodDef bank_methods[] = {
    {"count", bank_count, METH_NOARGS, PyDoc_STR("How many accounts; below 0 is an error.")},
    {"move", bank_move, METH_NOARGS, PyDoc_STR("Open a new account, then close the oldest.")},
    {NULL, NULL, 0, NULL},
};

static PyType_Slot bank_slots[] = {
    {Py_tp_doc, PyDoc_STR("Bank(): some accounts with the same balance.")},
    {Py_tp_new, bank_new},
    {Py_tp_dealloc, bank_dealloc},
    {Py_tp_methods, bank_methods},
    {0, NULL},
};

static PyType_Spec bank_spec = {
    .name = "dict_walk_broken.Bank",
    .basicsize = sizeof(Bank),
    .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_IMMUTABLETYPE,
    .slots = bank_slots,
};

static int
exec_module(PyObject *module)
{
    PyObject *type = PyType_FromModuleAndSpec(module, &bank_spec, NULL);
    int status = PyModule_AddObjectRef(module, "Bank", type);
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
    .m_name = "dict_walk_broken",
    .m_slots = module_slots,
};

PyMODINIT_FUNC
PyInit_dict_walk_broken(void)
{
    return PyModuleDef_Init(&module_def);
}
