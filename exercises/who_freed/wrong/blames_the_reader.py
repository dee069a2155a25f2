# Caught by single.
# The read is where it shows. What comes too early is the end of the lock that kept the block alive.
# BEGIN 3
TOO_EARLY = 62
# END
