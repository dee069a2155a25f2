# Caught by single.
# A rate of one in 500 stays silent for 500 runs more often than one time in three.
# BEGIN 3
A_BOUND = 1 / 500
# END
