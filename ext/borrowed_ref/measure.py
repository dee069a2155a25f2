"""What the book shows as recorded of a borrowed reference: how it ends, how soon, and what says nothing about it."""

from dataclasses import replace
from functools import partial

import racelab as rl
from racelab.costs import calls

RACES = [
    {"variant": "broken", "threads": 2, "count": 30, "seconds": 8},
    {"variant": "broken", "threads": 5, "count": 30, "seconds": 8},
    {"variant": "fixed", "threads": 2, "count": 30, "seconds": 8},
    {"variant": "broken_section", "threads": 2, "count": 30, "seconds": 6},
    {"variant": "fixed_section", "threads": 2, "count": 30, "seconds": 6},
    # Under the GIL nobody comes between, and the calibration race shows nothing either: inconclusive.
    {"variant": "broken", "threads": 2, "count": 10, "seconds": 3, "gil": 1},
    {"variant": "broken", "threads": 2, "count": 10, "seconds": 3, "widen": True},
    {"variant": "fixed", "threads": 5, "count": 15, "seconds": 4},
    {"variant": "fixed", "threads": 2, "count": 10, "seconds": 3, "gil": 1},
]
RACES += [
    {"variant": variant, "threads": 2, "flags": [level], "count": 15, "seconds": 4}
    for variant in ("broken", "fixed")
    for level in ("-O0", "-O3")
]
BURSTS = (1, 5, 25, 100, 500, 2500, 10_000, 50_000)


def one_round(variant, burst, count):
    """Rows of how a process ended that ran a single round of so many calls."""
    lab = rl.find_lab("borrowed_ref")
    calls = tuple(replace(actor, burst=burst) for actor in lab.actors)
    seen = rl.race(
        replace(lab, actors=calls), variant, rounds=1, count=count, seconds=12, timeout_s=2
    )
    return [
        {
            "variant": variant,
            "burst": burst,
            "ended": one.ending if one.ending != "ok" else next(iter(one.outcomes)),
            "failed": bool(one.failed_rounds),
        }
        for one in seen.ran
    ]


def curve(count=40, passes=4):
    """How single rounds end, against their number of calls.

    All numbers of calls take turns, a few processes each: else what the machine did meanwhile
    would look like an effect of the number.
    """
    points = [("broken", burst) for burst in BURSTS]
    points += [("fixed", burst) for burst in (1, 500, 50_000)]
    return [row for _ in range(passes) for p in points for row in one_round(*p, count // passes)]


def repeated(burst=100, count=200):
    """The same round, repeated in one process after another."""
    return one_round("broken", burst, count)


MEASUREMENTS = {"cost": partial(calls, "borrowed_ref"), "curve": curve, "repeated": repeated}
