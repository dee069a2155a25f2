/* let_others_run.c: checksums of big files.
 *
 * Goal   checksum() is as right as before, whoever else calls it, and nobody waits for it: a
 *        collection that begins while it computes does not last until it is done.
 * Check  racelab check let_others_run        Stuck?  racelab hint let_others_run
 */
#include <Python.h>

#include <stdint.h>

#include "racelab/race_point.h"

/* checksum(data) -> int, for bytes of any size. */
static PyObject *
checksum(PyObject *Py_UNUSED(module), PyObject *data)
{
    if (!PyBytes_Check(data)) {
        return PyErr_Format(PyExc_TypeError, "checksum() takes bytes");
    }
    const unsigned char *bytes = (const unsigned char *)PyBytes_AS_STRING(data);
    Py_ssize_t size = PyBytes_GET_SIZE(data);
    // BEGIN STARTER
    // uint64_t sum = 0;
    // for (Py_ssize_t i = 0; i < size; i++) {
    //     sum = (sum * 31 + bytes[i]) % 4294967291u;
    // }
    // BEGIN SOLUTION
    uint64_t sum = 0;
    Py_BEGIN_ALLOW_THREADS /* detach: no object is touched, and the caller keeps data alive */
    for (Py_ssize_t i = 0; i < size; i++) {
        sum = (sum * 31 + bytes[i]) % 4294967291u;
    }
    Py_END_ALLOW_THREADS /* attach again: what follows makes an object */
    // END
    RACE_POINT(); /* nothing, unless the check gives the core away here */
    return PyLong_FromUnsignedLongLong(sum);
}

static PyMethodDef module_methods[] = {
    {"checksum", checksum, METH_O, PyDoc_STR("The checksum of bytes.")},
    {NULL, NULL, 0, NULL},
};

static PyModuleDef_Slot module_slots[] = {
    // BEGIN STARTER
    // {Py_mod_gil, Py_MOD_GIL_NOT_USED},
    // BEGIN SOLUTION
    {Py_mod_gil, Py_MOD_GIL_NOT_USED},
    // END
    {0, NULL},
};

static struct PyModuleDef module_def = {
    PyModuleDef_HEAD_INIT,
    .m_name = "let_others_run",
    .m_methods = module_methods,
    .m_slots = module_slots,
};

PyMODINIT_FUNC
PyInit_let_others_run(void)
{
    return PyModuleDef_Init(&module_def);
}
