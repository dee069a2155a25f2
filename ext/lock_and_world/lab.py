"""A lock held while Python code runs: who waits for it, and how?

Question  Can a thread that waits for a lock keep its owner from giving it back?
Run       racelab race lock_and_gil --gil 1      (two threads; hangs)
          racelab race lock_and_gil --gil 0      (the same two; nobody stops the world)
          racelab race lock_and_world            (a third thread collects garbage)
          racelab race lock_and_world --variant fixed
"""

import gc
import time

from racelab import ACCEPTABLE, FORBIDDEN, Actor, Lab


def objective() -> None:
    """What the library asks: as any wait, this one detaches."""
    time.sleep(0.001)


def collect() -> None:
    """Stop the world while one solves and the other one waits for its turn."""
    time.sleep(0.0003)
    gc.collect()


def at_most(_module: object, returned: list[int | None], _threads: int) -> str:
    """How many calls were in the library at once."""
    most = max(together or 0 for together in returned)
    return "one at a time" if most == 1 else "two at once"


SOLVE = Actor("solve", args=(objective,))
OUTCOMES = {
    "one at a time": ACCEPTABLE("the second one waited, and came in"),
    "two at once": FORBIDDEN("the lock did not keep the second one out"),
    "hang": FORBIDDEN("one waits for the lock, and keeps its owner from going on"),
}

# Three actors: with the GIL off somebody has to stop the world.
lock_and_world = Lab(
    "lock_and_world",
    question="Can a thread that waits for a lock keep its owner from giving it back?",
    sources=["lock_and_world_{variant}.c"],
    actors=[SOLVE, SOLVE, collect],
    threads=[3],
    observe=at_most,
    observe_key=(),
    outcomes=OUTCOMES,
    mode="hang",
    rounds=50,
    stall_s=0.3,
)

# The same without the third thread. `broken` alone: with the GIL off it shows nothing.
lock_and_gil = Lab(
    "lock_and_gil",
    question="Can a thread that waits for a lock keep its owner from getting the GIL?",
    sources=["lock_and_world_broken.c"],
    actors=[SOLVE, SOLVE],
    threads=[2],
    observe=at_most,
    observe_key=(),
    outcomes=OUTCOMES,
    mode="hang",
    rounds=50,
    stall_s=0.3,
)
