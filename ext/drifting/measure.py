"""What is recorded of the registry: the race, and its rate block by block in one process."""

from pathlib import Path

import racelab as rl

HERE = Path(__file__).parent

RACES = [
    {"variant": "broken", "rounds": 5000, "count": 30},
    {"variant": "fixed", "rounds": 5000, "count": 10},
]


LENGTHS = 50, 100, 200, 400, 800, 1600, 3200


def blocks():
    """Failures while the registry grows to each of LENGTHS, in each of 30 processes."""
    built = rl.compile(HERE / "drifting_broken.c")
    rows = []
    for process in range(30):
        child = rl.run_child(
            HERE / "blocks.py", modules=[built], args=[built.name, *LENGTHS], timeout_s=30
        )
        for length, failed, rounds in child.returned or ():
            rows.append({"process": process, "length": length, "failed": failed, "rounds": rounds})
    return rows


MEASUREMENTS = {"blocks": blocks}
