# Caught by single.
# measure() comes back here for the parts of a folder, and waits for the lock that its own thread holds.
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
    last_size = size
# END
