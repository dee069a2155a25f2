"""The loop with several compiler flags, one row per process."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import racelab as rl

FLAGS = ("-O0", "-O1", "-O2")
VARIANTS = ("broken", "broken_call", "fixed")
RACES = [{"variant": variant} for variant in VARIANTS]
RACES += [
    {"variant": variant, "flags": [level], "count": 15, "seconds": 4}
    for variant in VARIANTS
    for level in ("-O0", "-O1")
]


def flags() -> list[dict[str, Any]]:
    """How often the same source fails, compiled in several ways."""
    rows = []
    for variant in ("broken", "broken_call"):
        for flag in FLAGS:
            lab = replace(rl.find_lab("folded"), flags=[flag])
            seen = rl.race(lab, variant, count=15, seconds=4, progress=False)
            rows += [
                {
                    "variant": variant,
                    "flags": flag,
                    "failed": each.failed_rounds,
                    "rounds": each.rounds,
                }
                for each in seen.ran
            ]
    return rows


MEASUREMENTS = {"flags": flags}
