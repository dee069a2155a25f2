/* limited.c: the limited API where there is a GIL, and the whole API elsewhere. It asks too early. */
#ifndef Py_GIL_DISABLED
#define Py_LIMITED_API 0x030d0000
#endif
#include "ends.c"
