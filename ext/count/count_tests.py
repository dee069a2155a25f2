"""Three tests of three modules, each of which has a bug. Run by repeat.py, again and again, in a child."""

import os

from drifting_broken import Name, load
from lost_update_broken import Counter
from once_only_broken import primes
from together import together

BUMPS = int(os.environ.get("COUNT_BUMPS", "30000"))
NAMES = int(os.environ.get("COUNT_NAMES", "50"))


# fmt: off
# [race]
def test_counter():
    counter = Counter()
    together(*[lambda: counter.bump_many(BUMPS)] * 2)
    assert counter.value == 2 * BUMPS


def test_first_call():
    one, other = together(primes, primes)
    assert one is other


def test_registry():
    load(NAMES)  # what a test of that size enters anyway
    name = Name()
    together(name.enter, name.enter)
    assert name.entered == 1
# [race]
