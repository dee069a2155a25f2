#include <Python.h>

static PyMutex lock;

void
call_library(void (*function)(void))
{
    PyMutex_Lock(&lock);
    function();
    PyMutex_Unlock(&lock)
}
