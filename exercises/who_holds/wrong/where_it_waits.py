# Caught by single.
# The line in which a thread waits for the next lock is not the one in which it took the last.
# BEGIN 2
2: {"cash": 18},
3: {},
4: {"stock": 29},
5: {"log": 56},
# END
