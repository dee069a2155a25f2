# cy_counter_broken_nogil.pyx: a critical section with a hole. BROKEN ON PURPOSE.
#
# Lesson   notebooks/13_in_cython.md
# Bug      `with nogil` detaches, and a thread that detaches lets go of its critical sections
#          until it attaches again. Another one comes in between the load and the store.
# Needs    a free-threaded build, two attached threads
# Seen     notebooks/recorded/cy_counter.jsonl
# Repair   cy_counter_fixed.pyx keeps attached between the two, cy_counter_fixed_pymutex.pyx
#          has a lock that stays locked
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
            with nogil:
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
