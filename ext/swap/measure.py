"""What is recorded for swap: each variant, with more threads, the broken one with the GIL on, and a call's cost.

With the GIL on it is as wide open as it goes.
"""

from functools import partial

import racelab as rl
from racelab.costs import calls

RACES = [{"variant": variant} for variant in rl.find_lab("swap").variants]
RACES += [{"variant": "broken", "gil": 1, "widen": True, "count": 3, "seconds": 6}]
RACES += [
    {"variant": variant, "threads": 4, "count": 5, "seconds": 5}
    for variant in ("broken", "fixed", "fixed_order")
]
MEASUREMENTS = {"cost": partial(calls, "swap")}
