/* cache_once_fixed.cpp: a static table in C++, made once: std::call_once.
 *
 * Lesson   notebooks/08_caches.md
 * Repair   The first caller makes the table, the others wait, and all see it finished. If making
 *          it throws, the flag stays as it was and the next caller tries. They wait attached:
 *          nothing that is done inside may need the interpreter (ext/once_python).
 * Broken   cache_once_broken.cpp; the two differ only in this header and in [race] regions
 * Source   https://en.cppreference.com/w/cpp/thread/call_once
 */
#include <Python.h>

#include <array>
#include <atomic>
#include <cstdint>
#include <mutex>
#include <new>

#include "racelab/race_point.h"

namespace {

constexpr int rows = 16;
constexpr int columns = 256;
std::atomic<int> alive{0}; // tables that are in memory

// CRC-32 tables for 16 bytes at a time: some work. Throws std::bad_alloc if there is no room.
struct Table {
    std::array<std::uint32_t, rows * columns> entries;

    Table()
    {
        alive.fetch_add(1, std::memory_order_relaxed);
        RACE_POINT();
        for (int at = 0; at < rows * columns; at++) {
            std::uint32_t crc = at < columns ? std::uint32_t(at) : entries[at - columns];
            for (int bit = 0; bit < 8; bit++) {
                crc = (crc >> 1) ^ (0xedb88320u & (0u - (crc & 1u)));
            }
            entries[at] = crc;
        }
    }
    Table(const Table &) = delete;
    Table &operator=(const Table &) = delete;
    ~Table() { alive.fetch_sub(1, std::memory_order_relaxed); }
};

/* [race:state] */
Table *table = nullptr; // written inside of call_once
std::once_flag made;
/* [race:state] */

// Not inline: who calls it in a loop shall pay for each call.
__attribute__((noinline)) std::uint32_t
look_up(int at)
{
    /* [race] */
    std::call_once(made, [] { table = new Table; });
    const Table *found = table;
    /* [race] */
    return found->entries[at];
}

PyObject *
cache_touch(PyObject *, PyObject *)
{
    try {
        return PyLong_FromUnsignedLong(look_up(1));
    }
    catch (const std::bad_alloc &) { // no C++ exception may leave through C
        return PyErr_NoMemory();
    }
}

PyObject *
cache_alive(PyObject *, PyObject *)
{
    return PyLong_FromLong(alive.load());
}

PyObject *
cache_hit_ns(PyObject *, PyObject *times)
{
    PyTime_t begin, end;
    std::uint32_t all = 0;
    long n = PyLong_AsLong(times);
    if (n <= 0) {
        return PyErr_Occurred() ? nullptr : PyErr_Format(PyExc_ValueError, "%ld: not above 0", n);
    }
    try {
        all = look_up(0);
        if (PyTime_PerfCounter(&begin) < 0) {
            return nullptr;
        }
        for (long i = 0; i < n; i++) {
            all ^= look_up(static_cast<int>(i % columns));
        }
    }
    catch (const std::bad_alloc &) {
        return PyErr_NoMemory();
    }
    volatile std::uint32_t used = all; // so that no call can be left out
    (void)used;
    if (PyTime_PerfCounter(&end) < 0) {
        return nullptr;
    }
    return PyFloat_FromDouble(double(end - begin) / double(n));
}

PyMethodDef cache_methods[] = {
    {"touch", cache_touch, METH_NOARGS, PyDoc_STR("One entry; makes the table if need be.")},
    {"alive", cache_alive, METH_NOARGS, PyDoc_STR("How many tables there are in memory.")},
    {"hit_ns", cache_hit_ns, METH_O, PyDoc_STR("Look up n entries; nanoseconds for each.")},
    {nullptr, nullptr, 0, nullptr},
};

PyModuleDef_Slot module_slots[] = {
#ifdef Py_GIL_DISABLED
    {Py_mod_gil, Py_MOD_GIL_NOT_USED},
#endif
    {0, nullptr},
};

PyModuleDef module_def = {
    PyModuleDef_HEAD_INIT, "cache_once_fixed", nullptr, 0, cache_methods, module_slots,
    nullptr, nullptr, nullptr,
};

} // namespace

PyMODINIT_FUNC
PyInit_cache_once_fixed()
{
    return PyModuleDef_Init(&module_def);
}
