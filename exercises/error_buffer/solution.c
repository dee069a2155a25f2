/* error_buffer.c: a wrapper of a library that keeps the text of its last error for everybody.
 *
 * Goal   length() gives the length of a sound in seconds, or raises OSError with the text that
 *        the library has for this very call, whoever else calls it meanwhile.
 * Check  racelab check error_buffer        Stuck?  racelab hint error_buffer
 */
#include <Python.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "racelab/race_point.h"

/* The library, as others wrote it. Leave it as it is. Its header says: not thread-safe, not
   even for different sounds. */

static char last_error[256];

/* The seconds of a sound, e.g. 2.5 of "bell-2.5.wav"; -1: ask snd_last_error(). */
static double
snd_length(const char *path)
{
    const char *dash = strrchr(path, '-'), *dot = strrchr(path, '.');
    char *end = NULL;
    double seconds = dash != NULL ? strtod(dash + 1, &end) : -1.0;
    if (dot != NULL && strcmp(dot, ".wav") == 0 && end == dot && seconds >= 0.0) {
        return seconds;
    }
    snprintf(last_error, sizeof(last_error), "%s: ", path);
    RACE_POINT();
    strncat(last_error, "no sound in it", sizeof(last_error) - strlen(last_error) - 1);
    return -1.0;
}

/* What went wrong in the last call that failed. */
static const char *
snd_last_error(void)
{
    return last_error;
}

/* The wrapper. */

static PyMutex library;

/* length(path) -> seconds */
static PyObject *
length(PyObject *Py_UNUSED(module), PyObject *argument)
{
    const char *path = PyUnicode_AsUTF8(argument);
    if (path == NULL) {
        return NULL;
    }
    // BEGIN STARTER
    // PyMutex_Lock(&library);
    // double seconds = snd_length(path);
    // PyMutex_Unlock(&library);
    // if (seconds < 0.0) {
    //     RACE_POINT();
    //     PyErr_SetString(PyExc_OSError, snd_last_error());
    //     return NULL;
    // }
    // return PyFloat_FromDouble(seconds);
    // BEGIN SOLUTION
    char text[sizeof(last_error)] = "";
    PyMutex_Lock(&library); /* one visit: the call, and what it left behind */
    double seconds = snd_length(path);
    if (seconds < 0.0) {
        RACE_POINT();
        snprintf(text, sizeof(text), "%s", snd_last_error());
    }
    PyMutex_Unlock(&library);
    if (seconds < 0.0) {
        RACE_POINT();
        PyErr_SetString(PyExc_OSError, text);
        return NULL;
    }
    return PyFloat_FromDouble(seconds);
    // END
}

static PyMethodDef methods[] = {
    {"length", length, METH_O, PyDoc_STR("length(path): seconds of a sound.")},
    {NULL, NULL, 0, NULL},
};

static PyModuleDef_Slot slots[] = {
#ifdef Py_GIL_DISABLED
    {Py_mod_gil, Py_MOD_GIL_NOT_USED},
#endif
    {0, NULL},
};

static struct PyModuleDef definition = {
    PyModuleDef_HEAD_INIT,
    .m_name = "error_buffer",
    .m_methods = methods,
    .m_slots = slots,
};

PyMODINIT_FUNC
PyInit_error_buffer(void)
{
    return PyModuleDef_Init(&definition);
}
