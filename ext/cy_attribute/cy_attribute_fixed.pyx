# cy_attribute_fixed.pyx: both sides take the lock, the reader takes a reference.
#
# Lesson   notebooks/13_in_cython.md
# Repair   The assignment to a local variable takes a reference, and the lock keeps the writer
#          out until it is taken. What follows needs no lock: the item is ours.
# Broken   cy_attribute_broken.pyx; the two differ only in this header and in [race] regions
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
        with cython.critical_section(self):
            found = self.item
        live = found.is_live()
        # [race]
        return live

    def renew(self):
        """Put a new item in the place of the one that is there."""
        cdef Item made = Item()
        # [race:renew]
        with cython.critical_section(self):
            self.item = made
        # [race:renew]
