"""A long computation that stays attached: whoever stops the world waits until it is done."""

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
        begin = time.perf_counter()
        module.checksum(block)
        took.append(time.perf_counter() - begin)
    return block * max(4, min(MOST, round(CALL_S / min(took))))


def share_waited(module, data):
    """Begin a collection while another thread computes: how much of the rest of the call it lasts."""
    started, ended = threading.Event(), []

    def compute():
        started.set()
        module.checksum(data)
        ended.append(time.perf_counter())

    thread = threading.Thread(target=compute)
    thread.start()
    started.wait()
    time.sleep(CALL_S / 5)
    begin = time.perf_counter()
    gc.collect()
    end = time.perf_counter()
    thread.join()
    return (end - begin) / max(ended[0] - begin, 1e-6)


def single(module):
    """Right values; and in two of three tries a collection is over long before the call is."""
    right_values(module)
    data = something_long(module)
    gc.collect()
    gc.freeze()  # so that a collection has next to nothing to do but to stop the world
    waited = []
    while sum(share < 0.5 for share in waited) < 2:
        waited.append(share_waited(module, data))
        assert sum(share >= 0.5 for share in waited) < 2, (
            "another thread's gc.collect() began early in a long checksum(), and was not over "
            "before the call was: it waited for a thread that stays attached"
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
