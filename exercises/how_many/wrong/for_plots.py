# Caught by single.
# Wilson's interval is narrower than the exact one, most of all at the end that the plan hangs on.
# BEGIN 1
from racelab import stats

night = stats.rate_per_repetition(1, 400, method="wilson")
# END
