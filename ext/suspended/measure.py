"""What is recorded for suspended: each variant, the broken one with the GIL on, and what ThreadSanitizer says."""

from functools import partial

import racelab as rl
from racelab.costs import calls

DEPENDS = ["account"]
RACES = [{"variant": variant} for variant in rl.find_lab("suspended").variants]
RACES += [{"variant": "broken", "gil": 1}]
RACES += [
    {"variant": variant, "threads": 4, "count": 15, "seconds": 4} for variant in ("broken", "fixed")
]


def reports():
    """How often ThreadSanitizer reports a race, and how often something forbidden is seen. Needs `make tsan`."""
    rows = []
    for slug in ("account", "suspended"):
        seen = rl.race(slug, "broken", sanitizer="thread", count=5, rounds=300, progress=False)
        found = sum(one.ending.startswith("sanitizer") for one in seen.repetitions)
        wrong = sum(
            number for name, number in seen.forbidden.items() if not name.startswith("sanitizer")
        )
        rows.append(
            {
                "lab": slug,
                "repetitions": len(seen.repetitions),
                "reported": found,
                "rounds": seen.rounds,
                "wrong": wrong,
            }
        )
    return rows


MEASUREMENTS = {"cost": partial(calls, "suspended"), "reports": reports}
