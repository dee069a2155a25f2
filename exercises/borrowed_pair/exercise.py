"""Two borrowed references, one behind the other: the list may go, and so may the line."""

import os
import random
import sys
import time

from racelab import ACCEPTABLE, FORBIDDEN, Actor, Lab
from racelab.exercise import Exercise

TURNS = 60


def raised(call, *args):
    """The class of what a call raises, or None."""
    try:
        call(*args)
    except Exception as error:
        return type(error).__name__
    return None


def single(module):
    """Lines, no lines, what is raised; and every reference given back."""
    first_line = module.first_line
    lines = [f"line {random.random()}" for _ in range(random.randrange(1, 5))]
    book = {"lines": lines, "empty": [], "no list": 3.5}
    for key, expected in (("lines", lines[0]), ("empty", None), ("not there", None)):
        found = first_line(book, key)
        assert found == expected, (
            f"first_line(book, {key!r}) must be {expected!r}, and is {found!r}"
        )
    found = None
    for what, key in (("a key that cannot be hashed", []), ("a value that is no list", "no list")):
        seen = raised(first_line, book, key)
        assert seen == "TypeError", f"{what} must raise TypeError, and raises {seen or 'nothing'}"
    for name, kept, key in (
        ("the list", lines, "lines"),
        ("the line", lines[0], "lines"),
        ("an empty list", book["empty"], "empty"),
        ("what is no list", book["no list"], "no list"),
    ):
        before = sys.getrefcount(kept)
        for _ in range(100):
            raised(first_line, book, key)
        more = sys.getrefcount(kept) - before
        assert not more, f"after 100 calls {name} has {more} references more than before them"


def give_way():
    """A race point for Python: on one core the writer must not be through while the reader sleeps."""
    if os.environ.get("RACELAB_WIDEN", "0") not in ("", "0"):
        time.sleep(random.random() * 4e-5)


class Book:
    """A dict of lines that others change."""

    def __init__(self, module):
        self.first_line = module.first_line
        self.lines = {"key": ["line"]}

    def read(self):
        """Whether each first line is a line, or None."""
        first_line, lines = self.first_line, self.lines
        seen = [first_line(lines, "key") for _ in range(TURNS)]
        return all(line is None or (type(line) is str and line.startswith("line")) for line in seen)

    def change(self):
        """Other lists, other lines, no lines; and others who use the memory."""
        lines = self.lines
        for n in range(TURNS):
            lines["key"] = [f"line {n}"]
            strangers = [[0.5], f"not yours {n}"]
            give_way()
            lines["key"][0] = f"line {n} again"
            strangers += [f"nor this one {n}", [n]]
            give_way()
            lines["key"].clear()
            give_way()
            lines["key"].append(f"line {n} at last")
        return True


exercise = Exercise(
    "borrowed_pair",
    title="Own what you borrowed twice",
    chapter="10_borrowed_ref",
    level="medium",
    minutes=10,
    goal="first_line() may be called while other threads change the dict and its lists: it returns a line that was there, or None. All else is as before: what it raises, and what it keeps.",
    hints=(
        "Two references are borrowed here. Who keeps the list while you look into it, and who keeps the line?",
        "PyDict_GetItemRef and PyList_GetItemRef give strong references. Read in their documentation who gives back what, and what they return where there is nothing.",
        "Once `lines` is strong, each way out gives it back: also the one with an error, and the one with None.",
        "Between PyList_Size and the item another thread may empty the list. Ask one question: give me the first line, if there is one.",
        "PyList_GetItemRef raises IndexError where there is no item. That, and only that, becomes None: PyErr_ExceptionMatches, PyErr_Clear.",
    ),
    lab=Lab(
        "borrowed_pair",
        question="Does a reader own the line that it returns?",
        modules=["borrowed_pair"],
        setup=Book,
        actors=["read", Actor("change", made_by=True)],
        observe=lambda _book, returned, _threads: (
            "lines intact" if False not in returned else "a stranger for a line"
        ),
        observe_key=(),
        outcomes={
            "lines intact": ACCEPTABLE("every read returned a line or None"),
            "a stranger for a line": FORBIDDEN("freed memory was read as if it were ours"),
            "error(*)": FORBIDDEN("an exception where a line or None was asked for"),
            "crash(*)": FORBIDDEN("memory was used after it was freed"),
            "hang": FORBIDDEN("a corrupted object was waited for, or walked, for ever"),
        },
    ),
    single=single,
    advice={
        "a stranger for a line": "Something was freed between finding it and owning it: the list or the line?",
        "error(*)": "The list was emptied between two questions, or something that was freed is not what it was. Ask once, and own what you get.",
        "crash(*)": "Something was freed between finding it and owning it: the list or the line?",
        "hang": "A freed object was used: the list or the line? Or a lock was not given back.",
    },
)
