# cy_memoryview_fixed.pyx: a view of one's own, taken under a lock.
#
# Lesson   notebooks/13_in_cython.md
# Repair   A local view keeps the buffer alive, and the lock keeps the writer out until it is
#          taken. The writer holds on to the old view, so that it is freed outside of the lock.
# Broken   cy_memoryview_broken.pyx; the two differ only in this header and in [race] regions
# Source   https://github.com/cython/cython/issues/6215
#
# cython: freethreading_compatible=True
cimport cython

from array import array

cdef extern from "racelab/race_point.h":
    void RACE_POINT() noexcept nogil


cdef class Grid:
    """Grid(): four cells that all say 1."""

    cdef long[::1] cells

    def __cinit__(self):
        self.cells = array("l", [1, 1, 1, 1])

    def renew(self):
        """Put four other cells in the place of these; they agree, too."""
        cdef long[::1] old
        cdef long[::1] fresh = array("l", [self.value + 1] * 4)
        # [race:renew]
        with cython.critical_section(self):
            old = self.cells
            self.cells = fresh
        # [race:renew]

    def agree(self):
        """Whether the first cell and the last one are from the same four."""
        cdef long[::1] mine
        cdef long first, last
        # [race]
        with cython.critical_section(self):
            mine = self.cells
        first = mine[0]
        RACE_POINT()
        last = mine[3]
        # [race]
        return first == last

    def add(self):
        """Add one to the first cell."""
        cdef long seen
        # [race:add]
        with cython.critical_section(self):
            seen = self.cells[0]
            RACE_POINT()
            self.cells[0] = seen + 1
        # [race:add]

    @property
    def value(self):
        """What the first cell says. Only for the thread that renews, or when no other runs."""
        return self.cells[0]
