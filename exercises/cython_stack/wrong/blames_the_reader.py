# Caught by single.
# Thread 2 was stopped in the item, but it is not the one that gave up the last reference.
# BEGIN 4
FREES, USES = 2, 3
# END
