/* get_or_make_broken.c: one part for each name, sometimes two. BROKEN ON PURPOSE.
 *
 * Lesson   notebooks/11_containers.md
 * Bug      Looking and storing are two calls. Each is internally synchronized and gives
 *          a strong reference; between the two another thread finds nothing, either.
 * Needs    a free-threaded build, two attached threads that ask for the same new name
 * Seen     notebooks/recorded/get_or_make.jsonl
 * Repair   get_or_make_fixed.c; the two differ only in this header and in [race]
 * Source   https://docs.python.org/3.13/c-api/dict.html#c.PyDict_GetItemRef
 */
#include <Python.h>

#include <stdatomic.h>

#include "racelab/race_point.h"

typedef struct {
    PyObject_HEAD
    PyObject *parts;  /* a dict, name -> part; nobody else has it */
    PyObject *name;   /* the one that is asked for */
    _Atomic int made; /* how many parts were made */
} Depot;

/* A new part: its serial number. Nothing but the number of parts goes by it. */
static PyObject *
make_part(Depot *self)
{
    return PyLong_FromLong(1 + atomic_fetch_add(&self->made, 1));
}

/* A strong reference to the part with the name, made if it is not there, or NULL. */
static PyObject *
get_or_make(Depot *self, PyObject *name)
{
    PyObject *dict = self->parts, *part = NULL;
    /* [race] */
    if (PyDict_GetItemRef(dict, name, &part) == 0) {
        RACE_POINT(); /* it was not there */
        part = make_part(self);
        if (part != NULL && PyDict_SetItem(dict, name, part) < 0) {
            Py_CLEAR(part);
        }
    }
    /* [race] */
    return part;
}

static PyObject *
depot_get(PyObject *self, PyObject *Py_UNUSED(ignored))
{
    return get_or_make((Depot *)self, ((Depot *)self)->name);
}

static PyObject *
depot_made(PyObject *self, void *Py_UNUSED(closure))
{
    return PyLong_FromLong(((Depot *)self)->made);
}

static PyObject *
depot_new(PyTypeObject *type, PyObject *Py_UNUSED(args), PyObject *Py_UNUSED(kwargs))
{
    Depot *self = (Depot *)type->tp_alloc(type, 0);
    if (self == NULL) {
        return NULL;
    }
    self->parts = PyDict_New();
    self->name = PyUnicode_InternFromString("wheel");
    if (self->parts == NULL || self->name == NULL) {
        Py_DECREF(self);
        return NULL;
    }
    return (PyObject *)self;
}

static void
depot_dealloc(PyObject *self)
{
    PyTypeObject *type = Py_TYPE(self);
    Py_XDECREF(((Depot *)self)->parts);
    Py_XDECREF(((Depot *)self)->name);
    type->tp_free(self);
    Py_DECREF(type);
}

static PyMethodDef depot_methods[] = {
    {"get", depot_get, METH_NOARGS, PyDoc_STR("The part, made if it is not there.")},
    {NULL, NULL, 0, NULL},
};

static PyGetSetDef depot_getset[] = {
    {"made", depot_made, NULL, PyDoc_STR("How many parts were made."), NULL},
    {NULL, NULL, NULL, NULL, NULL},
};

static PyType_Slot depot_slots[] = {
    {Py_tp_doc, PyDoc_STR("Depot(): empty, until somebody asks for a part.")},
    {Py_tp_new, depot_new},
    {Py_tp_dealloc, depot_dealloc},
    {Py_tp_methods, depot_methods},
    {Py_tp_getset, depot_getset},
    {0, NULL},
};

static PyType_Spec depot_spec = {
    .name = "get_or_make_broken.Depot",
    .basicsize = sizeof(Depot),
    .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_IMMUTABLETYPE,
    .slots = depot_slots,
};

static int
exec_module(PyObject *module)
{
    PyObject *type = PyType_FromModuleAndSpec(module, &depot_spec, NULL);
    int status = PyModule_AddObjectRef(module, "Depot", type);
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
    .m_name = "get_or_make_broken",
    .m_slots = module_slots,
};

PyMODINIT_FUNC
PyInit_get_or_make_broken(void)
{
    return PyModuleDef_Init(&module_def);
}
