/* once_only_broken.c: a table made on the first call, sometimes twice. BROKEN ON PURPOSE.
 *
 * Lesson   notebooks/04_count.md
 * Bug      The test and the store are two steps. Threads that make the first call of a
 *          process together both find no table: each makes one and returns its own, and
 *          one is leaked. Every later call finds a table, so the chance never comes back.
 * Needs    a free-threaded build, two attached threads, the very first call in a process
 * Seen     notebooks/recorded/once_only.jsonl
 * Repair   once_only_fixed.c; the two differ only in this header and in [race] regions
 * Source   https://github.com/numpy/numpy/issues/26690 (a static cache filled twice)
 */
#include <Python.h>

#include <string.h>

#include "racelab/race_point.h"

#define SIZE (1 << 18)

static PyObject *table; /* NULL until somebody asks; then it stays */
/* [race:state] */
/* nothing guards it */
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
    if (table == NULL) {
        RACE_POINT(); /* others find no table, either */
        table = make_table();
    }
    found = Py_XNewRef(table);
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
    .m_name = "once_only_broken",
    .m_methods = methods,
    .m_slots = module_slots,
};

PyMODINIT_FUNC
PyInit_once_only_broken(void)
{
    return PyModuleDef_Init(&module_def);
}
