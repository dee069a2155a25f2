# Caught by single.
# Of thread 2 only the innermost function was read. Its caller has taken a lock, too.
# BEGIN 2
2: {},
3: {},
4: {"stock": 26},
5: {"log": 53},
# END
