"""The recipe, with two threads, on a counter whose window is as wide as it is told.

Arguments: number of rounds, then widths in ns. `result` is a list of (width, rounds that failed).
Imports slow_counter, the module that notebooks/03_green.md compiles in a cell.
"""

from __future__ import annotations

import sys
import threading

import slow_counter

THREADS = 2


def fails(width_ns: float) -> bool:
    """One round: whether one of two additions was lost."""
    barrier = threading.Barrier(THREADS)

    def work() -> None:
        barrier.wait()
        slow_counter.add(width_ns)

    workers = [threading.Thread(target=work) for _ in range(THREADS)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    return bool(slow_counter.take() != THREADS)


rounds = int(sys.argv[1])
result = [(width, sum(fails(width) for _ in range(rounds))) for width in map(float, sys.argv[2:])]
