#include <Python.h>

int
has_gil(void)
{
#ifdef Py_GIL_DISABLED
    return 0;
#else
    return 1;
#endif;
}
