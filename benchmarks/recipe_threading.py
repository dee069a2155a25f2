"""The usual recipe: ten threads, a `threading.Barrier`, one call each, repeated with `pytest --count`.

Not collected by `make test`: it is measured, not passed. Run in a child by under_pytest.py.
"""

import threading

import subject


def test_call_concurrently_with_threading():
    """One shared object, threads released by one barrier, one call each."""
    state = subject.make()
    barrier = threading.Barrier(subject.THREADS)
    results = []

    def closure(call):
        barrier.wait()
        results.append(call())

    workers = [
        threading.Thread(target=closure, args=(subject.call(state, nth),))
        for nth in range(subject.THREADS)
    ]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert subject.intact(state, results, subject.THREADS)
