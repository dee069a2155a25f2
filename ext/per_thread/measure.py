"""What `racelab record per_thread` runs."""

from pathlib import Path

import racelab as rl

HERE = Path(__file__).resolve().parent

RACES = [
    {"variant": variant, "threads": 2, "count": 40, "seconds": 8}
    for variant in ("broken", "fixed", "fixed_tss")
]


def cost():
    """One access in each of the ways: rows of way and ns."""
    built = rl.compile(HERE / "access.cpp")
    rows = []
    for _ in range(5):  # processes differ more than the repeats of one
        child = rl.run_child(HERE / "cost.py", modules=[built], args=["5"], timeout_s=30)
        rows += child.returned or []
    return rows


MEASUREMENTS = {"cost": cost}
