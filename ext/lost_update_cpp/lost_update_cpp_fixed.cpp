/* lost_update_cpp_fixed.cpp: a C++ counter that counts every call.
 *
 * Lesson   notebooks/06_lost_update.md
 * Repair   A std::atomic, and fetch_add: one read-modify-write that nobody can come
 *          between. `value += 1` and `value++` are the same with a stricter order.
 * Broken   lost_update_cpp_broken.cpp; the two differ only in this header and in [race] regions
 * Source   https://en.cppreference.com/w/cpp/atomic/atomic/fetch_add
 */
#include <Python.h>

#include <atomic>
#include <mutex>
#include <new>

#include "racelab/race_point.h"

class Tally {
  public:
    void
    add_one()
    {
        // [race]
        RACE_POINT();
        value.fetch_add(1, std::memory_order_relaxed);
        // [race]
    }

    long
    read()
    {
        // [race:read]
        return value;
        // [race:read]
    }

  private:
    // [race:state]
    std::atomic<long> value = 0;
    // [race:state]
};

struct Counter {
    PyObject_HEAD
    Tally tally; // made in counter_new, destroyed in counter_dealloc
};

static Tally &
tally_of(PyObject *self)
{
    return reinterpret_cast<Counter *>(self)->tally;
}

static PyObject *
counter_bump(PyObject *self, PyObject *)
{
    tally_of(self).add_one();
    Py_RETURN_NONE;
}

static PyObject *
counter_bump_many(PyObject *self, PyObject *arg)
{
    long n = PyLong_AsLong(arg);
    if (n == -1 && PyErr_Occurred()) {
        return nullptr;
    }
    if (n < 0) {
        return PyErr_Format(PyExc_ValueError, "bump_many(%ld): a number of calls is 0 or more", n);
    }
    for (long i = 0; i < n; i++) {
        tally_of(self).add_one();
    }
    Py_RETURN_NONE;
}

static PyObject *
counter_value(PyObject *self, void *)
{
    return PyLong_FromLong(tally_of(self).read());
}

static PyObject *
counter_new(PyTypeObject *type, PyObject *, PyObject *)
{
    PyObject *self = type->tp_alloc(type, 0);
    if (self != nullptr) {
        new (&tally_of(self)) Tally(); // Python's memory; C++ has not constructed anything in it
    }
    return self;
}

static void
counter_dealloc(PyObject *self)
{
    PyTypeObject *type = Py_TYPE(self);
    tally_of(self).~Tally();
    type->tp_free(self);
    Py_DECREF(type);
}

static PyMethodDef counter_methods[] = {
    {"bump", counter_bump, METH_NOARGS, PyDoc_STR("Add one.")},
    {"bump_many", counter_bump_many, METH_O, PyDoc_STR("bump_many(n): add one, n times.")},
    {nullptr, nullptr, 0, nullptr},
};

static PyGetSetDef counter_getset[] = {
    {"value", counter_value, nullptr, PyDoc_STR("How often it was bumped."), nullptr},
    {nullptr, nullptr, nullptr, nullptr, nullptr},
};

static PyType_Slot counter_slots[] = {
    {Py_tp_doc, const_cast<char *>(PyDoc_STR("Counter(): starts at 0."))},
    {Py_tp_new, reinterpret_cast<void *>(counter_new)},
    {Py_tp_dealloc, reinterpret_cast<void *>(counter_dealloc)},
    {Py_tp_methods, counter_methods},
    {Py_tp_getset, counter_getset},
    {0, nullptr},
};

static PyType_Spec counter_spec = {
    "lost_update_cpp_fixed.Counter",
    sizeof(Counter),
    0,
    Py_TPFLAGS_DEFAULT | Py_TPFLAGS_IMMUTABLETYPE,
    counter_slots,
};

static int
exec_module(PyObject *module)
{
    PyObject *type = PyType_FromModuleAndSpec(module, &counter_spec, nullptr);
    int status = PyModule_AddObjectRef(module, "Counter", type);
    Py_XDECREF(type);
    return status;
}

static PyModuleDef_Slot module_slots[] = {
    {Py_mod_exec, reinterpret_cast<void *>(exec_module)},
#ifdef Py_GIL_DISABLED
    {Py_mod_gil, Py_MOD_GIL_NOT_USED},
#endif
    {0, nullptr},
};

static PyModuleDef module_def = {
    PyModuleDef_HEAD_INIT, "lost_update_cpp_fixed", nullptr, 0, nullptr, module_slots, nullptr, nullptr, nullptr,
};

PyMODINIT_FUNC
PyInit_lost_update_cpp_fixed(void)
{
    return PyModuleDef_Init(&module_def);
}
