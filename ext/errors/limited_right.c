/* limited_right.c: the same, asked after pyconfig.h, which is what knows. */
#include <pyconfig.h>
#ifndef Py_GIL_DISABLED
#define Py_LIMITED_API 0x030d0000
#endif
#include "ends.c"
