"""What is recorded of the registry: the race, and its rate block by block in one process."""

from pathlib import Path

import racelab as rl

HERE = Path(__file__).parent

RACES = [
    {"variant": "broken", "rounds": 5000, "count": 30},
    {"variant": "fixed", "rounds": 5000, "count": 10},
]


def blocks():
    """Failures in 25 blocks of 200 rounds, in each of 30 processes."""
    built = rl.compile(HERE / "drifting_broken.c")
    rows = []
    for process in range(30):
        child = rl.run_child(
            HERE / "blocks.py", modules=[built], args=[built.name, 25, 200], timeout_s=30
        )
        for block, failed in enumerate(child.returned or ()):
            rows.append({"process": process, "block": block, "failed": failed, "rounds": 200})
    return rows


MEASUREMENTS = {"blocks": blocks}
