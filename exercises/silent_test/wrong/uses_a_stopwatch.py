# Caught by trial.
# It takes a cache that is slow for a broken one: so is a right one that has a lot to fill.
# BEGIN 1
    import time

    begin = time.monotonic()
    for _ in range(8):
        cache.lookup("pi")
    assert time.monotonic() - begin < 0.1
    assert cache.fills == 1
# END
