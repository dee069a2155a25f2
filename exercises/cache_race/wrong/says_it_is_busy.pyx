# Caught by race.
# A flag for "somebody builds it": the others go on without a table.
# BEGIN 2
cdef bint _busy = False
# END
# BEGIN 3
    global _busy
    if _table is None and not _busy:
        _busy = True
        _table = build_table(1000)
    return _table[n] if _table is not None else None
# END
