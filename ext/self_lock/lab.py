"""A callback that comes back for the lock that its own thread has.

Question  Can one thread alone wait for ever?
Run       racelab race self_lock
          racelab race self_lock --variant fixed --threads 2
"""

from racelab import ACCEPTABLE, FORBIDDEN, Actor, Lab

LIMIT = 10


def keep_below(watched, value: int) -> None:
    """Told of a change: a value above the limit is set back."""
    if value > LIMIT:
        watched.set(LIMIT)


lab = Lab(
    "self_lock",
    question="Can one thread alone wait for ever?",
    sources=["self_lock_{variant}.c"],
    setup=lambda module: module.Watched(keep_below),
    actors=[Actor("set", args=(LIMIT + 1,))],
    threads=[1, 2, 4],
    observe=lambda watched, _returned, _threads: (
        "set back" if watched.value == LIMIT else "above the limit"
    ),
    observe_key="value",
    outcomes={
        "set back": ACCEPTABLE("the callback set the value again, and came through"),
        "above the limit": FORBIDDEN("the callback was lost"),
        "hang": FORBIDDEN("the callback waits for a lock that its own thread has"),
    },
    mode="hang",
    rounds=500,
    stall_s=0.3,
)
