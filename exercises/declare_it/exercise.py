"""A module that says nothing about the GIL, and one static that must be mended before it may."""

import random
from itertools import pairwise

from racelab import ACCEPTABLE, FORBIDDEN, Lab
from racelab.exercise import Cost, Exercise

SIZES = (3, 5)


def single(module):
    """Each block begins where the last one ended."""
    expected = module.reserve(1) + 1
    for _ in range(50):
        n = random.randrange(1, 100)
        first = module.reserve(n)
        assert first == expected, (
            f"reserve({n}) must return {expected}, where the last block ended, and returned {first!r}"
        )
        expected += n
        for odd in (0, -n, "one"):
            try:
                module.reserve(odd)  # nothing is reserved, and no lock is kept on this way out
            except (TypeError, ValueError):
                continue
            raise AssertionError(f"reserve({odd!r}) must raise an error, as before")


def twice(n):
    """A block, and one number more, which shows whether the block was really taken."""

    def reserve_twice(module):
        return (module.reserve(n), n), (module.reserve(1), 1)

    return reserve_twice


def blocks(_module, returned, _threads):
    """Whether two blocks share a number."""
    found = sorted(block for both in returned for block in both)
    apart = all(first + n <= then for (first, n), (then, _) in pairwise(found))
    return "numbers of their own" if apart else "the same number twice"


exercise = Exercise(
    "declare_it",
    title="Declare a module, and deserve it",
    chapter="01_interpreter",
    level="easy",
    minutes=10,
    goal="Importing the module leaves the GIL off, and reserve() never hands out a number twice, whoever calls it.",
    hints=(
        "The slot is a promise, and the module does not keep it yet. Which of its statics change after the import?",
        "Only next_number does. Write down what two threads do in reserve(): where can the other one come between?",
        "C can take the old value and add to it in one step: atomic_fetch_add(&next_number, n) returns what was there before. next_number must be `static _Atomic long`.",
        "Now you may promise it: {Py_mod_gil, Py_MOD_GIL_NOT_USED}, in module_slots, inside `#ifdef Py_GIL_DISABLED` so that older Pythons compile it, too.",
    ),
    lab=Lab(
        "declare_it",
        question="Does everybody get numbers of their own?",
        modules=["declare_it"],
        setup=lambda module: module,
        actors=[twice(n) for n in SIZES],
        observe=blocks,
        outcomes={
            "numbers of their own": ACCEPTABLE("one block after the other"),
            "the same number twice": FORBIDDEN("two blocks overlap"),
            "hang": FORBIDDEN("two calls wait for ever"),
        },
    ),
    single=single,
    advice={
        "gil": "A module that says nothing, or says GIL_USED, turns the GIL on for the whole process. Put {Py_mod_gil, Py_MOD_GIL_NOT_USED} into its slots, once what it promises is true.",
        "the same number twice": "The module promises that it needs no GIL, and between a load and a store of next_number another thread still gets in; or each thread counts for itself.",
        "hang": "A lock is not released on every way out.",
    },
    cost=Cost(
        lambda module: lambda: module.reserve(1),
        limit=5,
        why="Neither an atomic nor a PyMutex that nobody else holds takes so long.",
    ),
)
