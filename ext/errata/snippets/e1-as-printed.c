#include <Python.h>

int
count_items(PyObject *list)
{
    int items;
    Py_BEGIN_CRITICAL_SECTION(list);
    items = (int)PyList_GET_SIZE(list);
    Py_END_CRITICAL_SECTION(list);
    return items;
}
