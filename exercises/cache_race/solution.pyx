# cache_race.pyx: a table that is built when it is first needed.
# cython: freethreading_compatible=True
#
# Goal   lookup() may be called by many threads; build_table() runs once, and everybody gets
#        right values.
# Check  racelab check cache_race        Stuck?  racelab hint cache_race
# BEGIN SOLUTION
import threading
# END

cdef extern from "racelab/race_point.h":
    void RACE_POINT() nogil

cdef int _builds = 0
_table = None
# BEGIN SOLUTION
_lock = threading.Lock()
# END


def build_table(int size):
    """Squares of 0 to size - 1: stands for something expensive. Leave it as it is."""
    global _builds
    _builds += 1
    RACE_POINT()
    return [n * n for n in range(size)]


def builds():
    """How often build_table has run. Leave it as it is."""
    return _builds


def lookup(int n):
    """The square of n, 0 <= n < 1000."""
    global _table
    # BEGIN STARTER
    # if _table is None:
    #     _table = build_table(1000)
    # return _table[n]
    # BEGIN SOLUTION
    with _lock:  # on every call: simple first
        if _table is None:
            _table = build_table(1000)
    return _table[n]
    # END
