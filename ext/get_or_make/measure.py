"""What is recorded of this lab: its variants in several ways, the broken one under ThreadSanitizer, a call's cost."""

from functools import partial

import racelab as rl
from racelab.costs import calls

#: What the explorer switches beside GIL and window: more threads, other compiler levels, another interpreter.
WAYS = ({"threads": 4}, {"threads": 8}, {"flags": ["-O0"]}, {"flags": ["-O3"]}, {"python": "debug"})
SHORT = {"count": 15, "seconds": 3}
RACES = [
    {"variant": "broken"},
    {"variant": "broken", "gil": 1},
    {"variant": "broken_section"},
    {"variant": "fixed"},
    {"variant": "fixed_section"},
    {"variant": "fixed", "gil": 1, **SHORT},
]
RACES += [{"variant": variant, **way, **SHORT} for variant in ("broken", "fixed") for way in WAYS]


def sanitized() -> list[dict]:
    """What ThreadSanitizer says of the broken one, and how often it fails meanwhile; needs `make tsan`."""
    seen = rl.race("get_or_make", "broken", sanitizer="thread", count=10, rounds=2000)
    return [
        {
            "reported": sum(n for label, n in seen.outcomes.items() if "sanitizer" in label),
            "repetitions": len(seen.ran),
            "failed": seen.failed_rounds,
            "rounds": seen.rounds,
        }
    ]


MEASUREMENTS = {"cost": partial(calls, "get_or_make"), "sanitized": sanitized}
