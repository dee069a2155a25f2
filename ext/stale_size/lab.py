"""Stale size: two calls that are each correct, and a list that shrinks between them.

Question  Can the last item be gone before it is taken?
Run       racelab race stale_size --threads 2
"""

from racelab import ACCEPTABLE, FORBIDDEN, Actor, Lab

lab = Lab(
    "stale_size",
    question="Can the last item be gone before it is taken?",
    sources=["stale_size_{variant}.c"],
    setup="Stack",
    actors=["last", Actor("shorten", made_by=True)],
    threads=[2, 4],
    observe=lambda _stack, returned, _threads: (
        "an item" if set(returned) <= {1, 2, None} else "something else"
    ),
    observe_key=(),
    outcomes={
        "an item": ACCEPTABLE("the last item, as it was at one moment"),
        "something else": FORBIDDEN("an item that was never on the stack"),
        "error(IndexError)": FORBIDDEN("the size was old news when it was used"),
    },
)
