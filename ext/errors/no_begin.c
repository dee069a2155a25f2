/* no_begin.c: a critical section that is ended and not begun. Does not compile. */
#include <Python.h>

PyObject *
first(PyObject *list)
{
    PyObject *item = NULL;
    item = PyList_GetItemRef(list, 0);
    Py_END_CRITICAL_SECTION();
    return item;
}
