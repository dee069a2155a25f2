# Caught by race.
# One tuple mends the pair, and its finder still counts it too late: it may be freed by then.
# BEGIN 1
cdef object last = (None, None)
# END
# BEGIN 2
    global last
    pair = last
    if key is pair[0]:
        return pair[1]
# END
# BEGIN 3
    last = (key, size)
# END
