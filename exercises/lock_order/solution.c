/* lock_order.c: accounts, and one journal of all transfers between them.
 *
 * Goal   transfer() and audit() come to an end, whoever calls them, with whichever accounts. No
 *        money is lost, no transfer refused that is covered, and audit() gives no false alarm.
 * Check  racelab check lock_order        Stuck?  racelab hint lock_order
 */
#include <Python.h>

#include "racelab/race_point.h"

typedef struct {
    PyObject_HEAD
    PyMutex mutex; /* guards amount; zeroed memory is an unlocked mutex */
    long amount;   /* never below 0 */
} Account;

/* One transfer. Once it is in the journal it is never changed, and freed with the journal. */
typedef struct Entry {
    Account *from, *to; /* strong */
    long amount;
    struct Entry *next; /* the one before it */
} Entry;

typedef struct {
    PyObject_HEAD
    PyMutex mutex; /* guards newest */
    Entry *newest;
} Journal;

static void
record(Journal *self, Entry *entry)
{
    // BEGIN STARTER
    // PyMutex_Lock(&self->mutex);
    // entry->next = self->newest;
    // RACE_POINT();
    // self->newest = entry;
    // PyMutex_Unlock(&self->mutex);
    // BEGIN SOLUTION
    PyMutex_Lock(&self->mutex); /* the innermost lock: who has it takes no other one */
    entry->next = self->newest;
    RACE_POINT();
    self->newest = entry;
    PyMutex_Unlock(&self->mutex);
    // END
}

/* Takes the amount and puts it back if it was not there. Returns whether it was, and then the
   entry is the journal's. */
static int
transfer(Journal *self, Entry *entry)
{
    Account *from = entry->from, *to = entry->to;
    long rest;
    // BEGIN STARTER
    // PyMutex_Lock(&from->mutex);
    // rest = from->amount - entry->amount;
    // RACE_POINT();
    // PyMutex_Lock(&to->mutex);
    // BEGIN SOLUTION
    Account *first = (uintptr_t)from < (uintptr_t)to ? from : to; /* one order for all */
    Account *second = first == from ? to : from;
    PyMutex_Lock(&first->mutex);
    RACE_POINT();
    if (second != first) {
        PyMutex_Lock(&second->mutex);
    }
    rest = from->amount - entry->amount;
    // END
    from->amount = rest;
    RACE_POINT();
    if (rest < 0) {
        from->amount += entry->amount;
    }
    else {
        to->amount += entry->amount;
        record(self, entry);
    }
    // BEGIN STARTER
    // PyMutex_Unlock(&to->mutex);
    // PyMutex_Unlock(&from->mutex);
    // BEGIN SOLUTION
    if (second != first) {
        PyMutex_Unlock(&second->mutex);
    }
    PyMutex_Unlock(&first->mutex);
    // END
    return rest >= 0;
}

static long
amount_of(Account *account)
{
    // BEGIN STARTER
    // PyMutex_Lock(&account->mutex);
    // long amount = account->amount;
    // PyMutex_Unlock(&account->mutex);
    // BEGIN SOLUTION
    PyMutex_Lock(&account->mutex); /* the caller holds nothing else */
    long amount = account->amount;
    PyMutex_Unlock(&account->mutex);
    // END
    return amount;
}

/* A job that runs every night: in how many entries is an account that is overdrawn now? */
static long
audit(Journal *self)
{
    long found = 0;
    PyMutex_Lock(&self->mutex);
    // BEGIN STARTER
    // for (Entry *each = self->newest; each != NULL; each = each->next) {
    //     RACE_POINT();
    //     found += amount_of(each->from) < 0 || amount_of(each->to) < 0;
    // }
    // PyMutex_Unlock(&self->mutex);
    // BEGIN SOLUTION
    Entry *newest = self->newest; /* what hangs on it does not change any more */
    PyMutex_Unlock(&self->mutex);
    for (Entry *each = newest; each != NULL; each = each->next) {
        RACE_POINT();
        found += amount_of(each->from) < 0 || amount_of(each->to) < 0;
    }
    // END
    return found;
}

/* From here on nothing has to be changed. */

typedef struct {
    PyObject *account; /* the type */
} State;

static void
free_entry(Entry *entry)
{
    Py_DECREF(entry->from);
    Py_DECREF(entry->to);
    PyMem_RawFree(entry);
}

static PyObject *
journal_transfer(PyObject *op, PyObject *args)
{
    PyObject *type = ((State *)PyType_GetModuleState(Py_TYPE(op)))->account;
    PyObject *from, *to;
    long amount;
    if (!PyArg_ParseTuple(args, "O!O!l:transfer", type, &from, type, &to, &amount)) {
        return NULL;
    }
    if (amount < 0) {
        PyErr_SetString(PyExc_ValueError, "transfer() takes an amount of 0 or more");
        return NULL;
    }
    Entry *entry = PyMem_RawMalloc(sizeof(Entry));
    if (entry == NULL) {
        return PyErr_NoMemory();
    }
    *entry = (Entry){(Account *)Py_NewRef(from), (Account *)Py_NewRef(to), amount, NULL};
    int covered = transfer((Journal *)op, entry);
    if (!covered) {
        free_entry(entry);
    }
    return PyBool_FromLong(covered);
}

