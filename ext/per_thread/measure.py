"""What `racelab record per_thread` runs."""

from pathlib import Path

import racelab as rl

HERE = Path(__file__).resolve().parent

RACES = [
    {"variant": variant, "threads": 2, "count": 40, "seconds": 8}
    for variant in ("broken", "fixed", "fixed_tss")
]
RACES += [
    {"variant": variant, "threads": 4, "count": 15, "seconds": 4}
    for variant in ("broken", "fixed", "fixed_tss")
]


#: The ways that a variant of the lab takes; the others are timed for comparison.
VARIANTS = {"static": "broken", "thread_local": "fixed", "Py_tss_t": "fixed_tss"}


def cost():
    """One access in each of the ways: rows of way and ns, and the variant that goes that way."""
    built = rl.compile(HERE / "access.cpp")
    rows = []
    for _ in range(5):  # processes differ more than the repeats of one
        child = rl.run_child(HERE / "cost.py", modules=[built], args=["5"], timeout_s=30)
        rows += child.returned or []
    return [
        {**row, "variant": VARIANTS[row["way"]], "of": "one access"}
        if row["way"] in VARIANTS
        else row
        for row in rows
    ]


MEASUREMENTS = {"cost": cost}
