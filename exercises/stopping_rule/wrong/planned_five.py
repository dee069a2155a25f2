# Caught by single.
# The interval for one failure in five planned runs: its upper end is too high for a run that a failure ended.
# BEGIN 4
B_LOW = stats.rate_per_repetition(1, 5).low
B_HIGH = stats.rate_per_repetition(1, 5).high
# END
