# Caught by race.
# The writer locks and the reader does not: a lock that one side takes keeps nobody out.
# BEGIN 2
    if key is last_key:
        return last_size
# END
