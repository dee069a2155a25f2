"""What is recorded for fast_items: each variant, with more threads, with the GIL on, and what a call costs."""

from functools import partial

from racelab.costs import calls
from racelab.recording import usual_races

RACES = usual_races("fast_items")
MEASUREMENTS = {"cost": partial(calls, "fast_items")}
