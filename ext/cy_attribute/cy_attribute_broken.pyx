# cy_attribute_broken.pyx: an attribute, replaced while in use. BROKEN ON PURPOSE.
#
# Lesson   notebooks/13_in_cython.md
# Bug      The C code passes the pointer that it finds in self.item on to is_live(), and takes
#          no reference. The assignment drops the only one there is.
# Needs    a free-threaded build, two attached threads, one of them writing
# Seen     notebooks/recorded/cy_attribute.jsonl
# Repair   cy_attribute_fixed.pyx; the two differ only in this header and in [race] regions
# Source   https://github.com/cython/cython/issues/7907
#
# cython: freethreading_compatible=True
cimport cython

cdef extern from "racelab/race_point.h":
    void RACE_POINT() noexcept nogil

cdef long LIVE = 1
cdef long FREED = 2


cdef class Item:
    """What a box holds: it knows whether it is still there."""

    cdef long state

    def __cinit__(self):
        self.state = LIVE

    def __dealloc__(self):
        self.state = FREED

    cdef bint is_live(self) noexcept:
        RACE_POINT()
        return self.state == LIVE


cdef class Box:
    """Box(): holds one item, the newest."""

    cdef Item item

    def __cinit__(self):
        self.item = Item()

    def look(self):
        """Ask the item whether it is there; True if it says so."""
        cdef Item found
        cdef bint live
        # [race]
        live = self.item.is_live()
        # [race]
        return live

    def renew(self):
        """Put a new item in the place of the one that is there."""
        cdef Item made = Item()
        # [race:renew]
        self.item = made
        # [race:renew]
