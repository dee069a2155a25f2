"""A test that cannot fail, to be repaired: it must fail on a broken cache, and only there.

Whatever it is tried on looks the same, and takes one thread as long: what is right and what is not must be seen in
what happens. Who looks into the judge itself finds it all the same; that is work, and teaches something, too.
"""

import math
import random
import threading
from weakref import WeakKeyDictionary

from racelab.exercise import Exercise, Trial

WINDOW_S = 0.2
TURNS = 20


class Broken:
    """Test, fill, store: with a window that stays open until a second thread has come, or for WINDOW_S."""

    def __init__(self):
        self.table = None
        self.filling = []  # append is atomic, `+= 1` is not
        self.second = threading.Event()

    @property
    def fills(self):
        """How often the table was filled."""
        return len(self.filling)

    def _fill(self):
        self.filling.append(None)
        if self.fills > 1:
            self.second.set()
        for _ in range(
            TURNS
        ):  # where others have the machine the second one gets its turn all the same
            if self.second.wait(WINDOW_S / TURNS):
                break
        return {"pi": math.pi, "e": math.e}

    def lookup(self, name):
        """The constant of that name."""
        if self.table is None:
            self.table = self._fill()
        return self.table[name]


class Right(Broken):
    """The same under a lock."""

    def __init__(self):
        super().__init__()
        self.lock = threading.Lock()

    def lookup(self, name):
        """The constant of that name."""
        with self.lock:
            return super().lookup(name)


class Twice(Right):
    """Filled by the first two who come, and no more often."""

    def lookup(self, name):
        """The constant of that name."""
        with self.lock:
            if self.fills < 2:
                self.table = self._fill()
            return self.table[name]


class Raises(Right):
    """Filled once, and one lookup raises: one work() fails, whatever `fills` says."""

    def __init__(self):
        super().__init__()
        self.looked = 0
        self.odd = random.randint(1, 8)

    def lookup(self, name):
        """The constant of that name, or nothing."""
        with self.lock:
            self.looked += 1
            raises = self.looked == self.odd
        if raises:
            raise KeyError(name)
        return super().lookup(name)


#: What is behind each cache that was handed out, and what is behind the next one.
BEHIND, KIND = WeakKeyDictionary(), [Right]


class Cache:
    """What a test is handed, whichever cache is behind it."""

    __slots__ = ("__weakref__",)

    def lookup(self, name):
        """The constant of that name."""
        try:
            return BEHIND[self].lookup(name)
        except Exception as error:
            raise error.with_traceback(None) from None  # which has the names of those behind it

    @property
    def fills(self):
        """How often the table was filled."""
        return BEHIND[self].fills


def make_cache():
    """A new, empty cache."""
    made = Cache()
    BEHIND[made] = KIND[0]()
    return made


def on(kind):
    """One run of the learner's test on such caches."""

    def run(module):
        KIND[0] = kind
        module.test_cache_is_filled_once(make_cache)

    return run


exercise = Exercise(
    "silent_test",
    title="Make a silent test able to fail",
    chapter="03_green",
    level="easy",
    minutes=10,
    goal="The test fails on a cache that fills its table twice or raises in a thread, and passes on one that does neither.",
    hints=(
        "Three things keep this test from failing. One happens before the threads start, one when they end, one in the last line.",
        "After cache.lookup('e') there is no first use left to race for.",
        "What a function raises in a pool stays in its future until somebody asks: keep the futures and call .result() on each.",
        "How often may the table be filled? Not eight times.",
    ),
    trials=(
        Trial(
            "right cache",
            on(Right),
            fails=False,
            why="It must pass on a cache that is filled once.",
            runs=5,
        ),
        Trial(
            "broken cache",
            on(Broken),
            fails=True,
            why="On this cache eight threads fill the table several times, and your test must say so.",
            runs=10,
        ),
        Trial(
            "twice filled cache",
            on(Twice),
            fails=True,
            why="This cache is filled twice, and never more often: your test must say so, too.",
            runs=5,
        ),
        Trial(
            "raising cache",
            on(Raises),
            fails=True,
            why="On this cache lookup() raises in one of the threads, and your test does not ask each of them how it went.",
            runs=10,
        ),
    ),
)
