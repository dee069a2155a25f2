"""What is recorded for the chapter about counting: tests repeated by pytest in many processes, and races."""

from pathlib import Path

import racelab as rl

HERE = Path(__file__).parent
DEPENDS = ["lost_update", "once_only", "drifting"]

RACES = []  # of other labs only, below

PROCESSES, COUNT = 30, 100


def _repeated(test):
    """`pytest --count=COUNT` of one test, in PROCESSES processes: one row each."""
    built = [rl.compile(HERE.parent / slug / f"{slug}_broken.c") for slug in DEPENDS]
    rows = []
    for process in range(PROCESSES):
        child = rl.run_child(
            HERE / "repeat.py",
            modules=built,
            args=[f"count_tests.py::{test}", COUNT],
            timeout_s=60,
        )
        if child.returned is None:
            raise RuntimeError(f"{test}, process {process}: {child}")
        failed = "".join(map(str, child.returned["failed"][test]))
        rows.append({"process": process, "failed": failed, "seconds": child.returned["seconds"]})
    return rows


def _processes(seen):
    """One row for each repetition of a race."""
    return [
        {"failed_rounds": min(one.failed_rounds, one.rounds), "rounds": one.rounds}
        for one in seen.ran
    ]


def one_round():
    """One round of the counter in each of many processes."""
    return _processes(rl.race("lost_update", "broken", rounds=1, count=1500, progress=False))


def many_rounds():
    """As many rounds of the counter as fit into a third of a second, in each of many processes."""
    return _processes(rl.race("lost_update", "broken", count=60, seconds=20, progress=False))


MEASUREMENTS = {
    "test_counter": lambda: _repeated("test_counter"),
    "test_first_call": lambda: _repeated("test_first_call"),
    "test_registry": lambda: _repeated("test_registry"),
    "one_round": one_round,
    "many_rounds": many_rounds,
}
