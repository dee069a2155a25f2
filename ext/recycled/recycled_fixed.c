/* recycled_fixed.c: a result that is used again by the thread that made it, and only by it.
 *
 * Lesson   notebooks/10_borrowed_ref.md
 * Repair   PyUnstable_Object_IsUniquelyReferenced (3.14) is true only in the thread that
 *          made the object, and only if no other thread ever took a reference that is
 *          still counted. At most one thread can pass.
 * Broken   recycled_broken.c; the two differ only in this header and in [race]
 * Source   https://docs.python.org/3.14/c-api/object.html#c.PyUnstable_Object_IsUniquelyReferenced
 */
#include <Python.h>

#include <stdatomic.h>

#include "racelab/race_point.h"

typedef struct {
    PyObject_HEAD
    PyObject *result; /* a tuple of one number: used again if nobody has kept it */
    _Atomic long next;
} Numbers;

/* Whether the caller's thread made this object and has the only reference to it. */
__attribute__((unused)) static int
is_mine_alone(PyObject *object)
{
#if PY_VERSION_HEX >= 0x030E0000
    return PyUnstable_Object_IsUniquelyReferenced(object);
#elif defined(Py_GIL_DISABLED) /* what that does; pythoncapi_compat.h has it for 3.13 */
    return _Py_IsOwnedByCurrentThread(object) &&
           __atomic_load_n(&object->ob_ref_local, __ATOMIC_RELAXED) == 1 &&
           __atomic_load_n(&object->ob_ref_shared, __ATOMIC_RELAXED) == 0;
#else
    return Py_REFCNT(object) == 1;
#endif
}

/* A tuple to put a number in, used or new; NULL with an exception. */
static PyObject *
take_result(PyObject *result)
{
    /* [race] */
    if (is_mine_alone(result)) { /* made here, and kept by none */
        RACE_POINT();
        return Py_NewRef(result);
    }
    /* [race] */
    return PyTuple_Pack(1, Py_None);
}

static PyObject *
numbers_take(PyObject *self, PyObject *Py_UNUSED(ignored))
{
    Numbers *numbers = (Numbers *)self;
    PyObject *number = PyLong_FromLong(atomic_fetch_add(&numbers->next, 1) % 100);
    PyObject *result = number == NULL ? NULL : take_result(numbers->result);
    if (result == NULL) {
        Py_XDECREF(number);
        return NULL;
    }
    /* What was there is None or a small number, and those are never freed. */
    PyTuple_SET_ITEM(result, 0, number);
    return result;
}

static PyObject *
numbers_new(PyTypeObject *type, PyObject *Py_UNUSED(args), PyObject *Py_UNUSED(kwargs))
{
    Numbers *self = (Numbers *)type->tp_alloc(type, 0);
    if (self == NULL) {
        return NULL;
    }
    self->result = PyTuple_Pack(1, Py_None);
    if (self->result == NULL) {
        Py_DECREF(self);
        return NULL;
    }
    return (PyObject *)self;
}

static void
numbers_dealloc(PyObject *self)
{
    PyTypeObject *type = Py_TYPE(self);
    Py_XDECREF(((Numbers *)self)->result);
    type->tp_free(self);
    Py_DECREF(type);
}

static PyMethodDef numbers_methods[] = {
    {"take", numbers_take, METH_NOARGS, PyDoc_STR("A tuple with the next number.")},
    {NULL, NULL, 0, NULL},
};

static PyType_Slot numbers_slots[] = {
    {Py_tp_doc, PyDoc_STR("Numbers(): counts from 0, in tuples that are used again.")},
    {Py_tp_new, numbers_new},
    {Py_tp_dealloc, numbers_dealloc},
    {Py_tp_methods, numbers_methods},
    {0, NULL},
};

static PyType_Spec numbers_spec = {
    .name = "recycled_fixed.Numbers",
    .basicsize = sizeof(Numbers),
    .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_IMMUTABLETYPE,
    .slots = numbers_slots,
};

static int
exec_module(PyObject *module)
{
    PyObject *type = PyType_FromModuleAndSpec(module, &numbers_spec, NULL);
    int status = PyModule_AddObjectRef(module, "Numbers", type);
    Py_XDECREF(type);
    return status;
}

static PyModuleDef_Slot module_slots[] = {
    {Py_mod_exec, exec_module},
#ifdef Py_GIL_DISABLED
    {Py_mod_gil, Py_MOD_GIL_NOT_USED},
#endif
    {0, NULL},
};

static struct PyModuleDef module_def = {
    PyModuleDef_HEAD_INIT,
    .m_name = "recycled_fixed",
    .m_slots = module_slots,
};

PyMODINIT_FUNC
PyInit_recycled_fixed(void)
{
    return PyModuleDef_Init(&module_def);
}
