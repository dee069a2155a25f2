# cy_slot_broken.pyx: a table of the module, made when first asked for. BROKEN ON PURPOSE.
#
# Lesson   notebooks/13_in_cython.md
# Bug      The test and the store are two steps. Two threads can both find None, and each
#          makes a table; the first one stored is dropped, whoever uses it.
# Needs    two threads in the very first call of a process; the GIL does not prevent it
# Seen     notebooks/recorded/cy_slot.jsonl
# Repair   cy_slot_fixed.pyx, or fixed_*; all differ only in this header and in [race] regions
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
# nothing guards it
# [race:state]


def get():
    """The one table of this process."""
    global _table
    # [race]
    if _table is None:
        _table = make()
    # [race]
    return _table
