/* given.c: a purse whose calls all take a lock. BROKEN ON PURPOSE. You read it and do not change it. */
#include <Python.h>

#include <pthread.h>

static pthread_mutex_t coins_lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_mutex_t notes_lock = PTHREAD_MUTEX_INITIALIZER;

typedef struct {
    PyObject_HEAD
    long coins;
    long notes;
} Purse;

static void
count_up(long *what, long by)
{
    *what += by;
}

static PyObject *
purse_put(PyObject *self, PyObject *arg)
{
    long coins = PyLong_AsLong(arg);
    if (coins == -1 && PyErr_Occurred()) {
        return NULL;
    }
    pthread_mutex_lock(&coins_lock);
    count_up(&((Purse *)self)->coins, coins);
    pthread_mutex_unlock(&coins_lock);
    Py_RETURN_NONE;
}

/* Ten coins become a note. */
static PyObject *
purse_change(PyObject *self, PyObject *Py_UNUSED(ignored))
{
    Purse *purse = (Purse *)self;
    pthread_mutex_lock(&notes_lock);
    count_up(&purse->notes, 1);
    count_up(&purse->coins, -10);
    pthread_mutex_unlock(&notes_lock);
    Py_RETURN_NONE;
}

static void
purse_dealloc(PyObject *self)
{
    PyTypeObject *type = Py_TYPE(self);
    type->tp_free(self);
    Py_DECREF(type);
}

static PyMethodDef purse_methods[] = {
    {"put", purse_put, METH_O, PyDoc_STR("put(coins)")},
    {"change", purse_change, METH_NOARGS, PyDoc_STR("ten coins for a note")},
    {NULL, NULL, 0, NULL},
};

static PyType_Slot purse_slots[] = {
    {Py_tp_dealloc, purse_dealloc}, {Py_tp_methods, purse_methods}, {0, NULL}};
static PyType_Spec purse_spec = {.name = "given.Purse",
                                 .basicsize = sizeof(Purse),
                                 .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_IMMUTABLETYPE,
                                 .slots = purse_slots};

static int
exec_module(PyObject *module)
{
    PyObject *type = PyType_FromModuleAndSpec(module, &purse_spec, NULL);
    int status = PyModule_AddObjectRef(module, "Purse", type);
    Py_XDECREF(type);
    return status;
}

static PyModuleDef_Slot module_slots[] = {
    {Py_mod_exec, exec_module},
#ifdef Py_GIL_DISABLED
    {Py_mod_gil, Py_MOD_GIL_NOT_USED},
#endif
    {0, NULL}};
static struct PyModuleDef module_def = {
    PyModuleDef_HEAD_INIT, .m_name = "given", .m_slots = module_slots};

PyMODINIT_FUNC
PyInit_given(void)
{
    return PyModuleDef_Init(&module_def);
}
