# Caught by race.
# A critical section on the key: two keys are two locks, and the pair is one.
# BEGIN 1
# no lock of its own
# END
# BEGIN 2
    cdef object seen_key, seen_size
    with cython.critical_section(key):
        seen_key, seen_size = last_key, last_size
    if key is seen_key:
        return seen_size
# END
# BEGIN 3
    with cython.critical_section(key):
        last_key = key
        RACE_POINT()
        last_size = size
# END
