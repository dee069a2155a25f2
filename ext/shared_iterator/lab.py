"""Shared iterator: one `tp_iternext`, drained by several threads.

Question  Can two threads get the same item from one iterator?
Run       racelab race shared_iterator --threads 2
"""

from racelab import ACCEPTABLE, FORBIDDEN, Lab

lab = Lab(
    "shared_iterator",
    question="Can two threads get the same item from one iterator?",
    sources=["shared_iterator_{variant}.c"],
    setup="Roll",
    actors=["take", "take"],
    threads=[2, 3, 4, 8],
    observe=lambda _roll, returned, _threads: (
        "each its own" if len(set(returned)) == len(returned) else "a ticket twice"
    ),
    observe_key=(),
    outcomes={
        "each its own": ACCEPTABLE("as many tickets as threads"),
        "a ticket twice": FORBIDDEN("two threads hold the same ticket"),
    },
)
