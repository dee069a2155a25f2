/* dice_broken.c: a wrapper of a library with one state for all. BROKEN ON PURPOSE.
 *
 * Lesson   notebooks/09_unsafe_library.md
 * Bug      Generator and error text are static variables of the library. Two dice are two
 *          objects, but one state: numbers come twice, and one die's error names another's sides.
 * Needs    a free-threaded build, two attached threads; no object need be shared
 * Seen     notebooks/recorded/dice.jsonl
 * Repair   dice_fixed.c; the two differ only in this header and in [race] regions
 * Source   https://docs.python.org/3.13/howto/free-threading-extensions.html
 */
#include <Python.h>

#include "racelab/race_point.h"

#define DICE_IMPLEMENTATION
#define DICE_ON_ROLL() RACE_POINT()
#include "dice.h"

/* [race:state] */
/* nothing guards the library */
/* [race:state] */

typedef struct {
    PyObject_HEAD
    int64_t sides;
    /* [race:object] */
    /* nothing guards this die */
    /* [race:object] */
} Die;

static PyObject *
die_roll(PyObject *op, PyObject *Py_UNUSED(ignored))
{
    Die *self = (Die *)op;
    int64_t number;
    char text[DICE_TEXT] = ""; /* our copy of the error */
    /* [race] */
    number = dice_roll(self->sides);
    RACE_POINT();
    if (number < 0) {
        snprintf(text, sizeof(text), "%s", dice_error());
    }
    /* [race] */
    if (number < 0) {
        PyErr_SetString(PyExc_ValueError, text);
        return NULL;
    }
    return PyLong_FromLongLong(number);
}

static PyObject *
die_new(PyTypeObject *type, PyObject *args, PyObject *kwargs)
{
    static char *names[] = {"sides", NULL};
    long long sides = 6;
    if (!PyArg_ParseTupleAndKeywords(args, kwargs, "|L:Die", names, &sides)) {
        return NULL;
    }
    Die *self = (Die *)type->tp_alloc(type, 0);
    if (self != NULL) {
        self->sides = sides;
    }
    return (PyObject *)self;
}

static void
die_dealloc(PyObject *self)
{
    PyTypeObject *type = Py_TYPE(self);
    type->tp_free(self);
    Py_DECREF(type);
}

static PyMethodDef die_methods[] = {
    {"roll", die_roll, METH_NOARGS, PyDoc_STR("A number from 0 to sides - 1.")},
    {NULL, NULL, 0, NULL},
};

static PyType_Slot die_slots[] = {
    {Py_tp_doc, PyDoc_STR("Die(sides=6). One that cannot be rolled says so when it is.")},
    {Py_tp_new, die_new},
    {Py_tp_dealloc, die_dealloc},
    {Py_tp_methods, die_methods},
    {0, NULL},
};

static PyType_Spec die_spec = {
    .name = "dice_broken.Die",
    .basicsize = sizeof(Die),
    .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_IMMUTABLETYPE,
    .slots = die_slots,
};

static int
exec_module(PyObject *module)
{
    PyObject *type = PyType_FromModuleAndSpec(module, &die_spec, NULL);
    int status = PyModule_AddObjectRef(module, "Die", type);
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
    .m_name = "dice_broken",
    .m_slots = module_slots,
};

PyMODINIT_FUNC
PyInit_dice_broken(void)
{
    return PyModuleDef_Init(&module_def);
}
