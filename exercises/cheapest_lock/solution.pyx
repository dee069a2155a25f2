# cheapest_lock.pyx: numbers in a C array that grows, and may be smoothed.
# cython: freethreading_compatible=True
#
# Goal   push(), smooth() and each() may be called by any threads, on one object: no number is lost,
#        none is read in memory that is freed. each() calls with the numbers of one moment. smooth()
#        works detached, and no object waits for another one's lock. All of it with the cheapest
#        lock that is right for all three: a critical section on self, a cython.pymutex, or a
#        threading.RLock.
# Check  racelab check cheapest_lock        Stuck?  racelab hint cheapest_lock
cimport cython
from libc.stdlib cimport free, malloc, realloc

# BEGIN STARTER
# from threading import RLock
# END

cdef extern from "racelab/race_point.h":
    void RACE_POINT() noexcept nogil


cdef class Samples:
    """Samples(): none at first."""

    cdef double *data
    cdef readonly Py_ssize_t size
    cdef Py_ssize_t room
    # BEGIN SOLUTION
    cdef cython.pymutex lock
    # END

    def __dealloc__(self):
        free(self.data)

    cdef int append(self, double x) except -1:
        """One more number; with the lock held. Leave it as it is."""
        cdef double *data
        cdef Py_ssize_t n = self.size
        if n == self.room:
            data = <double *>realloc(self.data, (2 * n + 8) * sizeof(double))
            if data == NULL:
                raise MemoryError
            self.data = data
            self.room = 2 * n + 8
        self.data[n] = x
        RACE_POINT()
        self.size = n + 1
        return 0

    cdef double at(self, Py_ssize_t i) noexcept:
        """Number i; with the lock held. Leave it as it is."""
        cdef double *data = self.data
        RACE_POINT()
        return data[i]

    cpdef int push(self, double x) except -1:
        """One more number."""
        # BEGIN STARTER
        # self.append(x)
        # BEGIN SOLUTION
        with self.lock:
            self.append(x)
        # END
        return 0

    def fill(self, double x, long n):
        """push(x), n times. Leave it as it is."""
        cdef long i
        for i in range(n):
            self.push(x)

    cdef int smoothed(self, long times) except -1:
        """Each number becomes the mean of itself and the next; with the lock held. Leave it as it is."""
        cdef Py_ssize_t i, n = self.size
        cdef long turn
        cdef double *fresh = <double *>malloc((n + 1) * sizeof(double))
        if fresh == NULL:
            raise MemoryError
        with nogil:
            for i in range(n):
                fresh[i] = self.data[i]
            for turn in range(times):
                for i in range(n - 1):
                    fresh[i] = (fresh[i] + fresh[i + 1]) / 2
            RACE_POINT()
        free(self.data)
        self.data, self.size, self.room = fresh, n, n
        return 0

    def smooth(self, long times=1):
        """Smooth the numbers, a few milliseconds long."""
        # BEGIN STARTER
        # self.smoothed(times)
        # BEGIN SOLUTION
        with self.lock:
            self.smoothed(times)
        # END

    def each(self, callback):
        """Call callback(x) for every number; it may call push(), which each() does not notice."""
        # BEGIN STARTER
        # cdef Py_ssize_t i, n = self.size
        # for i in range(n):
        #     callback(self.at(i))
        # BEGIN SOLUTION
        cdef Py_ssize_t i
        with self.lock:
            numbers = [self.at(i) for i in range(self.size)]
        for x in numbers:  # a copy, so that no lock is held when somebody else's code runs
            callback(x)
        # END
