/* hall.c: a hall with a counter at its door, and a log from somebody else's library. BROKEN ON PURPOSE.
 *
 * Lesson   notebooks/14_tsan.md
 * Bug      count_in() and lib_log() each add one in three steps. The first is ours, the second
 *          stands for a library's: two races, so two reports.
 * Needs    a free-threaded build, two attached threads
 * Seen     notebooks/recorded/tsan.jsonl
 * Repair   the one of notebooks/06_lost_update.md
 */
#include <Python.h>

typedef struct {
    PyObject_HEAD
    long inside;
    long lines;
} Hall;

/* Not inlined: each shall be a frame of its own, as it would be in a larger program. */
__attribute__((noinline)) static void
count_in(long *inside)
{
    *inside += 1;
}

__attribute__((noinline)) static void
lib_log(long *lines)
{
    *lines += 1;
}

static PyObject *
hall_enter(PyObject *self, PyObject *Py_UNUSED(ignored))
{
    count_in(&((Hall *)self)->inside);
    lib_log(&((Hall *)self)->lines);
    Py_RETURN_NONE;
}

/* Nothing about threads: asks for memory as C code does, and copes with a NULL. */
static PyObject *
hall_rent(PyObject *Py_UNUSED(self), PyObject *arg)
{
    size_t bytes = PyLong_AsSize_t(arg);
    if (bytes == (size_t)-1 && PyErr_Occurred()) {
        return NULL;
    }
    void *memory = PyMem_RawMalloc(bytes);
    if (memory == NULL) {
        return PyErr_NoMemory();
    }
    PyMem_RawFree(memory);
    Py_RETURN_NONE;
}

static void
hall_dealloc(PyObject *self)
{
    PyTypeObject *type = Py_TYPE(self);
    type->tp_free(self);
    Py_DECREF(type);
}

static PyMethodDef hall_methods[] = {
    {"enter", hall_enter, METH_NOARGS, PyDoc_STR("One more is inside.")},
    {"rent", hall_rent, METH_O, PyDoc_STR("rent(bytes): take so much memory, and give it back.")},
    {NULL, NULL, 0, NULL},
};

static PyType_Slot hall_slots[] = {
    {Py_tp_doc, PyDoc_STR("Hall(): empty.")},
    {Py_tp_dealloc, hall_dealloc},
    {Py_tp_methods, hall_methods},
    {0, NULL},
};

static PyType_Spec hall_spec = {
    .name = "hall.Hall",
    .basicsize = sizeof(Hall),
    .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_IMMUTABLETYPE,
    .slots = hall_slots,
};

static int
exec_module(PyObject *module)
{
    PyObject *type = PyType_FromModuleAndSpec(module, &hall_spec, NULL);
    int status = PyModule_AddObjectRef(module, "Hall", type);
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
    .m_name = "hall",
    .m_slots = module_slots,
};

PyMODINIT_FUNC
PyInit_hall(void)
{
    return PyModuleDef_Init(&module_def);
}
