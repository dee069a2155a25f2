"""The same recipe with `concurrent.futures`: a pool of ten threads, one barrier, one call each.

Not collected by `make test`: it is measured, not passed. Run in a child by under_pytest.py.
"""

# mypy: disallow-untyped-defs=False, disallow-incomplete-defs=False
# Tests as people write them.

import threading
from concurrent.futures import ThreadPoolExecutor

import subject


def test_call_concurrently_with_a_pool():
    """One shared object, the threads of a pool released by one barrier, one call each."""
    state = subject.make()
    barrier = threading.Barrier(subject.THREADS)

    def closure(call):
        barrier.wait()
        return call()

    with ThreadPoolExecutor(max_workers=subject.THREADS) as executor:
        futures = [
            executor.submit(closure, subject.call(state, nth)) for nth in range(subject.THREADS)
        ]
    results = [future.result() for future in futures]
    assert subject.intact(state, results, subject.THREADS)
