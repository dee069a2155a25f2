# cy_slot_fixed.pyx: the same table, behind a mutex.
#
# Lesson   notebooks/13_in_cython.md
# Repair   A PyMutex stays locked while its owner is detached, so the others wait until the
#          table is there. make() must not come here again: it would wait for itself.
# Broken   cy_slot_broken.pyx; the two differ only in this header and in [race] regions
# Source   https://docs.cython.org/en/latest/src/userguide/freethreading.html
#
# cython: freethreading_compatible=True
cimport cython

# [race:import]
# nothing
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
cdef cython.pymutex _lock
# [race:state]


def get():
    """The one table of this process."""
    global _table
    # [race]
    with _lock:
        if _table is None:
            _table = make()
    # [race]
    return _table
