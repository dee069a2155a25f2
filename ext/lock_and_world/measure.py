"""What is recorded for `lock_and_world`: every variant, GIL off and on, two threads on their own, and one."""

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


def solve_twice(module) -> int:
    """An objective that calls the solver again: for one thread."""
    return module.solve(lambda: module.solve(lambda: None))


def nested() -> list[dict]:
    """In how many processes one thread hung, that called solve() from inside of solve()."""
    lab = replace(
        rl.find_lab("lock_and_world"),
        name="lock_and_self",
        setup=lambda module: module,
        actors=[solve_twice],
        threads=[1],
        observe=lambda _module, _returned, _threads: "came through",
        outcomes={
            "came through": rl.ACCEPTABLE("the inner call did not wait for the outer one"),
            "hang": rl.FORBIDDEN("the inner call waits for a lock that its own thread has"),
        },
    )
    rows = []
    for variant in ("broken", "broken_critical", "fixed", "fixed_detach"):
        seen = rl.race(lab, variant, gil=0, count=5, rounds=100)
        rows.append({"variant": variant, "processes": len(seen.ran), "hung": seen.outcomes["hang"]})
    return rows


MEASUREMENTS = {"two_threads": two_threads, "nested": nested}
