# Caught by single.
# None failed after the fix, so the estimate of the ratio is infinite: the interval has 1 in it all the same.
# BEGIN 5
C_LOW = stats.ratio(before, after).estimate
# END
