"""A cache that can be reset: the pointer outlives the lock, and the table does not."""

import random
import tracemalloc
import zlib

from racelab import ACCEPTABLE, FORBIDDEN, Actor, Lab
from racelab.exercise import Cost, Exercise

#: Long enough to look at every entry of the table.
MESSAGE = random.Random(8).randbytes(4_000)
EXPECTED = zlib.crc32(MESSAGE)
#: Bytes of a table.
TABLE = 256 * 4


def single(module):
    """Right sums before a reset, after it, and after two of them."""
    module.reset()  # there is nothing to drop yet
    gives_back(module)
    for _ in range(5):
        for _ in range(3):
            data = random.randbytes(random.randrange(200))
            found = module.checksum(data)
            assert found == zlib.crc32(data), (
                f"checksum({data[:8]!r}...) must be {zlib.crc32(data)}, and is {found}"
            )
        for _ in range(random.randrange(1, 3)):
            module.reset()
    try:
        module.checksum("text")
    except TypeError:
        return
    raise AssertionError("checksum('text') must raise TypeError")


def gives_back(module):
    """Whatever checksum() keeps, reset() gives it back."""
    tracemalloc.start()
    begin = tracemalloc.get_traced_memory()[0]
    for _ in range(50):
        module.checksum(b"something")
        module.reset()
    more = tracemalloc.get_traced_memory()[0] - begin
    tracemalloc.stop()
    assert more < TABLE, f"reset() must drop the table: after 50 of them {more} bytes are in use"


def what_sum(_module, returned, _threads):
    """What checksum() returned."""
    return "the right sum" if EXPECTED in returned else "a wrong sum"


exercise = Exercise(
    "reset_cache",
    title="Reset a cache that others read",
    chapter="08_caches",
    level="medium",
    minutes=10,
    goal="checksum() returns the right number, whoever calls reset() meanwhile. The table is kept between calls, and reset() drops it.",
    hints=(
        "Every access to `table` is locked. What does get_table() return, and for how long is it good?",
        "After get_table() has unlocked, checksum() still reads the memory that `found` points to, and reset() may free it.",
        "A lock that protects a pointer protects nothing that the pointer was copied to. It has to cover the use, too.",
        "Take the guard in checksum(), around get_table() and sum_up(), and take it out of get_table(): a PyMutex cannot be locked twice by one thread.",
        "There are other ways, e.g. a table in a Python object of which each reader takes a strong reference while the guard is held.",
    ),
    lab=Lab(
        "reset_cache",
        question="Does a reader have its table as long as it reads?",
        modules=["reset_cache"],
        setup=lambda module: module,
        actors=[
            Actor("checksum", args=(MESSAGE,)),
            Actor("reset", offset=3_000),  # in the middle of a checksum
        ],
        observe=what_sum,
        observe_key=(),
        outcomes={
            "the right sum": ACCEPTABLE("the table was there as long as it was read"),
            "a wrong sum": FORBIDDEN("the table was freed while it was read"),
            "crash(*)": FORBIDDEN("memory was used after it was freed, or freed twice"),
            "hang": FORBIDDEN("a lock was not given back, or was taken twice"),
        },
    ),
    single=single,
    advice={
        "a wrong sum": "The table went away under the reader. From which line to which line does checksum() need it, and who keeps it so long?",
        "crash(*)": "Somebody reads or frees a table that another thread has freed already.",
        "hang": "Go through every path out of a locked region: does each unlock once? Does a function lock what its caller has locked?",
    },
    cost=Cost(
        lambda module: lambda: module.checksum(b""),
        limit=3,
        why="Keep the table between calls: making it takes much longer than using it.",
    ),
)
