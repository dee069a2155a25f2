"""pytest-run-parallel: the plugin runs the test in threads, released by a barrier before every iteration.

Every iteration has an object of its own; the second test, which the plugin leaves alone, looks at all of them.
Not collected by `make test`: it is measured, not passed. Run in a child by under_pytest.py.
"""

# mypy: disallow-untyped-defs=False, disallow-incomplete-defs=False
# Tests as people write them.

import pytest
import subject

STATES = [subject.make() for _ in range(subject.ITERATIONS)]
RESULTS: list[list[object]] = [[] for _ in STATES]


def test_call_in_parallel(thread_index, iteration_index):
    """One call; all threads of an iteration share its object."""
    call = subject.call(STATES[iteration_index], thread_index)
    RESULTS[iteration_index].append(call())


@pytest.mark.parallel_threads(1)
@pytest.mark.iterations(1)
def test_every_object_is_intact():
    """What the iterations have left."""
    bad = sum(
        not subject.intact(state, results, subject.THREADS)
        for state, results in zip(STATES, RESULTS, strict=True)
    )
    subject.COUNTED.append((len(STATES), bad))
    assert not bad
