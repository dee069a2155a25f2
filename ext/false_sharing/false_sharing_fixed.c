/* false_sharing_fixed.c: two counters, a cache line and more apart.
 *
 * Lesson   notebooks/06_lost_update.md
 * Repair   Padding: each counter fills a stretch that is longer than a cache line, so no
 *          line holds both. 128, because some processors fetch lines in pairs. Not
 *          _Alignas: Python's allocator aligns to 16 bytes, and would not keep the promise.
 * Broken   false_sharing_broken.c; the two differ only in this header and in [race] regions
 * Source   https://en.cppreference.com/w/cpp/thread/hardware_destructive_interference_size
 */
#include <Python.h>

#include <stdatomic.h>

typedef struct {
    /* [race] */
    _Atomic long value;
    char padding[128 - sizeof(long)]; /* not used */
    /* [race] */
} Cell;

typedef struct {
    PyObject_HEAD
    Cell cells[2];
} Pair;

static PyObject *
pair_bump_many(PyObject *self, PyObject *args)
{
    int which;
    long n;
    if (!PyArg_ParseTuple(args, "il:bump_many", &which, &n)) {
        return NULL;
    }
    if (which < 0 || which > 1 || n < 0) {
        return PyErr_Format(PyExc_ValueError,
                            "bump_many(%d, %ld): the counter is 0 or 1, the number not below 0",
                            which, n);
    }
    Cell *cell = &((Pair *)self)->cells[which];
    for (long i = 0; i < n; i++) {
        atomic_fetch_add_explicit(&cell->value, 1, memory_order_relaxed);
    }
    Py_RETURN_NONE;
}

static PyObject *
pair_values(PyObject *self, void *Py_UNUSED(closure))
{
    Cell *cells = ((Pair *)self)->cells;
    return Py_BuildValue("(ll)", (long)cells[0].value, (long)cells[1].value);
}

static PyObject *
pair_distance(PyObject *self, void *Py_UNUSED(closure))
{
    Cell *cells = ((Pair *)self)->cells;
    return PyLong_FromLong((long)((char *)&cells[1].value - (char *)&cells[0].value));
}

static void
pair_dealloc(PyObject *self)
{
    PyTypeObject *type = Py_TYPE(self);
    type->tp_free(self);
    Py_DECREF(type);
}

static PyMethodDef pair_methods[] = {
    {"bump_many", pair_bump_many, METH_VARARGS,
     PyDoc_STR("bump_many(which, n): add one to counter 0 or 1, n times.")},
    {NULL, NULL, 0, NULL},
};

static PyGetSetDef pair_getset[] = {
    {"values", pair_values, NULL, PyDoc_STR("Both counters."), NULL},
    {"distance", pair_distance, NULL, PyDoc_STR("From one counter to the other, in bytes."), NULL},
    {NULL, NULL, NULL, NULL, NULL},
};

static PyType_Slot pair_slots[] = {
    {Py_tp_doc, PyDoc_STR("Pair(): two counters that start at 0.")},
    {Py_tp_new, PyType_GenericNew},
    {Py_tp_dealloc, pair_dealloc},
    {Py_tp_methods, pair_methods},
    {Py_tp_getset, pair_getset},
    {0, NULL},
};

static PyType_Spec pair_spec = {
    .name = "false_sharing_fixed.Pair",
    .basicsize = sizeof(Pair),
    .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_IMMUTABLETYPE,
    .slots = pair_slots,
};

static int
exec_module(PyObject *module)
{
    PyObject *type = PyType_FromModuleAndSpec(module, &pair_spec, NULL);
    int status = PyModule_AddObjectRef(module, "Pair", type);
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
    .m_name = "false_sharing_fixed",
    .m_slots = module_slots,
};

PyMODINIT_FUNC
PyInit_false_sharing_fixed(void)
{
    return PyModuleDef_Init(&module_def);
}
