"""What is recorded for account: each variant, with more threads, with the GIL on, and what a call costs."""

from functools import partial

from racelab.costs import calls
from racelab.recording import usual_races

RACES = usual_races("account")
MEASUREMENTS = {"cost": partial(calls, "account")}
