/* once_only_fixed.c: a table made on the first call, once.
 *
 * Lesson   notebooks/04_count.md
 * Repair   A PyMutex makes test and store one step: whoever comes second waits, and finds
 *          the table. It is taken on every call; what a faster check in front of it needs
 *          is another lesson.
 * Broken   once_only_broken.c; the two differ only in this header and in [race] regions
 * Source   https://docs.python.org/3.13/c-api/init.html#c.PyMutex
 */
#include <Python.h>

#include <string.h>

#include "racelab/race_point.h"

#define SIZE (1 << 18)

static PyObject *table; /* NULL until somebody asks; then it stays */
/* [race:state] */
static PyMutex guard; /* of table; zeroed memory: unlocked */
/* [race:state] */

/* bytes of length SIZE: 1 where the index is prime. It takes a while. */
static PyObject *
make_table(void)
{
    PyObject *made = PyBytes_FromStringAndSize(NULL, SIZE);
    if (made == NULL) {
        return NULL;
    }
    char *prime = PyBytes_AS_STRING(made); /* nobody else has it yet */
    memset(prime, 1, SIZE);
    prime[0] = prime[1] = 0;
    for (int n = 2; n * n < SIZE; n++) {
        for (int m = n * n; prime[n] && m < SIZE; m += n) {
            prime[m] = 0;
        }
    }
    return made;
}

static PyObject *
primes(PyObject *Py_UNUSED(module), PyObject *Py_UNUSED(ignored))
{
    PyObject *found;
    /* [race] */
    PyMutex_Lock(&guard);
    if (table == NULL) {
        RACE_POINT(); /* others wait */
        table = make_table();
    }
    found = Py_XNewRef(table);
    PyMutex_Unlock(&guard);
    /* [race] */
    return found;
}

static PyMethodDef methods[] = {
    {"primes", primes, METH_NOARGS, PyDoc_STR("primes(): the table, made on the first call.")},
    {NULL, NULL, 0, NULL},
};

static PyModuleDef_Slot module_slots[] = {
    {Py_mod_multiple_interpreters, Py_MOD_MULTIPLE_INTERPRETERS_NOT_SUPPORTED},
#ifdef Py_GIL_DISABLED
    {Py_mod_gil, Py_MOD_GIL_NOT_USED},
#endif
    {0, NULL},
};

static struct PyModuleDef module_def = {
    PyModuleDef_HEAD_INIT,
    .m_name = "once_only_fixed",
    .m_methods = methods,
    .m_slots = module_slots,
};

PyMODINIT_FUNC
PyInit_once_only_fixed(void)
{
    return PyModuleDef_Init(&module_def);
}
