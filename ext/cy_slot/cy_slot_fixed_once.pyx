# cy_slot_fixed_once.pyx: the same table, with C++'s call_once.
#
# Lesson   notebooks/13_in_cython.md
# Repair   One caller runs store(), the others wait for it, detached. Cython's wrapper sees to
#          that; std::call_once by itself would have them wait attached.
# Broken   cy_slot_broken.pyx; the two differ only in this header and in [race] regions
# Source   https://docs.cython.org/en/latest/src/userguide/freethreading.html
#
# distutils: language = c++
# cython: freethreading_compatible=True
cimport cython

# [race:import]
from libcpp.mutex cimport py_safe_call_once, py_safe_once_flag
# [race:import]

cdef extern from "racelab/race_point.h":
    void RACE_POINT() noexcept nogil

cdef object _table = None  # made when it is first asked for; then it stays


cdef bytes make():
    """The table: for each number below 65,536, is it prime? Some work, and none of it Python's."""
    cdef unsigned char[65536] prime
    cdef int i, j
    with nogil:
        for i in range(65536):
            prime[i] = i >= 2
        for i in range(256):
            if prime[i]:
                RACE_POINT()
                j = i * i
                while j < 65536:
                    prime[j] = 0
                    j += i
    return prime[:65536]


# [race:state]
cdef py_safe_once_flag _once

cdef int store() except -1:
    global _table
    _table = make()
    return 0
# [race:state]


def get():
    """The one table of this process."""
    global _table
    # [race]
    py_safe_call_once(_once, store)
    # [race]
    return _table
