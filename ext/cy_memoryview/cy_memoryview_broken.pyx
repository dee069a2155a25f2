# cy_memoryview_broken.pyx: a view of a buffer, replaced while in use. BROKEN ON PURPOSE.
#
# Lesson   notebooks/13_in_cython.md
# Bug      No lock is taken for the view, nor for what it shows. A view is a struct of several
#          words: it is written word by word, and read again at every index.
# Needs    a free-threaded build, two attached threads, one of them writing
# Seen     notebooks/recorded/cy_memoryview.jsonl
# Repair   cy_memoryview_fixed.pyx; the two differ only in this header and in [race] regions
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
        self.cells = fresh
        # [race:renew]

    def agree(self):
        """Whether the first cell and the last one are from the same four."""
        cdef long[::1] mine
        cdef long first, last
        # [race]
        first = self.cells[0]
        RACE_POINT()
        last = self.cells[3]
        # [race]
        return first == last

    def add(self):
        """Add one to the first cell."""
        cdef long seen
        # [race:add]
        seen = self.cells[0]
        RACE_POINT()
        self.cells[0] = seen + 1
        # [race:add]

    @property
    def value(self):
        """What the first cell says. Only for the thread that renews, or when no other runs."""
        return self.cells[0]
