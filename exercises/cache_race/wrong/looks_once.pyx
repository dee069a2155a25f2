# Caught by race.
# Whoever waited for the lock builds the table again: nobody looks a second time.
# BEGIN 3
    if _table is None:
        with _lock:
            _table = build_table(1000)
    return _table[n]
# END
