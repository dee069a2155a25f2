# cy_counter_fixed_atomic.pyx: the same counter as one C++ atomic.
#
# Lesson   notebooks/13_in_cython.md
# Repair   fetch_add loads, adds and stores in one step. Nothing is locked.
# Broken   cy_counter_broken.pyx; the two differ only in this header and in [race] regions
# Source   https://docs.cython.org/en/latest/src/userguide/freethreading.html
#
# distutils: language = c++
# cython: freethreading_compatible=True
cimport cython

# [race:import]
from libcpp.atomic cimport atomic, memory_order_relaxed
# [race:import]

cdef extern from "racelab/race_point.h":
    void RACE_POINT() noexcept nogil


cdef class Counter:
    """Counter(): starts at 0."""

    # [race:state]
    cdef atomic[long] n
    # [race:state]

    def __cinit__(self):
        # [race:init]
        self.n.store(0)
        # [race:init]

    cdef int add_one(self) except -1:
        cdef long seen
        # [race]
        RACE_POINT()
        seen = self.n.fetch_add(1, memory_order_relaxed)
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
        now = self.n.load(memory_order_relaxed)
        # [race:read]
        return now
