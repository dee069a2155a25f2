"""The usual recipe: ten threads, a `threading.Barrier`, one call each, repeated with `pytest --count`.

Not collected by `make test`: it is measured, not passed. Run by benchmarks/record_welcome.py, which compiles the
counter and says where it is in RACELAB_COUNTER.
"""

import os
import threading

import racelab as rl

THREADS = 10
Counter = rl.load(os.environ["RACELAB_COUNTER"]).Counter


def test_every_call_counts():
    """One shared object, ten threads released by one barrier, one call each."""
    counter = Counter()
    barrier = threading.Barrier(THREADS)

    def call_once():
        barrier.wait()
        counter.bump()

    threads = [threading.Thread(target=call_once) for _ in range(THREADS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert counter.value == THREADS
