"""What is recorded for `lock_and_world`: every variant, GIL off and on, and two threads on their own."""

import time
from dataclasses import replace

import racelab as rl

RACES = [
    {"variant": variant, "count": 10, "rounds": 200, "gil": gil}
    for variant in ("broken", "broken_critical", "fixed", "fixed_detach")
    for gil in (0, 1)
]


def allocate() -> list:
    """An objective that allocates enough for the collector to start by itself."""
    time.sleep(0.001)
    return [[] for _ in range(20_000)]


def two_threads() -> list[dict]:
    """In how many processes two threads hung, that do nothing but solve()."""
    waits = rl.find_lab("lock_and_gil")
    allocates = replace(
        waits, name="lock_and_heap", actors=[rl.Actor("solve", args=(allocate,))] * 2
    )
    rows = []
    for objective, lab, gil in (
        ("waits", waits, 1),
        ("waits", waits, 0),
        ("allocates", allocates, 0),
    ):
        seen = rl.race(lab, gil=gil, count=10, rounds=200)
        rows.append(
            {
                "objective": objective,
                "gil": gil,
                "processes": len(seen.ran),
                "hung": seen.outcomes["hang"],
                "rounds": seen.rounds,
            }
        )
    return rows


MEASUREMENTS = {"two_threads": two_threads}
