"""What is recorded for shared_iterator: each variant, with more threads, with the GIL on, and what a call costs."""

from functools import partial

from racelab.costs import calls
from racelab.recording import usual_races

RACES = usual_races("shared_iterator")
MEASUREMENTS = {"cost": partial(calls, "shared_iterator")}
