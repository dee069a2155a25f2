# Caught by race.
# Each call makes a lock of its own, so nobody ever waits.
# BEGIN 3
    lock = threading.Lock()
    with lock:
        if _table is None:
            _table = build_table(1000)
    return _table[n]
# END
