/* interpreter_broken.c: a module that says nothing about the GIL. BROKEN ON PURPOSE.
 *
 * Lesson   notebooks/01_interpreter.md
 * Bug      no Py_mod_gil slot: a free-threaded interpreter takes silence for "needs the GIL" and turns
 *          it on for the whole process, for good.
 * Needs    a free-threaded build
 * Repair   interpreter_fixed.c; the two differ only in this header and in [race]
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
    /* no Py_mod_gil */
    /* [race] */
    {0, NULL},
};

static struct PyModuleDef definition = {
    PyModuleDef_HEAD_INIT,
    .m_name = "interpreter_broken",
    .m_doc = "One function, no state, no word about the GIL.",
    .m_methods = methods,
    .m_slots = slots,
};

PyMODINIT_FUNC
PyInit_interpreter_broken(void)
{
    return PyModuleDef_Init(&definition);
}
