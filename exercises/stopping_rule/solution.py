"""stopping_rule.py: three reports about a race that somebody has repaired.

Goal   Fill in the seven numbers. Rates are fractions: 0.01 is one percent. You may compute them here.
Check  racelab check stopping_rule        Stuck?  racelab hint stopping_rule
"""

# BEGIN SOLUTION
from racelab import stats

before = stats.rate_per_repetition(3, 100)
after = stats.rate_per_repetition(0, 100)
# END

# A: "`pytest -x --count=500` on the fixed branch: 500 passed. It is thread-safe now."
# The test calls a function that fills a table on first use. How many chances to fail did it have?
# BEGIN STARTER
# A_CHANCES = 500
# BEGIN SOLUTION
A_CHANCES = 1
# END
# And if the test were one whose repeats are alike: below which rate would we be 95 % sure to be?
# BEGIN STARTER
# A_BOUND = 0.0
# BEGIN SOLUTION
A_BOUND = stats.zero_failure_bound(500)
# END

# B: "`pytest -x --count=500` failed at repeat 5, so the test fails 20 % of the time."
# Between which two rates does the true one lie, with 95 % confidence, if repeats are alike?
# BEGIN STARTER
# B_LOW = 0.2
# B_HIGH = 0.2
# BEGIN SOLUTION
B_LOW = stats.first_failure(5).low
B_HIGH = stats.first_failure(5).high
# END

# C: "100 fresh processes, 3 failed before the fix; 100 fresh processes, none failed after. The fix
# works." How many times as often does it fail before the fix as after it, at least (95 % sure)?
# BEGIN STARTER
# C_LOW = None
# BEGIN SOLUTION
C_LOW = stats.ratio(before, after).low
# END
# Suppose that nothing was mended, and that three of the 200 processes fail. What is the chance that
# all three are among those before the fix?
# BEGIN STARTER
# C_CHANCE = None
# BEGIN SOLUTION
C_CHANCE = 0.5**3
# END
# At least how many must fail before the fix, if none fails after it, for C_LOW to be above 1?
# BEGIN STARTER
# C_ENOUGH = 3
# BEGIN SOLUTION
C_ENOUGH = 5
# END
