"""Asks malloc for more than there is, as a test of an error path would."""

import ctypes

malloc = ctypes.CDLL(None).malloc
malloc.restype = ctypes.c_void_p
print("malloc returned", malloc(ctypes.c_size_t(1 << 46)))
