"""Recycled result: two threads find that nobody else has it.

Question  Does a reference count of 1 say that an object is ours to change?
Run       racelab race recycled --threads 2
"""

from racelab import ACCEPTABLE, FORBIDDEN, Actor, Lab

lab = Lab(
    "recycled",
    question="Does a reference count of 1 say that an object is ours to change?",
    sources=["recycled_{variant}.c"],
    setup="Numbers",
    actors=["take", Actor("take", made_by=True)],  # its thread makes the tuple, and may reuse it
    threads=[2, 3, 4, 8],
    observe=lambda _numbers, returned, threads: (
        "a number each" if len(set(returned)) == threads else "one tuple for two"
    ),
    observe_key=(),
    outcomes={
        "a number each": ACCEPTABLE("every caller got a tuple of its own"),
        "one tuple for two": FORBIDDEN("a tuple changed after it was returned"),
    },
)
