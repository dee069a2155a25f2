"""A table that asks its keys for their hash while it moves them: a callback inside of a critical section.

A len() or an `in` that takes no lock at all goes wrong so rarely here that only ThreadSanitizer tells of it.
"""

import atexit
import ctypes
import gc
import os
import random
import sys
import time
from pathlib import Path
from threading import Thread

from racelab import ACCEPTABLE, FORBIDDEN, Lab
from racelab.exercise import Exercise

sleep_attached = ctypes.PyDLL(None).usleep
HELD_OPEN = os.environ.get("RACELAB_WIDEN", "0") not in ("", "0")


#: Slots that one of the threads asks for, and none for more.
MOST = 24
#: A thread that is seen asleep so many times, one after the other, never wakes: that is more than a second.
TRIES = 1_500


class Key:
    """A key with a hash of its own choice."""

    def __init__(self, number):
        self.number = number

    def __hash__(self):
        return self.number


class Slow(Key):
    """Detaches while it is hashed in a race, as anything does that may block: a lock, a log, a sleep."""

    racing = False

    def __hash__(self):
        if self.racing:
            if HELD_OPEN:
                time.sleep(random.random() * 4e-5)
            else:
                os.sched_yield()
        return self.number


class Moody(Key):
    """Cannot be hashed while it is in a mood."""

    mood = False

    def __hash__(self):
        if self.mood:
            raise RuntimeError("not now")
        return self.number


class Curious(Key):
    """Uses the table that asks for its hash."""

    table = None

    def __hash__(self):
        if self.table is not None:
            self.table.resize(1)  # there is more room than that
            assert "a stranger" not in self.table
        return self.number


def some(kind, count):
    """Keys of a kind; some of them want the same slot."""
    return [kind(random.randrange(100)) for _ in range(count)]


def asleep(thread):
    """Whether a thread waits for something: where others have the machine it may also wait for a core, as long as it takes."""
    try:
        state = Path(f"/proc/self/task/{thread.native_id}/stat").read_text()
    except OSError:
        return True
    return state.rpartition(")")[2].split()[0] == "S"


def in_time(task, what, stay=None):
    """Have another thread do it, for which there may be a lock in the way: what it returns or raises.

    It stays attached as long as `stay` is empty: what it did not give back it still has.
    """
    said = []

    def call():
        try:
            said.append(task())
        except Exception as error:
            said.append(error.with_traceback(None))  # which has the keys that were asked
        while stay is not None and not stay:
            sleep_attached(1_000)

    thread = Thread(target=call, daemon=True)
    thread.start()
    slept = 0
    while not said and slept < TRIES:
        time.sleep(1e-4 if slept < 100 else 1e-3)
        slept = slept + 1 if asleep(thread) else 0
    assert said, f"{what} did not come to an end: who has the lock that it waits for?"
    return said[0]


def resized(table, size, keys, when, moody=None):
    """Resize a table; does another thread find all keys, each once?"""
    over, references = [], [sys.getrefcount(key) for key in keys]
    # Where a section is left open, its thread would crash at the process's end, and the reason would be lost.
    atexit.register(os._exit, 1)

    def resize():
        try:
            return table.resize(size)
        finally:
            if moody is not None:
                moody.mood = False

    said = in_time(resize, when, stay=over)
    may_raise = () if moody is None else RuntimeError
    assert said is None or isinstance(said, may_raise), f"{when} says {said!r}"
    length = in_time(lambda: len(table), f"after {when}, len(table)")
    assert length == len(keys), f"{len(keys)} keys were added; after {when} {length} are there"
    lost = in_time(lambda: [key not in table for key in keys].count(True), f"after {when}, `in`")
    assert lost == 0, f"after {when} {lost} of {len(keys)} keys are not found"
    now = [sys.getrefcount(key) for key in keys]
    assert now == references, f"{when} took references to keys: {references}, and {now} after it"
    over.append(True)
    atexit.unregister(os._exit)


def filled(module, keys):
    """A table in which there is no room for another key."""
    table = module.Table(len(keys) + 1)
    added = [table.add(key) for key in (*keys, keys[0])]
    assert added == [True] * len(keys) + [False], f"add() says which keys are new, not {added}"
    try:
        table.add(Key(1))
    except OverflowError:
        return table
    raise AssertionError("add() must raise OverflowError where there is no room")


