"""The same functions under the `race` fixture: who meets whom, and what must hold afterwards."""

import functools
import os

import planted
import pytest

from racelab import Actor

WIDEN = os.environ.get("RACELAB_WIDEN") == "1"  # for a machine with one core


@pytest.fixture
def race(race):
    """The fixture `race`, with its race points held open where the environment asks for it."""
    return functools.partial(race, widen=WIDEN)


def test_bump(race):
    race("bump", "bump", setup=planted.Counter, check=lambda counter: counter.value == 2)


def same(_state, returned, _threads):
    return returned[0] is returned[1]


def test_table(race):
    race(planted.table, planted.table, check=same, mode="cold")


def test_label(race):
    race(
        lambda: planted.label(1) == "item-1",
        lambda: planted.label(2) == "item-2",
        check=lambda _state, returned, _threads: all(returned),
    )


class Pair:
    def __init__(self):
        self.left, self.right = planted.Account(), planted.Account()


def test_give(race):
    race(
        lambda pair: pair.left.give(pair.right),
        lambda pair: pair.right.give(pair.left),
        setup=Pair,
        mode="hang",
    )


class Item:
    def __init__(self):
        self.words = "an item"

    def __repr__(self):
        return self.words


def replace(items):
    items[0] = Item()


def test_show(race):
    burst = 1 if WIDEN else 500  # an item must go away while somebody looks at it
    race(
        Actor(planted.show, burst=burst),
        Actor(replace, burst=burst, made_by=True),
        setup=lambda: [Item()],
        check=lambda _items, returned, _threads: returned[0] == "an item",
        stop_at_first=True,  # what comes after it is anybody's guess, and may take for ever
        timeout_s=3,
    )


def test_answer(race):
    race(
        planted.answer,
        planted.answer,
        check=lambda _state, returned, _threads: returned == (42, 42),
        mode="cold",
    )
