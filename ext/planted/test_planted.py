"""The tests of a small package, as people write them. One for each function, and each passes."""

import planted

hits = planted.Counter()
left, right = planted.Account(), planted.Account()
latest = [[0]]


def test_bump():
    before = hits.value
    hits.bump()
    assert hits.value > before


def test_table():
    squares = planted.table()
    assert squares == tuple(sorted(squares))
    assert id(planted.table()) == id(squares)


def test_label():
    for number in range(100):
        assert planted.label(number) == f"item-{number}"


def test_give():
    for _ in range(20):
        left.give(right)
        right.give(left)


def test_show():
    for number in range(200):
        latest[0] = [number]
        assert planted.show(latest).startswith("[")


def test_answer():
    assert planted.answer() == 42
