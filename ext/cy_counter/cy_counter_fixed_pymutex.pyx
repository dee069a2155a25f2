# cy_counter_fixed_pymutex.pyx: the same counter with a mutex of its own.
#
# Lesson   notebooks/13_in_cython.md
# Repair   Whoever touches n holds the PyMutex beside it. It stays locked whatever comes in
#          between; a thread that takes it twice waits for itself.
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
    cdef cython.pymutex lock
    # [race:state]

    def __cinit__(self):
        # [race:init]
        self.n = 0
        # [race:init]

    cdef int add_one(self) except -1:
        cdef long seen
        # [race]
        with self.lock:
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
        with self.lock:
            now = self.n
        # [race:read]
        return now
