"""What prices.c is asked. `racelab race my_lab.py:prices` asks one of them."""

from racelab import ACCEPTABLE, FORBIDDEN, Actor, Lab

BURST = 50
PRICES = ("4711.50", "4712.50")


def look(_board, returned, _threads):
    """`returned`: what the first actor's calls returned, then the second's."""
    return "a price" if returned[0] in PRICES else "no price"


def look_at_all(_board, returned, _threads):
    """The same for a burst of calls by each thread."""
    return "a price" if all(price in PRICES for price in returned[:BURST]) else "no price"


outcomes = {
    "a price": ACCEPTABLE,
    "no price": FORBIDDEN("latest() returned what nobody had put there"),
    "crash(*)": FORBIDDEN("latest() touched memory that was freed"),
}

prices = Lab(
    "prices",
    question="Does latest() survive an update()?",
    sources=["prices.c"],
    setup="Board",
    actors=["latest", "update"],
    observe=look,
    outcomes=outcomes,
)

burst = Lab(
    "burst",
    question="Does latest() survive many updates?",
    sources=["prices.c"],
    setup="Board",
    actors=[Actor("latest", burst=BURST), Actor("update", burst=BURST)],
    observe=look_at_all,
    outcomes=outcomes,
)


def fewest(_state, returned, _threads):
    """How many currencies were in the table that was seen emptiest."""
    return f"{min(returned)} currencies"


sizes = {
    "2 currencies": ACCEPTABLE,
    "1 currencies": FORBIDDEN("the table was shown before it was full"),
    "0 currencies": FORBIDDEN("the table was shown before it was filled"),
}

first = Lab(
    "first",
    question="Does everybody who calls first see the full table?",
    sources=["prices.c"],
    actors=["currencies", "currencies"],
    mode="cold",
    observe=fewest,
    outcomes=sizes,
)

repaired = Lab(
    "repaired",
    question="Does the repaired latest() survive an update()?",
    sources=["prices.c"],
    flags=["-DREPAIRED"],
    setup="Board",
    actors=["latest", "update"],
    observe=look,
    outcomes=outcomes,
)

first_repaired = Lab(
    "first_repaired",
    question="Does everybody who calls first see the repaired table full?",
    sources=["prices.c"],
    flags=["-DREPAIRED"],
    actors=["currencies", "currencies"],
    mode="cold",
    observe=fewest,
    outcomes=sizes,
)
