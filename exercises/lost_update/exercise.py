"""A meter of atomic numbers that still loses: each access is one step, and the decisions are several."""

import random

from racelab import ACCEPTABLE, FORBIDDEN, Lab
from racelab.exercise import Cost, Exercise

LIMIT = 3
AMOUNTS = (2, 5)


def single(module):
    """Adds, hands out no more places than there are, and knows its first user."""
    for _ in range(3):
        limit, first = random.randrange(2, 9), random.randrange(1, 99)
        meter = module.Meter(limit)
        amounts = [random.randrange(1, 50) for _ in range(9)]
        for amount in amounts:
            meter.add(amount)
        assert meter.total == sum(amounts), (
            f"after add() of {amounts} total must be {sum(amounts)}, and is {meter.total}"
        )
        taken = [meter.take() for _ in range(limit + 3)]
        expected = [True] * limit + [False] * 3
        assert taken == expected, f"Meter({limit}): take() must return {expected}, not {taken}"
        assert meter.used == limit, (
            f"Meter({limit}): when take() has said no, used must be {limit}, and is {meter.used}"
        )
        claimed = [meter.claim(first), meter.claim(first + 1), meter.owner]
        assert claimed == [first] * 3, (
            f"claim({first}), claim({first + 1}) and owner must all be {first}, and are {claimed}"
        )


def user(number):
    """One who adds, takes two of the places, and would like to be the owner: and still, a moment later."""

    def use(meter):
        meter.add(AMOUNTS[number])
        return meter.take(), meter.take(), meter.claim(number + 1), meter.claim(number + 1)

    return use


def accounts(meter, returned, _threads):
    """What the two users got, and what the meter says."""
    if meter.total != sum(AMOUNTS):
        return "an addition lost"
    places = [seen[:2] for seen in returned]
    if sum(map(sum, places)) > LIMIT or meter.used > LIMIT:
        return "more taken than there are"
    if sum(map(sum, places)) < LIMIT or (False, True) in places:
        return "refused while there was room"
    owners = {meter.owner, *(owner for seen in returned for owner in seen[2:])}
    return "one owner" if len(owners) == 1 else "two owners"


exercise = Exercise(
    "lost_update",
    title="Add, take and claim in one step each",
    chapter="06_lost_update",
    level="medium",
    minutes=15,
    goal="Whoever calls meanwhile: add() loses nothing, take() says yes exactly `limit` times and never says no while there is room, and all calls of claim() return the one who came first.",
    hints=(
        "All three numbers are atomic, so every load and every store is one step. Count the steps of add(): what another thread does in between is lost.",
        "C has one step for adding: `self->total += n`, or atomic_fetch_add.",
        "take() and claim() store only if what they saw is still true. That is a compare-exchange: atomic_compare_exchange_strong(&self->owner, &seen, who) stores `who` if owner is still `seen`; else it puts what owner is now into `seen`.",
        "For claim() one try is enough: begin with seen = 0; if it fails, `seen` is the winner. take() needs a loop: somebody who was faster by one has not taken the last place.",
        "while (seen < self->limit && !atomic_compare_exchange_weak(&self->used, &seen, seen + 1)) {} - or a PyMutex that all three hold from the first look to the last store: that is right, too.",
    ),
    lab=Lab(
        "lost_update",
        question="Do two users of one meter get what they are told?",
        modules=["lost_update"],
        setup=lambda module: module.Meter(LIMIT),
        actors=[user(0), user(1)],
        observe=accounts,
        observe_key=("total", "used", "owner"),
        outcomes={
            "one owner": ACCEPTABLE("all added, three places taken, one owner"),
            "an addition lost": FORBIDDEN("total is less than what was added"),
            "more taken than there are": FORBIDDEN("four times yes, and three places"),
            "refused while there was room": FORBIDDEN("a no, and a place was still free"),
            "two owners": FORBIDDEN("both were told that they came first"),
            "hang": FORBIDDEN("two calls wait for ever"),
        },
    ),
    single=single,
    advice={
        "an addition lost": "add() loads, and then stores what it has computed. What another thread adds in between is overwritten.",
        "more taken than there are": "Between `used < limit` and the store another thread takes the same place.",
        "refused while there was room": "A compare-exchange that fails says that the number has changed, not that the limit is reached: look again.",
        "two owners": "Somebody stores, or returns, what was true when it looked and is not any more.",
        "hang": "A loop or a lock is not left: does the loop look at the new value, and is the lock released on every way out?",
    },
    cost=Cost(
        lambda module: module.Meter(0).take,
        limit=5,
        why="Neither a compare-exchange nor a PyMutex that nobody else holds takes so long.",
    ),
)
