"""The same question as lost_update's, for code that is written in Python.

Run       racelab race ext/green/python_labs.py:append --threads 2
"""

from types import SimpleNamespace

from racelab import ACCEPTABLE, FORBIDDEN, Lab

LOST = "updates lost"


def append_one(items):
    """One call of one method of a built-in type."""
    items.append(1)


def add_one(box):
    """One line, but a read, an addition and a write."""
    box.n += 1


append = Lab(
    "append",
    question="Can two appends count as one?",
    setup=list,
    actors=[append_one, append_one],
    threads=[2, 4],
    observe=lambda items, _returned, threads: "all counted" if len(items) == threads else LOST,
    outcomes={
        "all counted": ACCEPTABLE("every append is in the list"),
        LOST: FORBIDDEN("an item is missing"),
    },
)

plus = Lab(
    "plus",
    question="Can two additions in Python count as one?",
    setup=lambda: SimpleNamespace(n=0),
    actors=[add_one, add_one],
    threads=[2, 4],
    observe=lambda box, _returned, threads: "all counted" if box.n == threads else LOST,
    outcomes={
        "all counted": ACCEPTABLE("every addition has counted"),
        LOST: FORBIDDEN("additions overwrote each other"),
    },
)
