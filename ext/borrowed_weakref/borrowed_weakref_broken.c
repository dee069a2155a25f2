/* borrowed_weakref_broken.c: what a weak reference points to. BROKEN ON PURPOSE.
 *
 * Lesson   notebooks/10_borrowed_ref.md
 * Bug      A weak reference keeps nothing alive, and PyWeakref_GetObject returns a borrowed
 *          one. The last owner may let go before Py_XINCREF runs.
 * Needs    a free-threaded build, two attached threads, one of them the last owner
 * Seen     notebooks/recorded/borrowed_weakref.jsonl
 * Repair   borrowed_weakref_fixed.c; the two differ only in this header and in [race]
 * Source   https://docs.python.org/3.13/c-api/weakref.html
 */
#include <Python.h>

#include <stddef.h>

#include "racelab/race_point.h"

#if defined(__GNUC__) /* PyWeakref_GetObject is deprecated since 3.13; here it is the subject */
#pragma GCC diagnostic ignored "-Wdeprecated-declarations"
#endif

enum { ALIVE = 60, DEAD = 0 };

typedef struct {
    PyObject_HEAD
    int watts; /* ALIVE, until the lamp is deallocated */
    PyObject *weakrefs;
} Lamp;

typedef struct {
    PyObject_HEAD
    PyObject *lamp; /* the only strong reference to it; NULL once it is dropped */
    PyObject *weak; /* a weak reference to it */
} Room;

/* A strong reference to the lamp, or to None if it is gone; NULL with an exception. */
static PyObject *
take_lamp(Room *self)
{
    PyObject *lamp = NULL, *weak = self->weak;
    /* [race] */
    lamp = PyWeakref_GetObject(weak); /* borrowed: from whom? */
    RACE_POINT();
    Py_XINCREF(lamp); /* too late, if the last owner has let go */
    /* [race] */
    return lamp;
}

static PyObject *
room_look(PyObject *self, PyObject *Py_UNUSED(ignored))
{
    PyObject *lamp = take_lamp((Room *)self);
    if (lamp == NULL || Py_IsNone(lamp)) {
        return lamp;
    }
    int watts = ((Lamp *)lamp)->watts;
    Py_DECREF(lamp);
    return PyBool_FromLong(watts == ALIVE);
}

static PyObject *
room_drop(PyObject *self, PyObject *Py_UNUSED(ignored))
{
    Py_CLEAR(((Room *)self)->lamp);
    Py_RETURN_NONE;
}

static void
lamp_dealloc(PyObject *self)
{
    PyTypeObject *type = Py_TYPE(self);
    PyObject_ClearWeakRefs(self);
    ((Lamp *)self)->watts = DEAD; /* so that whoever looks at it now can tell */
    type->tp_free(self);
    Py_DECREF(type);
}

static PyObject *
room_new(PyTypeObject *type, PyObject *Py_UNUSED(args), PyObject *Py_UNUSED(kwargs))
{
    Room *self = (Room *)type->tp_alloc(type, 0);
    PyObject *lamp_type = PyType_GetModuleState(type);
    if (self == NULL || lamp_type == NULL) {
        Py_XDECREF(self);
        return NULL;
    }
    lamp_type = *(PyObject **)lamp_type;
    self->lamp = ((PyTypeObject *)lamp_type)->tp_alloc((PyTypeObject *)lamp_type, 0);
    if (self->lamp != NULL) {
        ((Lamp *)self->lamp)->watts = ALIVE;
        self->weak = PyWeakref_NewRef(self->lamp, NULL);
    }
    if (self->weak == NULL) {
        Py_DECREF(self);
        return NULL;
    }
    return (PyObject *)self;
}

static void
room_dealloc(PyObject *self)
{
    PyTypeObject *type = Py_TYPE(self);
    Py_XDECREF(((Room *)self)->lamp);
    Py_XDECREF(((Room *)self)->weak);
    type->tp_free(self);
    Py_DECREF(type);
}

static PyMemberDef lamp_members[] = {
    {"__weaklistoffset__", Py_T_PYSSIZET, offsetof(Lamp, weakrefs), Py_READONLY, NULL},
    {NULL, 0, 0, 0, NULL},
};

static PyType_Slot lamp_slots[] = {
    {Py_tp_dealloc, lamp_dealloc},
    {Py_tp_members, lamp_members},
    {0, NULL},
};

static PyType_Spec lamp_spec = {
    .name = "borrowed_weakref_broken.Lamp",
    .basicsize = sizeof(Lamp),
    .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_IMMUTABLETYPE | Py_TPFLAGS_DISALLOW_INSTANTIATION,
    .slots = lamp_slots,
};

static PyMethodDef room_methods[] = {
    {"look", room_look, METH_NOARGS,
     PyDoc_STR("True if the lamp is alive, None if it is gone, False if it was dead when used.")},
    {"drop", room_drop, METH_NOARGS, PyDoc_STR("Let go of the only strong reference.")},
    {NULL, NULL, 0, NULL},
};

static PyType_Slot room_slots[] = {
    {Py_tp_doc, PyDoc_STR("Room(): a lamp, and a weak reference to it.")},
    {Py_tp_new, room_new},
    {Py_tp_dealloc, room_dealloc},
    {Py_tp_methods, room_methods},
    {0, NULL},
};

static PyType_Spec room_spec = {
    .name = "borrowed_weakref_broken.Room",
    .basicsize = sizeof(Room),
    .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_IMMUTABLETYPE,
    .slots = room_slots,
};

static int
exec_module(PyObject *module)
{
    PyObject **lamp_type = PyModule_GetState(module);
    *lamp_type = PyType_FromModuleAndSpec(module, &lamp_spec, NULL);
    if (*lamp_type == NULL) {
        return -1;
    }
    PyObject *type = PyType_FromModuleAndSpec(module, &room_spec, NULL);
    int status = PyModule_AddObjectRef(module, "Room", type);
    Py_XDECREF(type);
    return status;
}

static int
traverse_module(PyObject *module, visitproc visit, void *arg)
{
    Py_VISIT(*(PyObject **)PyModule_GetState(module));
    return 0;
}

static int
clear_module(PyObject *module)
{
    Py_CLEAR(*(PyObject **)PyModule_GetState(module));
    return 0;
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
    .m_name = "borrowed_weakref_broken",
    .m_size = sizeof(PyObject *),
    .m_traverse = traverse_module,
    .m_clear = clear_module,
    .m_slots = module_slots,
};

PyMODINIT_FUNC
PyInit_borrowed_weakref_broken(void)
{
    return PyModuleDef_Init(&module_def);
}