static PyObject *
journal_audit(PyObject *self, PyObject *Py_UNUSED(ignored))
{
    return PyLong_FromLong(audit((Journal *)self));
}

static Py_ssize_t
journal_length(PyObject *op)
{
    Journal *self = (Journal *)op;
    Py_ssize_t length = 0;
    PyMutex_Lock(&self->mutex);
    for (Entry *each = self->newest; each != NULL; each = each->next) {
        length++;
    }
    PyMutex_Unlock(&self->mutex);
    return length;
}

static PyObject *
journal_new(PyTypeObject *type, PyObject *Py_UNUSED(args), PyObject *Py_UNUSED(kwargs))
{
    return type->tp_alloc(type, 0); /* filled with zeros */
}

static void
journal_dealloc(PyObject *op)
{
    Journal *self = (Journal *)op;
    PyTypeObject *type = Py_TYPE(op);
    while (self->newest != NULL) {
        Entry *entry = self->newest;
        self->newest = entry->next;
        free_entry(entry);
    }
    type->tp_free(op);
    Py_DECREF(type);
}

static PyObject *
account_amount(PyObject *op, void *Py_UNUSED(closure))
{
    return PyLong_FromLong(amount_of((Account *)op));
}

static PyObject *
account_new(PyTypeObject *type, PyObject *args, PyObject *Py_UNUSED(kwargs))
{
    long amount;
    if (!PyArg_ParseTuple(args, "l:Account", &amount)) {
        return NULL;
    }
    if (amount < 0) {
        return PyErr_Format(PyExc_ValueError, "an account begins with 0 or more, not %ld", amount);
    }
    PyObject *self = type->tp_alloc(type, 0);
    if (self != NULL) {
        ((Account *)self)->amount = amount;
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

static PyGetSetDef account_getset[] = {
    {"amount", account_amount, NULL, PyDoc_STR("What is in it."), NULL},
    {NULL, NULL, NULL, NULL, NULL},
};

static PyType_Slot account_slots[] = {
    {Py_tp_doc, PyDoc_STR("Account(amount): some money.")},
    {Py_tp_new, account_new},
    {Py_tp_dealloc, account_dealloc},
    {Py_tp_getset, account_getset},
    {0, NULL},
};

static PyType_Spec account_spec = {
    .name = "lock_order.Account",
    .basicsize = sizeof(Account),
    .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_IMMUTABLETYPE,
    .slots = account_slots,
};

static PyMethodDef journal_methods[] = {
    {"transfer", journal_transfer, METH_VARARGS,
     PyDoc_STR("transfer(source, target, amount): move money; False if there is not so much.")},
    {"audit", journal_audit, METH_NOARGS,
     PyDoc_STR("audit(): in how many entries an account is overdrawn.")},
    {NULL, NULL, 0, NULL},
};

static PyType_Slot journal_slots[] = {
    {Py_tp_doc, PyDoc_STR("Journal(): transfers between accounts; len() says how many.")},
    {Py_tp_new, journal_new},
    {Py_tp_dealloc, journal_dealloc},
    {Py_sq_length, journal_length},
    {Py_tp_methods, journal_methods},
    {0, NULL},
};

static PyType_Spec journal_spec = {
    .name = "lock_order.Journal",
    .basicsize = sizeof(Journal),
    .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_IMMUTABLETYPE,
    .slots = journal_slots,
};

static int
exec_module(PyObject *module)
{
    State *state = PyModule_GetState(module);
    PyObject *journal = PyType_FromModuleAndSpec(module, &journal_spec, NULL);
    state->account = PyType_FromModuleAndSpec(module, &account_spec, NULL);
    int status = PyModule_AddObjectRef(module, "Journal", journal);
    if (status == 0) {
        status = PyModule_AddObjectRef(module, "Account", state->account);
    }
    Py_XDECREF(journal);
    return status;
}

static int
clear_module(PyObject *module)
{
    State *state = PyModule_GetState(module);
    Py_CLEAR(state->account);
    return 0;
}

static void
free_module(void *module)
{
    clear_module(module);
}

static int
traverse_module(PyObject *module, visitproc visit, void *arg)
{
    State *state = PyModule_GetState(module);
    Py_VISIT(state->account);
    return 0;
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
    .m_name = "lock_order",
    .m_size = sizeof(State),
    .m_traverse = traverse_module,
    .m_clear = clear_module,
    .m_free = free_module,
    .m_slots = module_slots,
};

PyMODINIT_FUNC
PyInit_lock_order(void)
{
    return PyModuleDef_Init(&module_def);
}
