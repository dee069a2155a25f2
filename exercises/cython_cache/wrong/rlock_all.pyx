# Caught by single.
# A lock that its owner may take again, around everything: measure() comes back in, and all others wait as long as it takes.
# BEGIN 1
from threading import RLock
last_lock = RLock()
# END
# BEGIN 2
    with last_lock:
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
