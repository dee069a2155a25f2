# cy_counter_fixed.pyx: a Cython counter that counts every call.
#
# Lesson   notebooks/13_in_cython.md
# Repair   Whoever touches n holds the lock that every object has. Nothing in between calls
#          Python or detaches, so the section is not suspended.
# Broken   cy_counter_broken.pyx; the two differ only in this header and in [race] regions
# Source   https://docs.cython.org/en/latest/src/userguide/freethreading.html
#
# cython: freethreading_compatible=True
cimport cython

# [race:import]
# nothing
# [race:import]

cdef extern from "racelab/race_point.h":
    void RACE_POINT() noexcept nogil


cdef class Counter:
    """Counter(): starts at 0."""

    # [race:state]
    cdef long n
    # [race:state]

    def __cinit__(self):
        # [race:init]
        self.n = 0
        # [race:init]

    cdef int add_one(self) except -1:
        cdef long seen
        # [race]
        with cython.critical_section(self):
            seen = self.n
            RACE_POINT()
            self.n = seen + 1
        # [race]
        return 0

    def bump(self):
        """Add one."""
        self.add_one()

    def bump_many(self, long n):
        """bump_many(n): add one, n times."""
        cdef long i
        for i in range(n):
            self.add_one()

    @property
    def value(self):
        """How often it was bumped."""
        cdef long now
        # [race:read]
        with cython.critical_section(self):
            now = self.n
        # [race:read]
        return now
