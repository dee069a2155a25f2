"""What is recorded for `half_built`: the pair, and the repair with its memory orders taken out."""

import platform
from dataclasses import replace
from pathlib import Path

import racelab as rl

HERE = Path(__file__).resolve().parent
RACES = [
    {"variant": "broken", "count": 30, "seconds": 15},
    {"variant": "fixed", "count": 30, "seconds": 15},
]


def relaxed() -> list[dict]:
    """The fixed file with every order relaxed: wrong by the C standard, but x86-64 hides it.

    No variant of the lab, because a broken variant must be seen to fail.
    """
    text = (HERE / "half_built_fixed.c").read_text(encoding="utf-8")
    for order in ("acquire", "release"):
        text = text.replace(f"memory_order_{order}", "memory_order_relaxed")
    built = rl.compile(text.replace("half_built_fixed", "half_built_relaxed"))
    lab = replace(rl.find_lab("half_built"), sources=(), variants=(), modules=[built.name])
    seen = rl.race(lab, modules=[built], count=30, seconds=30)
    return [{"machine": platform.machine(), "failed": seen.failed_rounds, "rounds": seen.rounds}]


MEASUREMENTS = {"relaxed": relaxed}
