# Caught by single.
# An index that is out of range raises before the lock is given back: the next call waits for ever.
# BEGIN 3
    _lock.acquire()
    if _table is None:
        _table = build_table(1000)
    value = _table[n]
    _lock.release()
    return value
# END
