"""A generator of random numbers whose state is one for everybody: threads draw the same number."""

from racelab import ACCEPTABLE, FORBIDDEN, Actor, Lab
from racelab.exercise import Cost, Exercise

DRAWS = 1_000


def single(module):
    """Numbers that differ, of 64 bits that are as often 0 as 1."""
    drawn = [module.draw() for _ in range(DRAWS)]
    odd = next((x for x in drawn if not isinstance(x, int) or not 0 < x < 1 << 64), None)
    assert odd is None, (
        f"draw() must return a number of 64 bits that is not 0, and returned {odd!r}"
    )
    again = DRAWS - len(set(drawn))
    assert not again, f"draw() must not repeat itself: {again} of {DRAWS} numbers were there before"
    for bit in range(64):
        ones = sum(x >> bit & 1 for x in drawn)
        assert DRAWS // 3 < ones < DRAWS - DRAWS // 3, (
            f"draw() must look random: bit {bit} is 1 in {ones} of {DRAWS} numbers"
        )


def two(module):
    """Two numbers of one thread."""
    return module.draw(), module.draw()


def numbers(_module, returned, _threads):
    """Whether anybody drew what somebody else drew."""
    drawn = [number for pair in returned for number in pair]
    return "all different" if len(set(drawn)) == len(drawn) else "the same number twice"


exercise = Exercise(
    "per_thread",
    title="Give each thread its own random numbers",
    chapter="07_per_thread",
    level="medium",
    minutes=15,
    goal="draw() never returns the same number twice, whichever threads call it.",
    hints=(
        "Both threads load the same state, compute the same successor, and return it. A lock around the three steps would do. But who needs to share the state at all?",
        "`static _Thread_local uint64_t state` gives each thread one of its own. What is in it when a thread comes for the first time?",
        "The same constant for all is the same sequence for all. And 0 is no state: the successor of 0 is 0. So 0 can stand for `not seeded yet`.",
        "A thread that finds 0 makes itself a seed that nobody else has: the next number of a shared counter that is atomic, put through mix().",
        "static _Atomic uint64_t seeds = 1; and in draw(): if (state == 0) { state = mix(atomic_fetch_add(&seeds, 1)); }",
    ),
    lab=Lab(
        "per_thread",
        question="Does a thread draw what another one drew?",
        modules=["per_thread"],
        setup=lambda module: module,
        actors=[Actor(two), Actor(two)],
        observe=numbers,
        outcomes={
            "all different": ACCEPTABLE("nobody drew what was drawn before"),
            "the same number twice": FORBIDDEN("two draws returned one number"),
            "hang": FORBIDDEN("two calls wait for ever"),
        },
    ),
    single=single,
    advice={
        "the same number twice": "Either two threads still compute the successor of one state, or each has its own and all begin with the same seed.",
        "hang": "A lock is not released on every way out. And who needs one, if each thread has its own state?",
    },
    cost=Cost(
        lambda module: module.draw,
        limit=5,
        why="A seed is made once for each thread, not at each draw.",
    ),
)
