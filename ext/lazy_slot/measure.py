"""What is recorded for `lazy_slot`: the pair, in several ways and with the GIL on, and what a call costs."""

from functools import partial

from racelab.costs import calls

#: What the explorer switches beside GIL and window: more threads, other compiler levels, another interpreter.
WAYS = ({"threads": 4}, {"threads": 8}, {"flags": ["-O0"]}, {"flags": ["-O3"]}, {"python": "debug"})
SHORT = {"count": 15, "seconds": 3}
RACES = [
    {"variant": "broken", "count": 30, "seconds": 10},
    {"variant": "fixed", "count": 30, "seconds": 10},
    {"variant": "broken", "count": 30, "seconds": 10, "gil": 1},
    {"variant": "fixed", "gil": 1, **SHORT},
]
RACES += [{"variant": variant, **way, **SHORT} for variant in ("broken", "fixed") for way in WAYS]
MEASUREMENTS = {"cost": partial(calls, "lazy_slot")}
