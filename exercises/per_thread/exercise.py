"""A generator of random numbers whose state is one for everybody: threads draw the same number.

That two threads read the same nanosecond is too rare to be seen in a race, so `single` computes back what a new
thread's first number was made of. A clock that is read in cycles, or mixed in another way, passes. A counter of seeds that is not atomic is seen by ThreadSanitizer for certain, and by the race most of the time.
"""

import threading
import time

from racelab import ACCEPTABLE, FORBIDDEN, Actor, Lab
from racelab.exercise import Cost, Exercise

DRAWS = 1_000
SPINS = 20_000
EVERY = 4  # rounds, one is of new threads: they take long to make


MASK = (1 << 64) - 1
CLOCKS = [
    getattr(time, name)
    for name in ("CLOCK_REALTIME", "CLOCK_MONOTONIC", "CLOCK_MONOTONIC_RAW", "CLOCK_BOOTTIME")
    if hasattr(time, name)
]
#: What a clock's nanoseconds may be made into: microseconds, the part of a second.
UNITS = (lambda ns: ns), (lambda ns: ns // 1_000), (lambda ns: ns % 10**9)


def unshifted(x, shift):
    """The n of `n ^ (n >> shift)`, or of `n ^ (n << -shift)`, which was x."""
    n = x
    for _ in range(64 // abs(shift)):
        n = x ^ (n >> shift if shift > 0 else n << -shift) & MASK
    return n


def origins(first):
    """What a thread's first number was made of: the state before it, and what mix() made that of."""
    state = unshifted(unshifted(unshifted(first, -17), 7), -13)
    n = unshifted(state, 31)
    for factor, shift in ((0x94D049BB133111EB, 27), (0xBF58476D1CE4E5B9, 30)):
        n = unshifted(n * pow(factor, -1, 1 << 64) & MASK, shift)
    return state, n * pow(0x9E3779B97F4A7C15, -1, 1 << 64) & MASK


def of_the_clock(draw):
    """Whether a thread's first number was made of the time at which it was drawn."""
    begin = [time.clock_gettime_ns(clock) for clock in CLOCKS]
    seeds = origins(draw())
    end = [time.clock_gettime_ns(clock) for clock in CLOCKS]
    return any(
        unit(before) <= seed <= unit(after)
        for before, after in zip(begin, end, strict=True)
        for unit in UNITS
        for seed in seeds
    )


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

    late = []
    for _ in range(20):
        thread = threading.Thread(target=lambda: late.append(module.draw()))
        thread.start()
        thread.join()
    again = len(late) - len({*late} - {*drawn})
    assert not again, (
        f"of {len(late)} threads that came one after the other {again} drew what was drawn before: "
        "they begin with one seed, or with what the next thread is given again, an id or a place in memory"
    )

    timed = []
    for _ in range(3):  # one alone may be chance
        thread = threading.Thread(target=lambda: timed.append(of_the_clock(module.draw)))
        thread.start()
        thread.join()
    assert not all(timed), (
        "a new thread begins with the time at which it came: another one may come in the same instant, "
        "and draws the same numbers"
    )


class Meeting:
    """A round; in some of them two new threads wait for each other: whoever draws for the first time has no seed yet."""

    rounds = iter(range(1 << 40))  # sent to children: those of itertools cannot be

    def __init__(self, module):
        self.draw = module.draw
        self.new = next(self.rounds) % EVERY == 0
        self.here = []


def two(meeting):
    """Two numbers of one thread."""
    if not meeting.new:
        return meeting.draw(), meeting.draw()
    drawn = []

    def draw_two():
        meeting.here.append(None)
        for _ in range(SPINS):
            if len(meeting.here) > 1:
                break
        drawn.extend((meeting.draw(), meeting.draw()))

    thread = threading.Thread(target=draw_two)
    thread.start()
    thread.join()
    return drawn


def numbers(_meeting, returned, _threads):
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
        setup=Meeting,
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
