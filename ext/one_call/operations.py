"""Operations on built-in containers: in one call and in two; and built-in iterators that two threads share.

Each function gets the state of a round. Two threads do the same thing once, or, with an iterator,
until it is empty.
"""

import itertools
import queue
import threading

from racelab import ACCEPTABLE, FORBIDDEN, Actor, Lab

ITEMS = 6


def append(items):
    items.append(None)


def append_at_the_end(items):
    size = len(items)
    items[size:] = [None]


def pop(items):
    try:
        return items.pop()
    except IndexError:
        return "empty"


def pop_if_any(items):
    try:
        return items.pop() if items else "empty"
    except IndexError:
        return "IndexError"


def setdefault(table):
    return id(table.setdefault("key", object()))


def store_if_missing(table):
    if "key" not in table:
        table["key"] = object()
    return id(table["key"])


def drain(iterator):
    return list(iterator)


def take(iterator):
    """As `drain`, of an iterator that has no end."""
    return list(itertools.islice(iterator, ITEMS))


def generator():
    yield from range(ITEMS)


def drain_locked(state):
    lock, iterator = state
    got = []
    while True:
        with lock:
            item = next(iterator, None)
        if item is None:
            return got
        got.append(item)


def filled_queue():
    waiting = queue.SimpleQueue()
    for item in range(ITEMS):
        waiting.put(item)
    return waiting


def drain_queue(waiting):
    got = []
    try:
        while True:
            got.append(waiting.get_nowait())
    except queue.Empty:
        return got


#: name -> what makes the state, what both threads do, what has to be true afterwards
CALLS = {
    "append(x)": (list, append, lambda items, _: len(items) == 2),
    "items[len(items):] = [x]": (list, append_at_the_end, lambda items, _: len(items) == 2),
    "pop()": (lambda: ["one"], pop, lambda _, got: sorted(got) == ["empty", "one"]),
    "if items: pop()": (lambda: ["one"], pop_if_any, lambda _, got: "IndexError" not in got),
    "setdefault(k, v)": (dict, setdefault, lambda _, got: len(set(got)) == 1),
    "if k not in d: d[k] = v": (dict, store_if_missing, lambda _, got: len(set(got)) == 1),
}


def each_once(_, got):
    items = [item for part in got for item in part]
    return len(set(items)) == len(items) >= ITEMS


ITERATORS = {
    "list": (lambda: iter(list(range(ITEMS))), drain, each_once),
    "tuple": (lambda: iter(tuple(range(ITEMS))), drain, each_once),
    "range": (lambda: iter(range(ITEMS)), drain, each_once),
    "dict": (lambda: iter(dict.fromkeys(range(ITEMS))), drain, each_once),
    "set": (lambda: iter(set(range(ITEMS))), drain, each_once),
    "enumerate": (lambda: enumerate(range(ITEMS)), drain, each_once),
    "zip": (lambda: zip(range(ITEMS)), drain, each_once),
    "map": (lambda: map(int, range(ITEMS)), drain, each_once),
    "generator": (generator, drain, each_once),
    "itertools.count": (itertools.count, take, each_once),
    "generator, a lock": (lambda: (threading.Lock(), generator()), drain_locked, each_once),
    "SimpleQueue": (filled_queue, drain_queue, each_once),
}

#: those that are one step, or made one: drawn as "fixed"
ONE_STEP = {
    "append(x)",
    "pop()",
    "setdefault(k, v)",
    "itertools.count",
    "generator, a lock",
    "SimpleQueue",
}


def lab(name, kinds):
    """A race of two threads that do the same thing to one state."""
    setup, act, right = kinds[name]
    return Lab(
        "one_call",
        question="Does it come out as if the two had come one after the other?",
        setup=setup,
        actors=[Actor(act)] * 2,
        observe=lambda state, got, _: "as in turn" if right(state, got) else "as never in turn",
        outcomes={
            "as in turn": ACCEPTABLE("one after the other would do the same"),
            "as never in turn": FORBIDDEN("no order of the two does this"),
            "error(*)": FORBIDDEN("an exception that neither would raise alone"),
            "crash(*)": FORBIDDEN("memory was corrupted"),
            "hang": FORBIDDEN("something was waited for, or walked, for ever"),
        },
        variants=["fixed" if name in ONE_STEP else "broken"],
    )
