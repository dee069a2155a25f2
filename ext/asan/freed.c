/* freed.c: memory that is used after it was freed, in one thread. BROKEN ON PURPOSE.
 *
 * Lesson   notebooks/15_asan.md
 * Needs    nothing: what is asked is who notices
 *
 * cc -g -O1 -fsanitize=address -fPIC -shared $(python3.13td-config --includes) freed.c -o freed.so
 */
#include <Python.h>

#include <stdlib.h>

/* One byte of memory that is not ours any more. Volatile, so that the compiler may not drop the read. */
static PyObject *
peek(const void *gone)
{
    return PyLong_FromLong(*(const volatile unsigned char *)gone);
}

static PyObject *
freed_block(PyObject *Py_UNUSED(module), PyObject *Py_UNUSED(ignored))
{
    char *block = malloc(24);
    free(block);
    return peek(block);
}

static PyObject *
freed_of(PyObject *Py_UNUSED(module), PyObject *make)
{
    PyObject *object = PyObject_CallNoArgs(make);
    if (object == NULL) {
        return NULL;
    }
    Py_DECREF(object); /* the last reference: it is freed here */
    return peek(object);
}

static PyObject *
freed_twice(PyObject *Py_UNUSED(module), PyObject *make)
{
    PyObject *object = PyObject_CallNoArgs(make);
    if (object == NULL) {
        return NULL;
    }
    Py_DECREF(object);
    Py_DECREF(object); /* a reference that we never had */
    Py_RETURN_NONE;
}

static PyMethodDef methods[] = {
    {"block", freed_block, METH_NOARGS, PyDoc_STR("Read a block of malloc() after free().")},
    {"of", freed_of, METH_O, PyDoc_STR("Read an object of this type that is gone.")},
    {"twice", freed_twice, METH_O, PyDoc_STR("Give an object of this type back twice.")},
    {NULL, NULL, 0, NULL},
};

static PyModuleDef_Slot module_slots[] = {
#ifdef Py_GIL_DISABLED
    {Py_mod_gil, Py_MOD_GIL_NOT_USED},
#endif
    {0, NULL},
};

static struct PyModuleDef module_def = {
    PyModuleDef_HEAD_INIT,
    .m_name = "freed",
    .m_methods = methods,
    .m_slots = module_slots,
};

PyMODINIT_FUNC
PyInit_freed(void)
{
    return PyModuleDef_Init(&module_def);
}
