"""A table of a Cython module that two threads build: one chance for each process.

Two answers pass that promise less than they seem to. A flag in C, looked at and set in two steps, after which the others
wait for the table: its window is a few instructions, once in a process; only ThreadSanitizer sees it. And functools.cache,
which may call twice by its documentation, and in 3.13t does not as long as what it calls never detaches.
"""

import random

from racelab import ACCEPTABLE, FORBIDDEN, Actor, Lab
from racelab.exercise import Exercise


def single(module):
    """Right values, and one table for all of them."""
    for n in random.sample(range(1000), 20):
        found = module.lookup(n)
        assert found == n * n, f"lookup({n}) must be {n * n}, and is {found!r}"
        try:
            module.lookup(1000 + n)  # a lock must be given back on this way out, too
        except IndexError:
            continue
        raise AssertionError(f"lookup({1000 + n}) must raise IndexError, as before")
    assert module.builds() == 1, (
        f"20 lookups with one thread: build_table() must run once, and ran {module.builds()} times"
    )


def what_was_built(module, returned, _threads):
    """How often the table was built, once both have looked something up."""
    if returned != (31 * 31, 7 * 7):
        return "a wrong value"
    return "built once" if module.builds() == 1 else "built twice"


exercise = Exercise(
    "cache_race",
    title="Build a table once, whoever comes first",
    chapter="08_caches",
    level="easy",
    minutes=10,
    goal="lookup() may be called by many threads: build_table() runs once, and everybody gets right values.",
    hints=(
        "Two threads can both find None. Which two steps must not have another thread between them?",
        "Let one build, and let the others wait until it has. A threading.Lock at the module's top is enough.",
        "Look again once you have the lock: while you waited for it, another thread may have built the table.",
    ),
    lab=Lab(
        "cache_race",
        question="Is the table built once?",
        modules=["cache_race"],
        setup=lambda module: module,
        actors=[Actor("lookup", args=(31,)), Actor("lookup", args=(7,))],
        observe=what_was_built,
        outcomes={
            "built once": ACCEPTABLE("one thread built it, the other waited or came later"),
            "built twice": FORBIDDEN("both found None"),
            "a wrong value": FORBIDDEN("somebody looked into a table that was not there"),
        },
        mode="cold",
    ),
    single=single,
    advice={
        "built twice": "Between the test and the store another thread still gets in, or it does not look again after it has waited.",
        "a wrong value": "A thread went on before the table was there.",
    },
)
