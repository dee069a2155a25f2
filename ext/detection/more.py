"""Broken sources whose chapters do not race them: as labs, so that every tool can look for their bugs.

Run  racelab race ext/detection/more.py:planted_label      racelab record detection --only planted_label
"""

import functools
import gc
import threading
import weakref
from pathlib import Path

from racelab import ACCEPTABLE, FORBIDDEN, Actor, Lab
from racelab.lab import load_labs

EXT = Path(__file__).resolve().parent.parent
PLANTED = EXT / "planted/planted_{variant}.c"
CRASHED = FORBIDDEN("the process died")

# -- six bugs in one module --------------------------------------------------------------------------

bump = Lab(
    "planted_bump",
    question="Can two calls of bump() count as one?",
    sources=[PLANTED],
    setup="Counter",
    actors=["bump", "bump"],
    threads=[2, 4, 8],
    observe=lambda counter, _returned, threads: (
        "all counted" if counter.value == threads else "updates lost"
    ),
    observe_key="value",
    outcomes={
        "all counted": ACCEPTABLE("every call has counted"),
        "updates lost": FORBIDDEN("a call stored what it had read before another one"),
    },
)

table = Lab(
    "planted_table",
    question="Can two first calls of table() get two tables?",
    sources=[PLANTED],
    actors=["table", "table"],
    threads=[2, 4, 8],
    mode="cold",  # one chance in each process
    observe=lambda _state, returned, _threads: (
        "one table" if all(one is returned[0] for one in returned) else "several tables"
    ),
    outcomes={
        "one table": ACCEPTABLE("made once"),
        "several tables": FORBIDDEN("each looked before the other had stored its own"),
    },
)


def label_of(number, module):
    """Whether the text of a number has this number in it."""
    return module.label(number) == f"item-{number}"


label = Lab(
    "planted_label",
    question="Can label() return the text of another thread?",
    sources=[PLANTED],
    setup=lambda module: module,
    actors=[functools.partial(label_of, number) for number in (1, 2)],
    observe=lambda _module, returned, _threads: "its own" if all(returned) else "somebody else's",
    observe_key=(),
    outcomes={
        "its own": ACCEPTABLE("each got the text of its number"),
        "somebody else's": FORBIDDEN("another thread wrote into the buffer meanwhile"),
    },
)


def give(module_pair, turned):
    """One account gives to the other."""
    one, other = module_pair[::-1] if turned else module_pair
    one.give(other)


give_take = Lab(
    "planted_give",
    question="Can two accounts that give to each other wait for ever?",
    sources=[PLANTED],
    setup=lambda module: (module.Account(), module.Account()),
    actors=[Actor(give, args=(turned,)) for turned in (False, True)],
    mode="hang",
    observe=lambda _pair, _returned, _threads: "both gave",
    observe_key=(),
    outcomes={
        "both gave": ACCEPTABLE("nobody had to wait for ever"),
        "hang": FORBIDDEN("each holds the lock that the other one waits for"),
    },
)


class Item:
    """Something with a text, which goes away with it."""

    def __init__(self):
        self.words = "an item"

    def __repr__(self):
        return self.words


def shown(shelf):
    """The text of the first item, as the module reads it."""
    module, items = shelf
    return module.show(items)


def replace(shelf):
    """Put another item in its place: nobody else has a reference to the old one."""
    shelf[1][0] = Item()


show = Lab(
    "planted_show",
    question="Can an item go away while show() looks at it?",
    sources=[PLANTED],
    setup=lambda module: (module, [Item()]),
    actors=[Actor(shown, burst=500), Actor(replace, burst=500, made_by=True)],
    observe=lambda _shelf, returned, _threads: (
        "an item" if returned[0] == "an item" else "something else"
    ),
    observe_key=(),
    outcomes={
        "an item": ACCEPTABLE("the text of an item"),
        "something else": FORBIDDEN("the item was gone"),
        "error(*)": FORBIDDEN("the item was gone"),
        "crash(*)": CRASHED,
    },
)

(answer,) = load_labs(EXT / "tsan/answer.py")

# -- the others --------------------------------------------------------------------------------------


def called():
    """What is called back."""


foreign_thread = Lab(
    "foreign_thread",
    question="Does a call of Python work in a thread that Python did not start?",
    sources=[EXT / "foreign_thread/foreign_thread_{variant}.c"],
    actors=[Actor("call", args=(called,))] * 2,
    threads=[2, 4, 8],
    rounds=100,
    observe=lambda _state, _returned, _threads: "called back",
    observe_key=(),
    outcomes={
        "called back": ACCEPTABLE("the thread attached, and called"),
        "crash(*)": CRASHED,
    },
)


def collect(module):
    """Stop the world while one works and another one waits for it."""
    del module
    gc.collect()


def work(module):
    """A millisecond in the library: how many were in it."""
    return module.work(0.001)


unsafe_library = Lab(
    "unsafe_library",
    question="Can whoever waits for the library keep its owner from leaving it?",
    sources=[EXT / "unsafe_library/unsafe_library_{variant}.c"],
    setup=lambda module: module,
    actors=[work, work, Actor(collect, offset=300_000)],
    threads=[3],
    mode="hang",
    rounds=50,
    stall_s=0.3,
    observe=lambda _module, returned, _threads: (
        "one at a time" if max(one or 0 for one in returned) == 1 else "two at once"
    ),
    observe_key=(),
    outcomes={
        "one at a time": ACCEPTABLE("the second one waited, and came in"),
        "two at once": FORBIDDEN("nothing kept the second one out"),
        "hang": FORBIDDEN("one waits attached, the owner waits for the pause to end"),
    },
)


class Thing:
    """Something whose end can be seen from outside."""


def keep_and_end(state):
    """A thread keeps an object for itself, and ends."""
    module, seen = state

    def body():
        thing = Thing()
        seen.append(weakref.ref(thing))
        module.keep(thing)

    thread = threading.Thread(target=body)
    thread.start()
    thread.join()


def left(state, _returned, _threads):
    """Whether an object is still there after its thread, and after a collection."""
    gc.collect()
    return "left behind" if any(ref() is not None for ref in state[1]) else "all gone"


thread_end = Lab(
    "thread_end",
    question="Does an object go with the thread that kept it?",
    sources=[EXT / "thread_end/thread_end_{variant}.cpp"],
    setup=lambda module: (module, []),
    actors=[keep_and_end, keep_and_end],
    rounds=20,
    observe=left,
    outcomes={
        "all gone": ACCEPTABLE("each object went with its thread"),
        "left behind": FORBIDDEN("nobody gave the reference back in time"),
        "crash(*)": CRASHED,
    },
)
