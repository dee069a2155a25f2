"""The recipe with an appointment: behind the barrier, everybody is awake and waits for the same moment.

Needs a core for each thread.
Not collected by `make test`: notebooks/03_green.md runs it in a child, see under_pytest.py.
"""

import os
import threading
from time import perf_counter_ns

from lazy_slot_broken import Record
from lost_update_broken import Counter

THREADS = int(os.environ.get("TEST_THREADS", "2"))
SOON_NS = 200_000


def call_in_threads(call):
    """Call it once in each of several threads, at the same moment."""
    moment = []

    def agree():
        moment.append(perf_counter_ns() + SOON_NS)

    barrier = threading.Barrier(THREADS, action=agree)

    def work():
        barrier.wait()
        start = moment[0]
        while perf_counter_ns() < start:
            pass
        call()

    workers = [threading.Thread(target=work) for _ in range(THREADS)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()


def test_bump_in_threads():
    counter = Counter()
    call_in_threads(counter.bump)
    assert counter.value == THREADS


def test_touch_in_threads():
    record = Record()
    call_in_threads(record.touch)
    assert record.made == 1
