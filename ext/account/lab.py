"""Account: two amounts whose sum never changes, and a reader that adds them up.

Question  Can a reader see money that is on its way?
Run       racelab race account
          racelab race account --variant broken_half
          racelab race account --threads 4
"""

from racelab import ACCEPTABLE, FORBIDDEN, Lab


def name_round(account, returned, _threads):
    """What the readers saw, and whether it adds up when all are done."""
    if account.total() != 100:
        return "the sum is wrong for good"
    seen = [total for total in returned if total is not None]
    return "the sum is 100" if set(seen) <= {100} else "a reader came between"


lab = Lab(
    "account",
    question="Can a reader see money that is on its way?",
    sources=["account_{variant}.c"],
    setup="Account",
    actors=["move", "total"],
    threads=[2, 3, 4, 8],
    observe=name_round,
    outcomes={
        "the sum is 100": ACCEPTABLE("whoever looked found it all"),
        "a reader came between": FORBIDDEN("it saw one amount changed and the other not yet"),
        "the sum is wrong for good": FORBIDDEN("two movers lost each other's change"),
    },
)
