# Caught by single.
# The counts are for 95 %, the default of rl.plan; 99 % was asked for.
# BEGIN 3
PROCESSES = stats.plan(night.estimate)
PROCESSES_AT_LOW = stats.plan(night.low)
MINUTES_AT_LOW = PROCESSES_AT_LOW / 20 / 60
# END
