"""Once only: a table that is made on the first call in a process, by everybody who calls first.

Question  Can two first calls return two different tables?
Run       racelab race once_only --count 200
"""

from racelab import ACCEPTABLE, FORBIDDEN, Lab

lab = Lab(
    "once_only",
    question="Can two first calls return two different tables?",
    sources=["once_only_{variant}.c"],
    actors=["primes", "primes"],
    threads=[2, 3, 4, 8],
    mode="cold",  # one round per process: a second one would find the table
    observe=lambda _state, returned, _threads: (
        "one table" if all(table is returned[0] for table in returned) else "two tables"
    ),
    outcomes={
        "one table": ACCEPTABLE("everybody got the same object"),
        "two tables": FORBIDDEN("several found none and made their own; all but one leaked"),
    },
)
