"""How far apart a way of releasing threads releases them: each notes the clock where it would make its call.

Arguments: number of threads, number of releases of each way. `result` is way -> list of ns, first to last thread.
"""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from time import perf_counter_ns

SOON_NS = 200_000


def in_threads(work: Callable[[], int], threads: int) -> list[int]:
    """What each of several threads returned."""
    stamps: list[int] = []
    workers = [threading.Thread(target=lambda: stamps.append(work())) for _ in range(threads)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    return stamps


def no_barrier(threads: int) -> list[int]:
    """Whoever is there first, goes first."""
    return in_threads(perf_counter_ns, threads)


def barrier(threads: int) -> list[int]:
    """The recipe."""
    meet = threading.Barrier(threads)

    def work() -> int:
        meet.wait()
        return perf_counter_ns()

    return in_threads(work, threads)


def pool(threads: int) -> list[int]:
    """The recipe with a pool."""
    meet = threading.Barrier(threads)

    def work() -> int:
        meet.wait()
        return perf_counter_ns()

    with ThreadPoolExecutor(max_workers=threads) as executor:
        futures = [executor.submit(work) for _ in range(threads)]
    return [future.result() for future in futures]


def appointment(threads: int) -> list[int]:
    """Behind the barrier, everybody waits for the same moment, awake."""
    moment: list[int] = []
    meet = threading.Barrier(threads, lambda: moment.append(perf_counter_ns() + SOON_NS))

    def work() -> int:
        meet.wait()
        start = moment[0]
        while perf_counter_ns() < start:
            pass
        return perf_counter_ns()

    return in_threads(work, threads)


WAYS = {
    "no barrier": no_barrier,
    "threading.Barrier": barrier,
    "pool and Barrier": pool,
    "appointment": appointment,
}


def skews(way: Callable[[int], list[int]], threads: int, releases: int) -> list[int]:
    """From the first to the last thread, ns, release by release."""
    found = []
    for _ in range(releases):
        stamps = way(threads)
        found.append(max(stamps) - min(stamps))
    return found


result = {name: skews(way, int(sys.argv[1]), int(sys.argv[2])) for name, way in WAYS.items()}
