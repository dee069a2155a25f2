/* access.cpp: how long it takes to find this thread's own, in each of the ways to keep it.
 *
 * Lesson   notebooks/07_per_thread.md
 * Note     Each way is a function called through a volatile pointer: a compiler that sees the
 *          whole loop would look the place up once and keep it in a register.
 */
#include <Python.h>

#include <time.h>

#include <cstring>

struct Counted { /* not constant: each access asks whether this thread's is made yet */
    long value;
    Counted() : value(clock()) {}
};

static long shared;
static PyMutex mutex;
static thread_local long own;
static thread_local Counted made;
static Py_tss_t key = Py_tss_NEEDS_INIT;
static PyObject *local, *attribute, *variable;

typedef void *(*way)();

static void *from_static() { return &shared; }
static void *
from_locked()
{
    PyMutex_Lock(&mutex);
    PyMutex_Unlock(&mutex);
    return &shared;
}

static void *from_thread_local() { return &own; }
static void *from_constructed() { return &made; }
static void *from_tss() { return PyThread_tss_get(&key); }

static void *
given_back(PyObject *found)
{
    Py_XDECREF(found);
    return found;
}

static void *
from_state_dict()
{
    PyObject *found = nullptr;
    PyObject *dict = PyThreadState_GetDict();
    if (dict != nullptr && PyDict_GetItemRef(dict, attribute, &found) == 0) {
        PyErr_SetString(PyExc_KeyError, "this thread's dict has no such item");
    }
    return given_back(found);
}

static void *from_local() { return given_back(PyObject_GetAttr(local, attribute)); }

static void *
from_context()
{
    PyObject *found = nullptr;
    if (PyContextVar_Get(variable, nullptr, &found) == 0 && found == nullptr) {
        PyErr_SetString(PyExc_LookupError, "the context variable is not set");
    }
    return given_back(found);
}

static const struct {
    const char *name;
    way find;
} ways[] = {
    {"static", from_static},
    {"static, behind a lock", from_locked},
    {"thread_local", from_thread_local},
    {"thread_local, constructed", from_constructed},
    {"Py_tss_t", from_tss},
    {"thread state's dict", from_state_dict},
    {"threading.local", from_local},
    {"context variable", from_context},
};

static PyObject *
names(PyObject *, PyObject *)
{
    PyObject *list = PyList_New(0);
    for (const auto &each : ways) {
        PyObject *name = list == nullptr ? nullptr : PyUnicode_FromString(each.name);
        if (name == nullptr || PyList_Append(list, name) < 0) {
            Py_CLEAR(list);
        }
        Py_XDECREF(name);
    }
    return list;
}

/* Give the calling thread something to find in each place. */
static PyObject *
enter(PyObject *, PyObject *object)
{
    static char block;
    PyObject *dict = PyThreadState_GetDict();
    PyObject *token = PyContextVar_Set(variable, object);
    if (token == nullptr || dict == nullptr || PyDict_SetItem(dict, attribute, object) < 0
        || PyObject_SetAttr(local, attribute, object) < 0) {
        Py_XDECREF(token);
        return PyErr_Occurred() ? nullptr : PyErr_NoMemory();
    }
    Py_DECREF(token);
    if (PyThread_tss_set(&key, &block) != 0) {
        return PyErr_NoMemory();
    }
    Py_RETURN_NONE;
}

static double
now_ns()
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return static_cast<double>(t.tv_sec) * 1e9 + static_cast<double>(t.tv_nsec);
}

/* ns(name, n): one access, averaged over n, on the calling thread. */
static PyObject *
ns(PyObject *, PyObject *args)
{
    const char *name;
    long n;
    if (!PyArg_ParseTuple(args, "sl", &name, &n)) {
        return nullptr;
    }
    for (const auto &each : ways) {
        if (strcmp(each.name, name) == 0 && n > 0) {
            way volatile find = each.find;
            double start = now_ns();
            for (long i = 0; i < n; i++) {
                if (find() == nullptr) {
                    return PyErr_Occurred() ? nullptr : PyErr_NoMemory();
                }
            }
            return PyFloat_FromDouble((now_ns() - start) / static_cast<double>(n));
        }
    }
    return PyErr_Format(PyExc_ValueError, "ns('%s', %ld): no such way, or not above 0", name, n);
}

static PyMethodDef methods[] = {
    {"names", names, METH_NOARGS, PyDoc_STR("The ways to find this thread's own.")},
    {"enter", enter, METH_O, PyDoc_STR("enter(object): to be found by the calling thread.")},
    {"ns", ns, METH_VARARGS, PyDoc_STR("ns(name, n): one access, in nanoseconds.")},
    {nullptr, nullptr, 0, nullptr},
};

static int
exec_module(PyObject *)
{
    PyObject *threading = PyImport_ImportModule("threading");
    local = threading == nullptr ? nullptr : PyObject_CallMethod(threading, "local", nullptr);
    Py_XDECREF(threading);
    attribute = PyUnicode_InternFromString("racelab_own");
    variable = PyContextVar_New("racelab_own", nullptr);
    if (local == nullptr || attribute == nullptr || variable == nullptr) {
        return -1;
    }
    if (PyThread_tss_create(&key) != 0) {
        PyErr_NoMemory();
        return -1;
    }
    return 0;
}

static PyModuleDef_Slot module_slots[] = {
    {Py_mod_exec, reinterpret_cast<void *>(exec_module)},
#ifdef Py_GIL_DISABLED
    {Py_mod_gil, Py_MOD_GIL_NOT_USED},
#endif
    {0, nullptr},
};

static struct PyModuleDef module_def = {
    PyModuleDef_HEAD_INIT, "access", nullptr, 0, methods, module_slots, nullptr, nullptr, nullptr,
};

PyMODINIT_FUNC
PyInit_access(void)
{
    return PyModuleDef_Init(&module_def);
}
