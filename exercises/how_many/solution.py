"""how_many.py: a nightly job runs a test once; in 400 nights it has failed once. A fix is proposed.

Goal   Fill in the six numbers. Rates are fractions: 0.01 is one percent. You may compute them here.
Check  racelab check how_many        Stuck?  racelab hint how_many
"""

# BEGIN SOLUTION
from racelab import stats

night = stats.rate_per_repetition(1, 400)
# END

# Between which two rates per night does the true one lie, with 95 % confidence (exact interval)?
# BEGIN STARTER
# LOW = 1 / 400
# HIGH = 1 / 400
# BEGIN SOLUTION
LOW = night.low
HIGH = night.high
# END

# You can run the test alone, in fresh processes, 20 a second. How many processes after the fix make
# you 99 % sure to see the bug, should it still be there: if its rate is the one that you estimate
# from the nights, and if it is at the lower bound? How long does the second take?
# BEGIN STARTER
# PROCESSES = 400
# PROCESSES_AT_LOW = None
# MINUTES_AT_LOW = None
# BEGIN SOLUTION
PROCESSES = stats.plan(night.estimate, 0.99)
PROCESSES_AT_LOW = stats.plan(night.low, 0.99)
MINUTES_AT_LOW = PROCESSES_AT_LOW / 20 / 60
# END

# Somebody ran PROCESSES of them with the fix: none failed. You run as many of the *broken* code:
# none fails either. How many times as often as the fixed code does the broken code fail, at least,
# as far as these two runs know?
# BEGIN STARTER
# AT_LEAST_TIMES = 1
# BEGIN SOLUTION
silent = stats.rate_per_repetition(0, PROCESSES)
AT_LEAST_TIMES = stats.ratio(silent, silent).low
# END
