/* once_python_broken.cpp: std::call_once around Python code. BROKEN ON PURPOSE.
 *
 * Lesson   notebooks/08_caches.md
 * Bug      Whoever comes second waits in call_once, attached. The first one is inside, in Python
 *          code, and needs what the waiting thread does not give: the GIL, or, without a GIL,
 *          a world that can be stopped. Each waits for the other, for ever.
 * Needs    two threads, the first call of both; with the GIL on as well as off
 * Seen     notebooks/recorded/once_python.jsonl
 * Repair   once_python_fixed.cpp: wait detached. once_python_fixed_mutex.cpp: a PyMutex instead.
 *          Each differs from this file only in the header and in [race]
 * Source   https://github.com/pybind/pybind11/pull/4877
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
    std::call_once(shared->once, [shared] { fill(shared); });
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
    "once_python_broken.Once", sizeof(Once), 0, Py_TPFLAGS_DEFAULT | Py_TPFLAGS_IMMUTABLETYPE,
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
    PyModuleDef_HEAD_INIT, "once_python_broken", nullptr, 0, nullptr, module_slots,
    nullptr, nullptr, nullptr,
};

} // namespace

PyMODINIT_FUNC
PyInit_once_python_broken()
{
    return PyModuleDef_Init(&module_def);
}
