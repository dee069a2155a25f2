"""How far apart a recipe releases its threads: each notes the clock where it would make its call.

The recipes themselves are measured without this; here the time stamp takes the place of the call.
Not collected by `make test`: it is measured, not passed. Run in a child by under_pytest.py.
"""

# mypy: disallow-untyped-defs=False, disallow-incomplete-defs=False
# Tests as people write them.

import threading
from concurrent.futures import ThreadPoolExecutor
from time import perf_counter_ns

import subject

STAMPS: list[list[int]] = [[] for _ in range(subject.ITERATIONS)]


def test_threading():
    """First to last thread behind a barrier of plain threads."""
    barrier = threading.Barrier(subject.THREADS)
    stamps = []

    def closure():
        barrier.wait()
        stamps.append(perf_counter_ns())

    workers = [threading.Thread(target=closure) for _ in range(subject.THREADS)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    subject.SKEWS_NS.append(max(stamps) - min(stamps))


def test_futures():
    """First to last thread behind a barrier of a pool's threads."""
    barrier = threading.Barrier(subject.THREADS)

    def closure():
        barrier.wait()
        return perf_counter_ns()

    with ThreadPoolExecutor(max_workers=subject.THREADS) as executor:
        futures = [executor.submit(closure) for _ in range(subject.THREADS)]
    stamps = [future.result() for future in futures]
    subject.SKEWS_NS.append(max(stamps) - min(stamps))


def test_run_parallel(iteration_index):
    """First to last thread of an iteration of pytest-run-parallel; evaluated by under_pytest.py."""
    STAMPS[iteration_index].append(perf_counter_ns())
