# Caught by single.
# No cache, no race, and the slow work on every call.
# BEGIN 1
# no lock of its own
# END
# BEGIN 2
    return measure(key)
# END
# BEGIN 3
    RACE_POINT()
# END
