# Caught by single.
# Thread 3 waits for ever, and nobody waits for it: it holds nothing.
# BEGIN 3
RING = [2, 3, 4, 5]
# END
