"""The recipe that guides give: threads meet at a Barrier, then each calls."""

import os
import threading

from lost_update_broken import Counter

CALLS = int(os.environ.get("CALLS", "1"))


def test_bump():
    counter = Counter()
    barrier = threading.Barrier(10)

    def closure():
        barrier.wait()
        for _ in range(CALLS):
            counter.bump()

    workers = [threading.Thread(target=closure) for _ in range(10)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert counter.value > 0
