/* given.c: a shop, as it was when it stood still (see who_holds.py). Any thread may call any function. */
#include <Python.h>

#include "racelab/race_point.h"

typedef struct {
    PyMutex stock;
    PyMutex cash;
    PyMutex log;
    long pieces, cents, lines;
} Shop;

static Shop shop = {.pieces = 1000000, .cents = 1000};

static void
write_line(void)
{
    PyMutex_Lock(&shop.log);
    shop.lines++;
    PyMutex_Unlock(&shop.log);
}

static PyObject *
sell(PyObject *Py_UNUSED(module), PyObject *Py_UNUSED(ignored))
{
    PyMutex_Lock(&shop.stock);
    shop.pieces--;
    RACE_POINT();
    PyMutex_Lock(&shop.cash);
    shop.cents += 100;
    PyMutex_Unlock(&shop.cash);
    PyMutex_Unlock(&shop.stock);
    Py_RETURN_NONE;
}

static PyObject *
refund(PyObject *Py_UNUSED(module), PyObject *Py_UNUSED(ignored))
{
    PyMutex_Lock(&shop.cash);
    shop.cents -= 100;
    RACE_POINT();
    write_line();
    PyMutex_Unlock(&shop.cash);
    Py_RETURN_NONE;
}

static PyObject *
audit(PyObject *Py_UNUSED(module), PyObject *Py_UNUSED(ignored))
{
    PyMutex_Lock(&shop.cash);
    long cents = shop.cents;
    PyMutex_Unlock(&shop.cash);
    PyMutex_Lock(&shop.log);
    shop.lines++;
    RACE_POINT();
    PyMutex_Lock(&shop.stock);
    long pieces = shop.pieces;
    PyMutex_Unlock(&shop.stock);
    PyMutex_Unlock(&shop.log);
    return PyLong_FromLong(pieces + cents);
}

static PyObject *
peek(PyObject *Py_UNUSED(module), PyObject *Py_UNUSED(ignored))
{
    PyMutex_Lock(&shop.stock);
    long pieces = shop.pieces;
    PyMutex_Unlock(&shop.stock);
    return PyLong_FromLong(pieces);
}

static PyMethodDef methods[] = {
    {"sell", sell, METH_NOARGS, NULL},   {"refund", refund, METH_NOARGS, NULL},
    {"audit", audit, METH_NOARGS, NULL}, {"peek", peek, METH_NOARGS, NULL},
    {NULL, NULL, 0, NULL},
};

static PyModuleDef_Slot slots[] = {
#ifdef Py_GIL_DISABLED
    {Py_mod_gil, Py_MOD_GIL_NOT_USED},
#endif
    {0, NULL},
};

static struct PyModuleDef definition = {
    PyModuleDef_HEAD_INIT,
    .m_name = "given",
    .m_methods = methods,
    .m_slots = slots,
};

PyMODINIT_FUNC
PyInit_given(void)
{
    return PyModuleDef_Init(&definition);
}
