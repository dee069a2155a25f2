/* early.c: a return out of a critical section. Compiles, and must not be run. */
#include <Python.h>

PyObject *
first(PyObject *list)
{
    PyObject *item = NULL;
    Py_BEGIN_CRITICAL_SECTION(list);
    if (PyList_GET_SIZE(list) == 0) {
        return NULL;
    }
    item = PyList_GetItemRef(list, 0);
    Py_END_CRITICAL_SECTION();
    return item;
}
