"""Get or make: look a name up, and store what was missing.

Question  Can two threads get two parts for one name?
Run       racelab race get_or_make --threads 2
"""

from racelab import ACCEPTABLE, FORBIDDEN, Lab

lab = Lab(
    "get_or_make",
    question="Can two threads get two parts for one name?",
    sources=["get_or_make_{variant}.c"],
    setup="Depot",
    actors=["get", "get"],
    threads=[2, 3, 4, 8],
    observe=lambda _depot, returned, _threads: (
        "one part" if len(set(returned)) == 1 else "two parts for one name"
    ),
    observe_key=(),
    outcomes={
        "one part": ACCEPTABLE("everybody got the part that is in the dict"),
        "two parts for one name": FORBIDDEN("somebody has a part that is not in the dict"),
    },
)
