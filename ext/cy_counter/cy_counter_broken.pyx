# cy_counter_broken.pyx: a Cython counter that forgets. BROKEN ON PURPOSE.
#
# Lesson   notebooks/13_in_cython.md
# Bug      A cdef attribute is a field of a C struct, and adding to it is a load, an
#          addition and a store. The directive below promises that the module can do
#          without the GIL; it locks nothing.
# Needs    a free-threaded build, two attached threads
# Seen     notebooks/recorded/cy_counter.jsonl
# Repair   cy_counter_fixed.pyx, or fixed_*; all differ only in this header and in [race] regions
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
        now = self.n
        # [race:read]
        return now
