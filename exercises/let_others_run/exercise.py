"""A long computation that stays attached: whoever stops the world waits until it is done.

What stays attached for less than a quarter of the call at a time passes: nobody would notice it on a machine that does
other things as well.
"""

import gc
import random
import threading
import time
from pathlib import Path

from racelab import ACCEPTABLE, FORBIDDEN, Actor, Lab, race
from racelab.exercise import Exercise, Undecided

CALL_S = 0.2
BLOCK = 1 << 20
MOST = 96  # blocks
#: Who waits for so much of a call waits for it; what nobody looked at for so long was not looked at.
SHARE = 0.25
MOST_TIMES = 10


def checked(data):
    """What checksum() must return."""
    total = 0
    for byte in data:
        total = (total * 31 + byte) % 4294967291
    return total


def right_values(module):
    """Checksums as before, and an error that is an error."""
    for size in (0, 1, random.randrange(2, 100), random.randrange(1_000, 20_000)):
        data = random.randbytes(size)
        found = module.checksum(data)
        assert found == checked(data), (
            f"checksum() of {size} random bytes must be {checked(data)}, and is {found!r}"
        )
    try:
        module.checksum("text")
    except TypeError:
        return
    raise AssertionError("checksum('text') must raise TypeError, as before")


def something_long(module):
    """Bytes that checksum() needs about CALL_S for."""
    block = random.randbytes(BLOCK)
    module.checksum(block)
    took = []
    for _ in range(3):
        begin = time.thread_time()
        module.checksum(block)
        took.append(time.thread_time() - begin)
    return block * max(4, min(MOST, round(CALL_S / min(took))))


WHY = {
    "gc.collect()": "it waited for a thread that stays attached",
    "checksum() of a few bytes": "who holds a lock all the time lets nobody in, detached or not",
}


def own_clock():
    """The calling thread's CPU time, which stands still while other processes have the core."""
    if hasattr(time, "pthread_getcpuclockid"):
        return time.pthread_getcpuclockid(threading.get_ident())
    return time.CLOCK_MONOTONIC


def waited(module, data):
    """Collect, and make a short call, over and over while another thread computes: which waits for it, if any.

    None where the machine had other things to do, and a part of the call went by unseen.
    """
    go, times = threading.Event(), []

    def compute():
        clock = own_clock()
        times.extend((clock, time.clock_gettime(clock)))
        go.wait()
        module.checksum(data)
        times.append(time.clock_gettime(clock))

    def done():
        """How long the other thread has computed; what it took in all if it is over."""
        try:
            return time.clock_gettime(times[0]) - times[1]
        except OSError:  # there is no such thread any more
            return times[2] - times[1]

    thread = threading.Thread(target=compute)
    thread.start()
    while not times:
        time.sleep(CALL_S / 400)
    go.set()  # whoever waits for a thread that computes at once may get a single core back late
    answered = unseen = 0.0
    longest = dict.fromkeys(WHY, 0.0)
    collection, call = WHY
    while thread.is_alive():
        begin = done()
        gc.collect()
        collected = done()
        module.checksum(b"short")
        unseen = max(unseen, begin - answered)
        answered = done()
        longest[collection] = max(longest[collection], collected - begin)
        longest[call] = max(longest[call], answered - collected)
        time.sleep(CALL_S / 40)
    thread.join()
    whole = times[2] - times[1]
    unseen = max(unseen, whole - answered)
    for what, waits in longest.items():
        if waits >= SHARE * whole >= SHARE * CALL_S / 4:
            return what
    return None if unseen >= SHARE * whole or whole < CALL_S / 4 else ""


def nobody_waits(module):
    """Nobody waits for a long call, or for a part of it: twice before somebody does three times."""
    data = something_long(module)
    gc.collect()
    gc.freeze()  # so that a collection has next to nothing to do but to stop the world
    seen = []
    while seen.count("") < 2:
        if len(seen) == MOST_TIMES:
            raise Undecided(f"whether anybody waits was too unclear in {MOST_TIMES} tries")
        seen.append(waited(module, data))
        for what, why in WHY.items():
            assert seen.count(what) < 3, (
                f"another thread's {what} waited for a quarter of a long checksum(), or longer: {why}"
            )


# -- two calls at one time --------------------------------------------------------------------------

ONE, OTHER = b"one of two", b"and the other"
#: Once as it is, and once with the window held open, which shows a shared sum on one core, too.
RACES = {"rounds": 4_000, "widen": False}, {"rounds": 100, "widen": True}


def sums(_module, returned, _threads):
    """Whether each thread got the sum of what it gave."""
    return "their own sums" if [*returned] == [checked(ONE), checked(OTHER)] else "a stranger's sum"


TOGETHER = Lab(
    "let_others_run",
    question="Does each of two threads get the sum of its own bytes?",
    modules=["let_others_run"],
    setup=lambda module: module,
    actors=[Actor("checksum", args=(ONE,)), Actor("checksum", args=(OTHER,))],
    observe=sums,
    outcomes={
        "their own sums": ACCEPTABLE("as if each were alone"),
        "a stranger's sum": FORBIDDEN("two calls have used one place in memory"),
    },
)


def own_sums(module):
    """Two threads that call at one time get what they would get alone."""
    for how in RACES:
        built = Path(module.__file__)
        seen = race(TOGETHER, modules=[built], mode="rounds", count=1, progress=False, **how)
        if not seen.ran and not seen.forbidden:
            raise Undecided("two calls at one time could not be raced")
        assert not seen.forbidden, (
            f"two threads called checksum() at one time, and of {seen.rounds:,} rounds came out "
            + ", ".join(f"{count:,} times {label}" for label, count in seen.forbidden.items())
            + ": who is detached does not keep others out; what do two calls share?"
        )


def single(module):
    """Right values, also for two who call at one time; and nobody waits until a long call is over."""
    right_values(module)
    own_sums(module)
    nobody_waits(module)


exercise = Exercise(
    "let_others_run",
    title="Detach while you compute",
    chapter="02_attached",
    level="easy",
    minutes=10,
    goal="checksum() returns what it did before, whoever else calls it, and nobody waits for it: a collection that begins while it computes does not last until it is done.",
    hints=(
        "The collector stops the world: it waits until every other thread is detached, or comes to a place where it can pause. A loop in C never does.",
        "Which lines touch a Python object? Those must run attached. What is left is numbers and memory that the caller keeps alive.",
        "Py_BEGIN_ALLOW_THREADS before the loop and Py_END_ALLOW_THREADS behind it, each on a line of its own, without a semicolon. A pair around nothing lets nobody in.",
        "The pair is a block: what is declared in it ends with it, so `sum` stays above it. Nothing may return from its inside.",
    ),
    single=single,
)
