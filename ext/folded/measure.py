"""The loop with several compiler flags, one row per process."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import racelab as rl

FLAGS = ("-O0", "-O1", "-O2")


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
