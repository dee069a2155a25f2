"""Two counters that must agree: each is atomic, and the pair is not."""

import random

from racelab import ACCEPTABLE, FORBIDDEN, Lab
from racelab.exercise import Cost, Exercise

FILLED = (3, 2)
#: What the pair is, one after the other, while somebody counts a hit and a miss and then begins anew.
HELD = (FILLED, (4, 2), (4, 3), (0, 0))


def filled(module):
    """A cache that has counted three hits and two misses."""
    cache = module.Cache()
    for found in (True, False, True, False, True):
        cache.note(found)
    return cache


def single(module):
    """Counts, resets and counts again."""
    cache = module.Cache()
    assert cache.stats() == (0, 0), f"a new cache has stats() == (0, 0), not {cache.stats()}"
    for _ in range(3):
        looked = [random.random() < 0.5 for _ in range(random.randrange(5, 50))]
        for found in looked:
            cache.note(found)
        expected = (looked.count(True), looked.count(False))
        assert cache.stats() == expected, f"stats() must be {expected}, and is {cache.stats()}"
        cache.reset()
        assert cache.stats() == (0, 0), (
            f"stats() after reset() must be (0, 0), and is {cache.stats()}"
        )


def count_and_reset(cache):
    """Changes the pair three times."""
    cache.note(True)
    cache.note(False)
    cache.reset()


def pair(_cache, returned, _threads):
    """What stats() returned."""
    seen = next(value for value in returned if value is not None)
    return "a pair it held" if seen in HELD else "a pair it never held"


exercise = Exercise(
    "two_counters",
    title="Make two counters agree",
    chapter="06_lost_update",
    level="easy",
    minutes=10,
    goal="stats() returns a pair that the cache held at one moment, whoever calls note() or reset() meanwhile.",
    hints=(
        "Both counters are atomic. Write down what two threads do, step by step: where can the other thread come between?",
        "Two atomics are not one atomic. Two numbers that must agree are a case for a lock.",
        "Everybody takes it: note, stats and reset. Put a PyMutex into the struct; tp_alloc fills it with zeros, which is an unlocked mutex.",
        "Copy both numbers under the lock, unlock, and only then call Py_BuildValue.",
    ),
    lab=Lab(
        "two_counters",
        question="Does stats() return a pair that the cache held?",
        modules=["two_counters"],
        setup=filled,
        actors=["stats", count_and_reset],
        observe=pair,
        observe_key=(),
        outcomes={
            "a pair it held": ACCEPTABLE("before, between or after the others' calls"),
            "a pair it never held": FORBIDDEN(
                "one number from before another call, one from after"
            ),
        },
    ),
    single=single,
    advice={
        "a pair it never held": "Between the two loads, or between the two stores, another thread still gets in: one that resets, or one that counts."
    },
    cost=Cost(
        lambda module: module.Cache().stats,
        limit=4,
        why="A PyMutex that nobody else holds costs two atomic steps.",
    ),
)
