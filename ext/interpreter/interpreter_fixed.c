/* interpreter_fixed.c: the module says that it does without the GIL.
 *
 * Lesson   notebooks/01_interpreter.md
 * Repair   the Py_mod_gil slot. It is a promise that the code keeps (this code has no state to protect);
 *          it protects nothing by itself. Python older than 3.13 does not know the slot: guard it with
 *          #if PY_VERSION_HEX >= 0x030D0000 where one source serves both.
 * Compare  interpreter_broken.c; the two differ only in this header and in [race]
 * Source   https://docs.python.org/3.13/howto/free-threading-extensions.html
 */
#include <Python.h>

static PyObject *
answer(PyObject *Py_UNUSED(module), PyObject *Py_UNUSED(ignored))
{
    return PyLong_FromLong(42);
}

static PyMethodDef methods[] = {
    {"answer", answer, METH_NOARGS, "answer() -> int: touches no shared state at all"},
    {NULL, NULL, 0, NULL},
};

static PyModuleDef_Slot slots[] = {
    /* [race] */
    {Py_mod_gil, Py_MOD_GIL_NOT_USED}, /* a promise, not a protection */
    /* [race] */
    {0, NULL},
};

static struct PyModuleDef definition = {
    PyModuleDef_HEAD_INIT,
    .m_name = "interpreter_fixed",
    .m_doc = "One function, no state, no word about the GIL.",
    .m_methods = methods,
    .m_slots = slots,
};

PyMODINIT_FUNC
PyInit_interpreter_fixed(void)
{
    return PyModuleDef_Init(&definition);
}
