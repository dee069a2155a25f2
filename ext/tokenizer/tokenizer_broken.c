/* tokenizer_broken.c: a wrapper that trusts its library with two threads. BROKEN ON PURPOSE.
 *
 * Lesson   notebooks/09_unsafe_library.md
 * Bug      tok_next() moves the state that it is given, step by step. Two threads with one
 *          Tokenizer move the same state: words come twice, are cut, or are none.
 * Needs    a free-threaded build, two attached threads, one object
 * Seen     notebooks/recorded/tokenizer.jsonl
 * Repair   tokenizer_fixed.c; the two differ only in this header and in [race] regions
 * Source   https://docs.python.org/3.13/howto/free-threading-extensions.html
 */
#include <Python.h>

#include "racelab/race_point.h"

#define TOK_IMPLEMENTATION
#define TOK_ON_WORD() RACE_POINT()
#include "tok.h"

typedef struct {
    PyObject_HEAD
    PyObject *text; /* bytes never change, and we keep them */
    struct tok state;
    /* [race:state] */
    /* nothing guards the library's state */
    /* [race:state] */
} Tokenizer;

/* The next word, or 0 at the end. It lies in self->text. */
static int
take(Tokenizer *self, const char **word, size_t *length)
{
    int found;
    /* [race] */
    found = tok_next(&self->state, word, length);
    /* [race] */
    return found;
}

static PyObject *
tokenizer_next(PyObject *self, PyObject *Py_UNUSED(ignored))
{
    const char *word;
    size_t length;
    if (!take((Tokenizer *)self, &word, &length)) {
        Py_RETURN_NONE;
    }
    return PyBytes_FromStringAndSize(word, (Py_ssize_t)length);
}

static PyObject *
tokenizer_count(PyObject *self, PyObject *Py_UNUSED(ignored))
{
    const char *word;
    size_t length;
    Py_ssize_t words = 0;
    while (take((Tokenizer *)self, &word, &length)) {
        words++;
    }
    return PyLong_FromSsize_t(words);
}

static PyObject *
tokenizer_new(PyTypeObject *type, PyObject *args, PyObject *kwargs)
{
    static char *names[] = {"text", NULL};
    PyObject *text;
    if (!PyArg_ParseTupleAndKeywords(args, kwargs, "S:Tokenizer", names, &text)) {
        return NULL;
    }
    Tokenizer *self = (Tokenizer *)type->tp_alloc(type, 0);
    if (self != NULL) {
        self->text = Py_NewRef(text);
        tok_init(&self->state, PyBytes_AS_STRING(text), (size_t)PyBytes_GET_SIZE(text));
    }
    return (PyObject *)self;
}

static void
tokenizer_dealloc(PyObject *self)
{
    PyTypeObject *type = Py_TYPE(self);
    Py_XDECREF(((Tokenizer *)self)->text);
    type->tp_free(self);
    Py_DECREF(type);
}

static PyMethodDef tokenizer_methods[] = {
    {"next", tokenizer_next, METH_NOARGS, PyDoc_STR("The next word; None at the end.")},
    {"count", tokenizer_count, METH_NOARGS, PyDoc_STR("Read to the end: how many words.")},
    {NULL, NULL, 0, NULL},
};

static PyType_Slot tokenizer_slots[] = {
    {Py_tp_doc, PyDoc_STR("Tokenizer(text: bytes): its words, one at a time.")},
    {Py_tp_new, tokenizer_new},
    {Py_tp_dealloc, tokenizer_dealloc},
    {Py_tp_methods, tokenizer_methods},
    {0, NULL},
};

static PyType_Spec tokenizer_spec = {
    .name = "tokenizer_broken.Tokenizer",
    .basicsize = sizeof(Tokenizer),
    .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_IMMUTABLETYPE,
    .slots = tokenizer_slots,
};

static int
exec_module(PyObject *module)
{
    PyObject *type = PyType_FromModuleAndSpec(module, &tokenizer_spec, NULL);
    int status = PyModule_AddObjectRef(module, "Tokenizer", type);
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
    .m_name = "tokenizer_broken",
    .m_slots = module_slots,
};

PyMODINIT_FUNC
PyInit_tokenizer_broken(void)
{
    return PyModuleDef_Init(&module_def);
}
