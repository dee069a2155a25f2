"""Drifting: the more names a registry has, the longer it takes to see that one is missing.

Question  Can a name be entered twice, and does the chance stay the same?
Run       racelab race drifting --rounds 5000
"""

from racelab import ACCEPTABLE, FORBIDDEN, Actor, Lab

lab = Lab(
    "drifting",
    question="Can a name be entered twice, and does the chance stay the same?",
    sources=["drifting_{variant}.c"],
    setup="Name",  # fresh in each round; the registry it goes into is the process's
    # The second comes 2 us later: it is too late while the registry is short.
    actors=[Actor("enter"), Actor("enter", offset=2000)],
    threads=[2, 3, 4, 8],
    rounds=5000,  # the registry grows by one name a round, so the rate depends on this number
    count=20,
    observe=lambda name, _returned, _threads: (
        "entered once" if name.entered == 1 else "entered twice"
    ),
    observe_key="entered",
    outcomes={
        "entered once": ACCEPTABLE("whoever came second found it"),
        "entered twice": FORBIDDEN("both looked before either had added it"),
    },
)
