#include <Python.h>

int
is_list(PyObject *object)
{
    return PyList_Check(object);
}
