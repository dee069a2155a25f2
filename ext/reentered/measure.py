"""What is recorded for reentered: each variant, with more threads, with the GIL on, and what a call costs."""

from functools import partial

import racelab as rl
from racelab.costs import calls

VARIANTS = rl.find_lab("reentered").variants
RACES = [{"variant": variant} for variant in VARIANTS]
RACES += [{"variant": "broken", "gil": 1, "count": 15, "seconds": 3}]
RACES += [
    {"variant": variant, "threads": 4, "count": 15, "seconds": 3} for variant in ("broken", "fixed")
]
MEASUREMENTS = {"cost": partial(calls, "reentered")}
