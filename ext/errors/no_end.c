/* no_end.c: a critical section that is begun and not ended. Does not compile. */
#include <Python.h>

PyObject *
first(PyObject *list)
{
    PyObject *item = NULL;
    Py_BEGIN_CRITICAL_SECTION(list);
    item = PyList_GetItemRef(list, 0);
    return item;
}
