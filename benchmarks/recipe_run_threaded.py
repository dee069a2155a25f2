"""A `run_threaded` helper, as NumPy's tests have one: a pool of threads, one barrier, many calls each.

Not collected by `make test`: it is measured, not passed. Run in a child by under_pytest.py.
"""

# mypy: disallow-untyped-defs=False, disallow-incomplete-defs=False
# Tests as people write them.

import threading
from concurrent.futures import ThreadPoolExecutor

import subject


def run_threaded(function, max_workers):
    """Call function(barrier, number) in every thread of a pool, and raise what any of them raised."""
    barrier = threading.Barrier(max_workers)
    with ThreadPoolExecutor(max_workers) as pool:
        futures = [pool.submit(function, barrier, nth) for nth in range(max_workers)]
    for future in futures:
        future.result()


def test_call_many_times_each():
    """One shared object, many calls from each thread behind one barrier."""
    state = subject.make()
    results = []

    def closure(barrier, nth):
        call = subject.call(state, nth)
        barrier.wait()
        mine = [call() for _ in range(subject.ITERATIONS)]
        results.extend(mine)

    run_threaded(closure, subject.THREADS)
    assert subject.intact(state, results, subject.THREADS * subject.ITERATIONS)
