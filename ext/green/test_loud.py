"""The tests of test_silent.py, each able to fail, and failing for the reason that it names.

Not collected by `make test`: notebooks/03_green.md runs it in a child, see under_pytest.py.
"""

import threading
from concurrent.futures import ThreadPoolExecutor

from lost_update_broken import Counter

THREADS = 4


def test_result():
    """The call is wrong: a number of calls is 0 or more."""
    counter = Counter()
    barrier = threading.Barrier(THREADS)

    def work():
        barrier.wait()
        counter.bump_many(-1)

    with ThreadPoolExecutor(max_workers=THREADS) as executor:
        futures = [executor.submit(work) for _ in range(THREADS)]
    for future in futures:
        future.result()


def test_assertion():
    """The assertion is wrong: nobody counts to a million."""
    counter = Counter()
    barrier = threading.Barrier(THREADS)

    def work():
        barrier.wait()
        counter.bump()
        assert counter.value == 1_000_000

    with ThreadPoolExecutor(max_workers=THREADS) as executor:
        futures = [executor.submit(work) for _ in range(THREADS)]
    for future in futures:
        future.result()


def test_wait():
    """The counter is wrong: it loses updates."""
    counter = Counter()
    barrier = threading.Barrier(THREADS)

    def work():
        barrier.wait()
        counter.bump()

    with ThreadPoolExecutor(max_workers=THREADS) as executor:
        futures = [executor.submit(work) for _ in range(THREADS)]
    for future in futures:
        future.result()
    assert counter.value == THREADS


def test_workers():
    """The pool is wrong: fewer threads than the barrier waits for."""
    counter = Counter()
    barrier = threading.Barrier(THREADS, timeout=1)

    def work():
        barrier.wait()
        counter.bump()

    with ThreadPoolExecutor(max_workers=THREADS - 1) as executor:
        futures = [executor.submit(work) for _ in range(THREADS)]
    for future in futures:
        future.result()
    assert counter.value == THREADS
