"""A Cython module with a cache and a shortcut before it: the shortcut is a pair that two threads write."""

import random
import string
import threading
import time

from racelab import ACCEPTABLE, FORBIDDEN, Actor, Lab
from racelab.exercise import Exercise

# Keys from a source file and small numbers are immortal. Others, dropped twice, would have the dict wait
# for ever for an object that is freed: a failure too, which takes long to tell.
KEYS = "north.txt", "south.txt"
TURNS = 5
# In step with each other, two threads would never find what they stored themselves.
RHYTHM = (*KEYS, KEYS[1], *KEYS[:1] * 5)
LONG_S = 0.6


def size(key):
    """What size_of(key) must be."""
    if key.endswith("/"):
        return sum(size(part) for part in key.split("/") if part)
    return sum(key.encode()) % 211


def some_name():
    """A file that nobody has asked for yet."""
    return "".join(random.choices(string.ascii_lowercase, k=12))


class Long(str):
    """A file that takes long to measure: until `other` has its size, or it has computed for LONG_S."""

    def __new__(cls, name):
        """With nobody to wait for yet."""
        made = super().__new__(cls, name)
        made.begun, made.other, made.alone = threading.Event(), threading.Event(), False
        return made

    def endswith(self, *end):
        """Attached all the time, so that a critical section holds."""
        self.begun.set()
        # Its own time, which stands still while others have the core: who asks has as much of it.
        until = time.thread_time() + LONG_S
        while not self.other.is_set() and not self.alone:
            self.alone = time.thread_time() > until
        return super().endswith(*end)


def waits(module):
    """Whether another one's size is there only after a long one was measured."""
    long = Long(some_name())
    measuring = threading.Thread(target=module.size_of, args=(long,))
    measuring.start()
    long.begun.wait()

    def ask_for_another():
        module.size_of(some_name())
        long.other.set()

    asking = threading.Thread(target=ask_for_another)
    asking.start()
    measuring.join()
    asking.join()
    return long.alone


def single(module):
    """Right sizes, of files and folders, each measured once; and nobody waits for another one's size."""
    files = [some_name() for _ in range(6)]
    folder = "/".join(files) + "/"
    asked = [*files[:3], folder, *files, folder]
    for key in asked:
        for asks in (key, key, "".join(key)):
            found = module.size_of(asks)
            assert found == size(key), f"size_of({key!r}) must be {size(key)}, and is {found!r}"
    for key in (*files, folder):
        count = module.measured(key)
        assert count == 1, (
            f"one thread asked for {key!r} several times: it must be measured once, and was measured {count} times"
        )
    assert not (waits(module) and waits(module)), (
        "while one thread measured a file, another one that asked for another file had to wait"
    )


def ask(module, *keys):
    """Those keys in turns: whether each call got the size of its own key."""
    return [module.size_of(key) for key in keys * TURNS] == [SIZES[key] for key in keys] * TURNS


SIZES = {key: size(key) for key in KEYS}

exercise = Exercise(
    "cython_cache",
    title="Make a shortcut tell the truth",
    chapter="13_in_cython",
    level="medium",
    minutes=15,
    goal="size_of() gives everybody the size of the key that was asked for, and crashes nobody. A size is measured when it is first asked for, and then kept; and while it is measured, nobody waits who asks for another one.",
    hints=(
        "Which of the lines touch a dict, which is guarded, and which the pair at the top of the file, which is not?",
        "key and size belong together: who sees the one must see the other. And `return last_size` finds an object first, and counts it then.",
        "Both sides need the same lock, the reader, too. Under it, copy both into local variables; compare and return those.",
        "measure() asks for sizes itself. Who holds a pymutex there waits for itself: hold it for the two reads and for the two stores, and for nothing else. (Cython does not compile a pymutex at the top of a file that nothing uses yet.)",
        "Is the pair worth a lock? The dict is already a cache. Without the pair there is nothing to lock.",
    ),
    lab=Lab(
        "cython_cache",
        question="Does everybody get the size of the key that was asked for?",
        modules=["cython_cache"],
        setup=lambda module: module,
        actors=[Actor(ask, args=RHYTHM), Actor(ask, args=KEYS * 4)],
        observe=lambda _module, right, _threads: (
            "own sizes" if all(right) else "another key's size"
        ),
        observe_key=(),
        outcomes={
            "own sizes": ACCEPTABLE("every call got the size of its own key"),
            "another key's size": FORBIDDEN("the key of one call, the size of another"),
            "crash(*)": FORBIDDEN("an object was used after it was freed"),
            "error(*)": FORBIDDEN("an object is not what it was"),
            "hang": FORBIDDEN("a lock was not given back, or memory is corrupted"),
        },
    ),
    single=single,
    advice={
        "another key's size": "A key and a size that do not belong together, or in the place of a freed object a newer one. Which two stores, and which two reads, must be one step, and when is what was read counted?",
        "crash(*)": "Between finding an object in a variable of the module and counting it, another thread drops it. Look at each line that reads the pair.",
        "error(*)": "Between finding an object in a variable of the module and counting it, another thread drops it. Look at each line that reads the pair.",
        "hang": "Who waits for whom? A pymutex that is held while Python is called, or memory that is corrupted.",
    },
)
