"""The two usual recipes: one shared object, threads released by one barrier, one call each.

Written with care: every thread waits, every result is fetched, the object is fresh.
Not collected by `make test`: notebooks/03_green.md runs it in a child, see under_pytest.py.
"""

import os
import threading
from concurrent.futures import ThreadPoolExecutor

from lazy_slot_broken import Record
from lost_update_broken import Counter

THREADS = int(os.environ.get("TEST_THREADS", "10"))


def call_in_threads(call):
    """Call it once in each of several threads."""
    barrier = threading.Barrier(THREADS)

    def work():
        barrier.wait()
        call()

    workers = [threading.Thread(target=work) for _ in range(THREADS)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()


def call_in_pool(call):
    """The same with a pool, and with what each call has raised."""
    barrier = threading.Barrier(THREADS)

    def work():
        barrier.wait()
        return call()

    with ThreadPoolExecutor(max_workers=THREADS) as executor:
        futures = [executor.submit(work) for _ in range(THREADS)]
    return [future.result() for future in futures]


def test_bump_in_threads():
    counter = Counter()
    call_in_threads(counter.bump)
    assert counter.value == THREADS


def test_bump_in_pool():
    counter = Counter()
    call_in_pool(counter.bump)
    assert counter.value == THREADS


def test_touch_in_threads():
    record = Record()
    call_in_threads(record.touch)
    assert record.made == 1


def test_touch_in_pool():
    record = Record()
    call_in_pool(record.touch)
    assert record.made == 1
