"""Folded: the same loop with other compiler flags is another race.

Question  Can additions in a loop overwrite those of another thread's loop?
Run       racelab race folded --threads 2

`dataclasses.replace(lab, flags=["-O0"])` is the same lab with another compiler flag.
"""

from racelab import ACCEPTABLE, FORBIDDEN, Actor, Lab

CALLS = 100

lab = Lab(
    "folded",
    question="Can additions in a loop overwrite those of another thread's loop?",
    sources=["folded_{variant}.c"],
    setup="Counter",
    actors=[Actor("bump_many", args=(CALLS,))] * 2,
    threads=[2, 3, 4, 8],
    observe=lambda counter, _returned, threads: (
        "all counted" if counter.value == CALLS * threads else "updates lost"
    ),
    observe_key="value",
    outcomes={
        "all counted": ACCEPTABLE("every addition has counted"),
        "updates lost": FORBIDDEN("additions overwrote each other"),
    },
)
