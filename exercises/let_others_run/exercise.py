"""A long computation that stays attached: whoever stops the world waits until it is done.

Two answers pass that nobody should hand in: a sum that is static, which a compiler keeps in a register until the last
moment, so that two callers hardly ever see each other's; and a loop that is detached in its first half only.
"""

import gc
import random
import threading
import time

from racelab.exercise import Exercise

CALL_S = 0.2
BLOCK = 1 << 20
MOST = 96  # blocks


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
    """Begin a collection while another thread computes, then a short call: which lasts most of the rest of it.

    "" if none does; None where there was not enough left to say: the machine has other things to do.
    """
    started, times = threading.Event(), []

    def compute():
        clock = own_clock()
        times.extend((clock, time.clock_gettime(clock)))
        started.set()
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
    started.wait()
    while done() < CALL_S / 10 and thread.is_alive():
        time.sleep(CALL_S / 40)
    begin = done()
    gc.collect()
    collected = done()
    module.checksum(b"short")
    answered = done()
    thread.join()
    left = times[2] - times[1] - begin
    if left < CALL_S / 4:
        return None
    collection, call = WHY
    if collected - begin >= left / 2:
        return collection
    return call if answered - collected >= left / 4 else ""


def single(module):
    """Right values; and nobody waits until a long call is over, twice before somebody does three times."""
    right_values(module)
    data = something_long(module)
    gc.collect()
    gc.freeze()  # so that a collection has next to nothing to do but to stop the world
    seen = []
    while seen.count("") < 2:
        assert len(seen) < 10, "this machine is too busy to say whether anybody waits: check again"
        seen.append(waited(module, data))
        for what, why in WHY.items():
            assert seen.count(what) < 3, (
                f"another thread's {what} began early in a long checksum(), and was not over "
                f"before the call was: {why}"
            )


exercise = Exercise(
    "let_others_run",
    title="Detach while you compute",
    chapter="02_attached",
    level="easy",
    minutes=10,
    goal="checksum() returns what it did before, and nobody waits for it: a collection that begins while it computes does not last until it is done.",
    hints=(
        "The collector stops the world: it waits until every other thread is detached, or comes to a place where it can pause. A loop in C never does.",
        "Which lines touch a Python object? Those must run attached. What is left is numbers and memory that the caller keeps alive.",
        "Py_BEGIN_ALLOW_THREADS before the loop and Py_END_ALLOW_THREADS behind it, each on a line of its own, without a semicolon. A pair around nothing lets nobody in.",
        "The pair is a block: what is declared in it ends with it, so `sum` stays above it. Nothing may return from its inside.",
    ),
    single=single,
)
