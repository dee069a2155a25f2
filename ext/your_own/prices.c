/* prices.c: an extension as it came to be when a GIL was on. BROKEN ON PURPOSE, in two places.
 *
 * Lesson   book/your_own.md
 * Bug      latest() borrows a price that update() may free before latest() owns it; currencies()
 *          stores its table before the table is full.
 * Needs    a free-threaded build, two attached threads
 * Repair   -DREPAIRED
 */
#define PY_SSIZE_T_CLEAN
#include <Python.h>

#include "racelab/race_point.h" /* optional: marks windows that --widen holds open */

typedef struct {
    PyObject_HEAD
    PyObject *prices; /* name to price, a str */
} Board;

static int
set_price(Board *self, int euros)
{
    PyObject *price = PyUnicode_FromFormat("%d.50", euros);
    if (price == NULL) {
        return -1;
    }
    int status = PyDict_SetItemString(self->prices, "ACME", price);
    Py_DECREF(price);
    return status;
}

static PyObject *
board_new(PyTypeObject *type, PyObject *Py_UNUSED(args), PyObject *Py_UNUSED(kwargs))
{
    Board *self = (Board *)type->tp_alloc(type, 0);
    if (self == NULL) {
        return NULL;
    }
    self->prices = PyDict_New();
    if (self->prices == NULL || set_price(self, 4711) < 0) {
        Py_DECREF(self);
        return NULL;
    }
    return (PyObject *)self;
}

static void
board_dealloc(PyObject *self)
{
    PyTypeObject *type = Py_TYPE(self);
    Py_XDECREF(((Board *)self)->prices);
    type->tp_free(self);
    Py_DECREF(type);
}

static PyObject *
latest(PyObject *self, PyObject *Py_UNUSED(ignored))
{
    PyObject *prices = ((Board *)self)->prices;
    PyObject *price;
    /* [latest] */
#ifndef REPAIRED
    price = PyDict_GetItemString(prices, "ACME"); /* borrowed */
    RACE_POINT();
    Py_XINCREF(price);
#else
    if (PyDict_GetItemStringRef(prices, "ACME", &price) < 0) { /* ours from the start */
        return NULL;
    }
    RACE_POINT();
#endif
    /* [latest] */
    return price == NULL ? PyErr_Format(PyExc_KeyError, "ACME") : price;
}

static PyObject *
update(PyObject *self, PyObject *Py_UNUSED(ignored))
{
    if (set_price((Board *)self, 4712) < 0) {
        return NULL;
    }
    Py_RETURN_NONE;
}

static PyObject *table; /* made by the first call, then kept */

#ifdef REPAIRED
static PyMutex making;

static PyObject *
full_table(void)
{
    PyObject *fresh = PyDict_New();
    if (fresh != NULL && (PyDict_SetItemString(fresh, "EUR", Py_True) < 0 ||
                          PyDict_SetItemString(fresh, "USD", Py_True) < 0)) {
        Py_CLEAR(fresh);
    }
    return fresh;
}
#endif

static PyObject *
currencies(PyObject *Py_UNUSED(module), PyObject *Py_UNUSED(ignored))
{
    /* [currencies] */
#ifndef REPAIRED
    if (table == NULL) {
        PyObject *fresh = PyDict_New();
        if (fresh == NULL) {
            return NULL;
        }
        table = fresh; /* and still empty */
        RACE_POINT();
        if (PyDict_SetItemString(fresh, "EUR", Py_True) < 0 ||
            PyDict_SetItemString(fresh, "USD", Py_True) < 0) {
            return NULL;
        }
    }
#else
    PyMutex_Lock(&making); /* who comes second waits for the first */
    if (table == NULL) {
        PyObject *fresh = full_table();
        RACE_POINT();
        table = fresh; /* full before anybody sees it */
    }
    PyMutex_Unlock(&making);
    if (table == NULL) {
        return NULL;
    }
#endif
    return PyLong_FromSsize_t(PyDict_Size(table));
    /* [currencies] */
}

static PyMethodDef board_methods[] = {
    {"latest", latest, METH_NOARGS, NULL}, {"update", update, METH_NOARGS, NULL}, {0}};
static PyType_Slot board_slots[] = {
    {Py_tp_new, board_new}, {Py_tp_dealloc, board_dealloc}, {Py_tp_methods, board_methods}, {0, NULL}};
static PyType_Spec board_spec = {"prices.Board", sizeof(Board), 0, Py_TPFLAGS_DEFAULT, board_slots};

static int
exec_prices(PyObject *module)
{
    PyObject *type = PyType_FromSpec(&board_spec);
    return type == NULL ? -1 : PyModule_Add(module, "Board", type);
}

static PyMethodDef methods[] = {{"currencies", currencies, METH_NOARGS, NULL}, {0}};
static PyModuleDef_Slot slots[] = {
    {Py_mod_exec, exec_prices},
#ifdef Py_GIL_DISABLED
    {Py_mod_gil, Py_MOD_GIL_NOT_USED},
#endif
    {0, NULL}};
static PyModuleDef definition = {
    PyModuleDef_HEAD_INIT, "prices", .m_methods = methods, .m_slots = slots};

PyMODINIT_FUNC
PyInit_prices(void)
{
    return PyModuleDef_Init(&definition);
}
