# Caught by single.
# The dict's critical section around everything: while one thread measures, the others wait, whatever they ask for.
# BEGIN 1
# the dict's lock
# END
# BEGIN 2
    with cython.critical_section(sizes):
        return locked_size_of(key)


cdef object locked_size_of(key):
    global last_key, last_size
    if key is last_key:
        return last_size
# END
# BEGIN 3
    last_key = key
    RACE_POINT()
    last_size = size
# END
