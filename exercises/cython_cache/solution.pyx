# cython_cache.pyx: a module that "only caches".
# cython: freethreading_compatible=True
#
# Goal   size_of() may be called by many threads: everybody gets the size of the key that was asked
#        for, and nobody uses an object that is freed. A size is measured when it is first asked for,
#        and while it is, nobody waits who asks for another one.
# Check  racelab check cython_cache        Stuck?  racelab hint cython_cache
cimport cython

# Leave this block as it is. To make an object yours, C counts a reference: Py_INCREF. With a race point
# before it, the moment between finding an object and counting it can be held open, too.
cdef extern from *:
    """
    #include "racelab/race_point.h"
    static inline void found_then_counted(PyObject *o) { RACE_POINT(); Py_INCREF(o); }
    #undef Py_INCREF
    #define Py_INCREF(o) found_then_counted((PyObject *)(o))
    """
    void RACE_POINT() nogil

cdef dict sizes = {}
cdef dict times = {}
cdef object last_key = None, last_size = None
# BEGIN SOLUTION
cdef cython.pymutex last_lock  # of the pair, for a few moves; never around a call
# END


def measure(key):
    """A file's size in blocks, or the sum of what is in a folder, "a/b/". Slow. Leave it as it is."""
    times[key] = times.get(key, 0) + 1
    if key.endswith("/"):
        return sum([size_of(part) for part in key.split("/") if part])
    return sum(key.encode()) % 211


def measured(key):
    """How often that key was measured. Leave it as it is."""
    return times.get(key, 0)


def size_of(key):
    """The size of what a str names, from the cache if it is there."""
    global last_key, last_size
    # BEGIN STARTER
    # if key is last_key:
    #     return last_size
    # BEGIN SOLUTION
    cdef object seen_key, seen_size
    with last_lock:
        seen_key, seen_size = last_key, last_size
    if key is seen_key:
        return seen_size
    # END
    size = sizes.get(key)
    if size is None:
        size = sizes[key] = measure(key)
    # BEGIN STARTER
    # last_key = key
    # RACE_POINT()
    # last_size = size
    # BEGIN SOLUTION
    with last_lock:  # or delete the pair: the dict is already a cache
        last_key = key
        RACE_POINT()
        last_size = size
    # END
    return size