def single(module):
    """Keys that are added, found and moved; keys that raise; keys that use their table."""
    gc.disable()  # it stops the world, which gives up what was left locked
    keys = some(Key, random.randrange(3, 8))
    table = filled(module, keys)
    for size in (random.randrange(20, 40), 3, 0, random.randrange(60, 90)):
        resized(table, size, keys, f"resize({size})")
        keys.append(Key(random.randrange(100)))
        assert table.add(keys[-1]) is True
    assert Key(keys[0].number) not in table, "keys are told apart by `is`"

    keys = some(Key, 5)
    keys[2] = Moody(random.randrange(100))
    table = filled(module, keys)
    keys[2].mood = True
    resized(table, 50, keys, "a resize() in which a __hash__ may raise", moody=keys[2])

    keys = [*some(Key, 2), *some(Curious, 2)]
    table = filled(module, keys)
    for key in keys[2:]:
        key.table = table
    resized(table, 50, keys, "a resize() in which a __hash__ may use the table")


class Shared:
    """A table that one thread makes bigger while another one adds keys, and perhaps makes it bigger, too."""

    def __init__(self, module):
        self.table = module.Table(8)
        self.keys = some(Slow, 7)
        self.late = self.keys[4:]
        for key in self.keys[:4]:
            self.table.add(key)
        self.resizes = random.choice(("not", "first", "last"))
        self.racing(True)

    def racing(self, yes):
        for key in self.keys:
            key.racing = yes

    def grow(self):
        self.table.resize(12)
        self.table.resize(16)

    def use(self):
        """Adds keys; whether all of them are found and counted."""
        table = self.table
        if self.resizes == "first":
            table.resize(MOST)
        for key in self.late:
            table.add(key)
        if self.resizes == "last":
            table.resize(MOST)
        return len(table) == len(self.keys) and all(key in table for key in self.late)


def fits(table, count):
    """Whether there is room for so many keys; fills it."""
    try:
        while len(table) < count:
            table.add(Key(0))
    except OverflowError:
        return False
    return True


def what_is_there(shared, returned, _threads):
    """Each key that was added, once, and the room that was asked for."""
    shared.racing(False)
    if False in returned or any(key not in shared.table for key in shared.keys):
        return "a key is gone"
    if len(shared.table) != len(shared.keys):
        return "a key is there twice"
    room = fits(shared.table, (16 if shared.resizes == "not" else MOST) - 1)
    return "each key once" if room else "less room than before"


exercise = Exercise(
    "callback_inside",
    title="Call nobody from inside",
    chapter="12_critical_section",
    level="medium",
    minutes=20,
    goal="Whoever calls, and whatever a __hash__ does: each key that was added is there, once. resize() makes room or raises, and then the table is as before, and free for others.",
    hints=(
        "Which line of resize() may run Python code, and what may that code do to a critical section?",
        "And what is left open by a `return` inside of the section? (One thread finds that alone.)",
        "After PyObject_Hash() another thread may have put another table in place, or another key. Whatever was read before it is old.",
        "Call nothing in the section: add() knows the hash already. Who could keep it until resize() needs it?",
        "Put a Py_hash_t into Slot and set it in add(). Then resize() moves whole slots, by the hash that is in them, and nothing in its section can fail.",
    ),
    lab=Lab(
        "callback_inside",
        question="Is each key there, once, when one thread makes the table bigger and another one adds to it?",
        modules=["callback_inside"],
        setup=Shared,
        actors=["grow", "use"],
        observe=what_is_there,
        outcomes={
            "each key once": ACCEPTABLE("moved by one thread after the other"),
            "a key is gone": FORBIDDEN(
                "it was added to a table that was replaced, or put elsewhere"
            ),
            "a key is there twice": FORBIDDEN("it was moved twice, once by another key's hash"),
            "less room than before": FORBIDDEN("a big table was replaced by a smaller one"),
            "hang": FORBIDDEN("a lock was not given back, or a table has no free slot left"),
            "crash(*)": FORBIDDEN("a table was used after it was freed, or freed twice"),
            "error(*)": FORBIDDEN("an exception that no caller expects"),
        },
        stall_s=0.3,
    ),
    single=single,
    advice={
        "a key is gone": "Somebody came in while keys were moved, or between copying them and putting the new table in place. Which call lets others in?",
        "a key is there twice": "A slot was read again after a call that lets others in, and there was another key in it by then.",
        "less room than before": "Is there still less room than asked for when the new table is put in place? Ask where nobody can come between.",
        "hang": "Does each way out of resize() leave the section? Is there a lock that a __hash__ might want, too?",
        "crash(*)": "Which pointer into the table outlives a call that lets others in?",
        "error(*)": "resize() raises what a __hash__ raises, and MemoryError; these keys raise nothing.",
    },
)
