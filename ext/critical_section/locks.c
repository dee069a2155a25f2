/* locks.c: what each way to be alone costs. Nothing here is broken.
 *
 * Lesson   notebooks/12_critical_section.md
 * Run      racelab record critical_section
 *
 * A Pair has two numbers. run(kind, other, n) changes self, or self and other, n times,
 * and takes the lock for each change anew.
 */
#include <Python.h>

#include <pthread.h>
#include <stdatomic.h>
#include <string.h>

typedef struct {
    PyObject_HEAD
    _Atomic long counted;
    long value;
    PyMutex mutex;
    pthread_mutex_t pthread;
} Pair;

#define REPEAT(...) for (long i = 0; i < n; i++) { __VA_ARGS__; }

static PyObject *
pair_run(PyObject *op, PyObject *args)
{
    Pair *self = (Pair *)op, *other;
    const char *kind;
    long n;
    if (!PyArg_ParseTuple(args, "sO!l:run", &kind, Py_TYPE(op), &other, &n)) {
        return NULL;
    }
    if (op == (PyObject *)other) {
        PyErr_SetString(PyExc_ValueError, "run() takes another Pair than its own");
        return NULL;
    }
    Pair *first = (uintptr_t)self < (uintptr_t)other ? self : other;
    Pair *second = first == self ? other : self;
    if (strcmp(kind, "atomic") == 0) {
        REPEAT(atomic_fetch_add(&self->counted, 1))
    }
    else if (strcmp(kind, "critical section") == 0) {
        REPEAT(Py_BEGIN_CRITICAL_SECTION(self); self->value++; Py_END_CRITICAL_SECTION())
    }
    else if (strcmp(kind, "PyMutex") == 0) {
        REPEAT(PyMutex_Lock(&self->mutex); self->value++; PyMutex_Unlock(&self->mutex))
    }
    else if (strcmp(kind, "pthread mutex") == 0) {
        REPEAT(pthread_mutex_lock(&self->pthread); self->value++;
               pthread_mutex_unlock(&self->pthread))
    }
    else if (strcmp(kind, "critical section of two") == 0) {
        REPEAT(Py_BEGIN_CRITICAL_SECTION2(self, other); self->value++; other->value--;
               Py_END_CRITICAL_SECTION2())
    }
    else if (strcmp(kind, "two PyMutexes") == 0) {
        REPEAT(PyMutex_Lock(&first->mutex); PyMutex_Lock(&second->mutex); self->value++;
               other->value--; PyMutex_Unlock(&second->mutex); PyMutex_Unlock(&first->mutex))
    }
    else {
        return PyErr_Format(PyExc_ValueError, "run(): no lock is called %s", kind);
    }
    Py_RETURN_NONE;
}

static PyObject *
pair_new(PyTypeObject *type, PyObject *Py_UNUSED(args), PyObject *Py_UNUSED(kwargs))
{
    PyObject *self = type->tp_alloc(type, 0);
    if (self != NULL && (errno = pthread_mutex_init(&((Pair *)self)->pthread, NULL)) != 0) {
        type->tp_free(self); /* not Py_DECREF: there is no mutex to destroy */
        Py_DECREF(type);
        return PyErr_SetFromErrno(PyExc_OSError);
    }
    return self;
}

static void
pair_dealloc(PyObject *self)
{
    PyTypeObject *type = Py_TYPE(self);
    pthread_mutex_destroy(&((Pair *)self)->pthread);
    type->tp_free(self);
    Py_DECREF(type);
}

static PyMethodDef pair_methods[] = {
    {"run", pair_run, METH_VARARGS, PyDoc_STR("run(kind, other, n): n changes, each locked.")},
    {NULL, NULL, 0, NULL},
};

static PyType_Slot pair_slots[] = {
    {Py_tp_doc, PyDoc_STR("Pair(): numbers and the locks that can guard them.")},
    {Py_tp_new, pair_new},
    {Py_tp_dealloc, pair_dealloc},
    {Py_tp_methods, pair_methods},
    {0, NULL},
};

static PyType_Spec pair_spec = {
    .name = "locks.Pair",
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
    .m_name = "locks",
    .m_slots = module_slots,
};

PyMODINIT_FUNC
PyInit_locks(void)
{
    return PyModuleDef_Init(&module_def);
}
