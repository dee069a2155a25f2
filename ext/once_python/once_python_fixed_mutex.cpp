/* once_python_fixed_mutex.cpp: Python code, called once, under a PyMutex.
 *
 * Lesson   notebooks/08_caches.md
 * Repair   Whoever waits for a PyMutex detaches by itself, with the GIL on and off. It is no
 *          recursive lock: if make() asks for the same value, it waits for itself.
 * Broken   once_python_broken.cpp; the two differ only in this header and in [race]
 * Source   https://docs.python.org/3.13/c-api/init.html#c.PyMutex
 */
#include <Python.h>

#include <atomic>
#include <mutex>
#include <new>

#include "racelab/race_point.h"

namespace {

struct failed_with_exception {}; // a Python exception is set

struct Shared {
    std::once_flag once;
    std::atomic<bool> ready{false};
    PyMutex mutex = {0};
    PyObject *value = nullptr; // what make() returned
    PyObject *make = nullptr;
};

struct Once {
    PyObject_HEAD
    Shared *shared;
};

// Calls Python code that may do anything: import, allocate, let other threads run.
void
fill(Shared *shared)
{
    RACE_POINT();
    PyObject *made = PyObject_CallNoArgs(shared->make);
    if (made == nullptr) {
        throw failed_with_exception(); // out of call_once: the next caller tries again
    }
    shared->value = made;
}

// Fills the value unless it is there. Throws if a Python exception is set.
void
fill_once(Shared *shared)
{
    /* [race] */
    if (shared->ready.load(std::memory_order_acquire)) {
        return;
    }
    struct Held { // unlocks however the block is left
        PyMutex *mutex;
        explicit Held(PyMutex *one) : mutex(one) { PyMutex_Lock(mutex); }
        ~Held() { PyMutex_Unlock(mutex); }
    } held(&shared->mutex);
    if (shared->value == nullptr) {
        fill(shared);
        shared->ready.store(true, std::memory_order_release);
    }
    /* [race] */
}

PyObject *
once_get(PyObject *self, PyObject *)
{
    Shared *shared = reinterpret_cast<Once *>(self)->shared;
    try {
        fill_once(shared);
    }
    catch (const failed_with_exception &) {
        return nullptr;
    }
    return Py_NewRef(shared->value);
}

PyObject *
once_new(PyTypeObject *type, PyObject *args, PyObject *)
{
    PyObject *make;
    if (!PyArg_ParseTuple(args, "O:Once", &make)) {
        return nullptr;
    }
    PyObject *self = type->tp_alloc(type, 0);
    if (self == nullptr) {
        return nullptr;
    }
    Shared *shared = new (std::nothrow) Shared;
    if (shared == nullptr) {
        Py_DECREF(self);
        return PyErr_NoMemory();
    }
    shared->make = Py_NewRef(make);
    reinterpret_cast<Once *>(self)->shared = shared;
    return self;
}

void
once_dealloc(PyObject *self)
{
    PyTypeObject *type = Py_TYPE(self);
    Shared *shared = reinterpret_cast<Once *>(self)->shared;
    if (shared != nullptr) {
        Py_XDECREF(shared->value);
        Py_DECREF(shared->make);
        delete shared;
    }
    type->tp_free(self);
    Py_DECREF(type);
}

PyMethodDef once_methods[] = {
    {"get", once_get, METH_NOARGS, PyDoc_STR("What make() returned, the first time.")},
    {nullptr, nullptr, 0, nullptr},
};

PyType_Slot once_slots[] = {
    {Py_tp_doc, const_cast<char *>("Once(make): calls make() when it is first asked.")},
    {Py_tp_new, reinterpret_cast<void *>(once_new)},
    {Py_tp_dealloc, reinterpret_cast<void *>(once_dealloc)},
    {Py_tp_methods, once_methods},
    {0, nullptr},
};

PyType_Spec once_spec = {
    "once_python_fixed_mutex.Once", sizeof(Once), 0, Py_TPFLAGS_DEFAULT | Py_TPFLAGS_IMMUTABLETYPE,
    once_slots,
};

int
exec_module(PyObject *module)
{
    PyObject *type = PyType_FromModuleAndSpec(module, &once_spec, nullptr);
    int status = PyModule_AddObjectRef(module, "Once", type);
    Py_XDECREF(type);
    return status;
}

PyModuleDef_Slot module_slots[] = {
    {Py_mod_exec, reinterpret_cast<void *>(exec_module)},
#ifdef Py_GIL_DISABLED
    {Py_mod_gil, Py_MOD_GIL_NOT_USED},
#endif
    {0, nullptr},
};

PyModuleDef module_def = {
    PyModuleDef_HEAD_INIT, "once_python_fixed_mutex", nullptr, 0, nullptr, module_slots,
    nullptr, nullptr, nullptr,
};

} // namespace

PyMODINIT_FUNC
PyInit_once_python_fixed_mutex()
{
    return PyModuleDef_Init(&module_def);
}
