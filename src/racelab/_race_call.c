/* _race_call.c: find an actor's body once per type, then call it as cheaply as possible. */
#include "_race_run.h"

/* What the classes of `type` define under `name`, without binding it, as a new reference;
 * NULL if there is none (no exception set). */
static PyObject *
find_in_type(PyTypeObject *type, PyObject *name)
{
    PyObject *found = NULL;
    PyObject *mro = PyObject_GetAttrString((PyObject *)type, "__mro__");

    for (Py_ssize_t i = 0; mro != NULL && found == NULL && i < PyTuple_GET_SIZE(mro); i++) {
        PyObject *dict = PyObject_GetAttrString(PyTuple_GET_ITEM(mro, i), "__dict__");
        if (dict == NULL || PyMapping_GetOptionalItem(dict, name, &found) < 0) {
            Py_CLEAR(mro);
        }
        Py_XDECREF(dict);
    }
    Py_XDECREF(mro);
    PyErr_Clear(); /* then the slow way will say what is wrong */
    return found;
}

/* The method that `state.name` is on every state of this type, or NULL: a state may carry
 * attributes of its own, or look its attributes up in its own way. */
static PyObject *
find_method(PyTypeObject *type, PyObject *name)
{
    if (type->tp_getattro != PyObject_GenericGetAttr || type->tp_dictoffset != 0
        || PyType_HasFeature(type, Py_TPFLAGS_MANAGED_DICT)) {
        return NULL;
    }
    PyObject *found = find_in_type(type, name);
    if (found != NULL && !PyType_HasFeature(Py_TYPE(found), Py_TPFLAGS_METHOD_DESCRIPTOR)) {
        Py_CLEAR(found);
    }
    return found;
}

/* Before the release: what follows it should be the call and nothing else. Also brings the
 * head of the state into this core's cache, so that no thread starts by waiting for it. */
void
rl_actor_prepare(rl_actor *actor, PyObject *state)
{
    if (!actor->with_state) {
        return;
    }
    actor->args[1] = state;
    if (Py_TYPE(state) != actor->type) {
        Py_XSETREF(actor->type, (PyTypeObject *)Py_NewRef(Py_TYPE(state)));
        if (PyUnicode_Check(actor->body)) {
            Py_XSETREF(actor->callable, find_method(actor->type, actor->body));
            actor->entry = actor->callable ? PyVectorcall_Function(actor->callable) : NULL;
        }
    }
}

/* One call. NULL: it raised. */
PyObject *
rl_actor_call(rl_actor *actor)
{
    size_t nargs = actor->nargs | PY_VECTORCALL_ARGUMENTS_OFFSET;

    if (actor->entry != NULL) {
        return actor->entry(actor->callable, actor->args + 1, nargs, NULL);
    }
    if (actor->callable != NULL) {
        return PyObject_Vectorcall(actor->callable, actor->args + 1, nargs, NULL);
    }
    return PyObject_VectorcallMethod(actor->body, actor->args + 1, nargs, NULL);
}

void
rl_actor_forget(rl_actor *actor)
{
    Py_CLEAR(actor->callable);
    Py_CLEAR(actor->type);
    PyMem_Free(actor->args);
    actor->args = NULL;
}

/* The attribute of the state, a new reference; NULL with an exception set. */
PyObject *
rl_reader_get(rl_reader *reader, PyObject *state)
{
    if (Py_TYPE(state) != reader->type) {
        Py_XSETREF(reader->type, (PyTypeObject *)Py_NewRef(Py_TYPE(state)));
        Py_CLEAR(reader->descr);
        if (reader->type->tp_getattro == PyObject_GenericGetAttr) {
            reader->descr = find_in_type(reader->type, reader->name);
            if (reader->descr != NULL && !Py_IS_TYPE(reader->descr, &PyMemberDescr_Type)) {
                Py_CLEAR(reader->descr);
            }
        }
    }
    if (reader->descr != NULL) {
        return PyMember_GetOne((const char *)state,
                               ((PyMemberDescrObject *)reader->descr)->d_member);
    }
    return PyObject_GetAttr(state, reader->name);
}

void
rl_reader_forget(rl_reader *reader)
{
    Py_CLEAR(reader->descr);
    Py_CLEAR(reader->type);
}
