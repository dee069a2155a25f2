"""A test that meets the bug of `borrowed_ref`: its process does not survive it."""

from shelf import meet


def test_first_while_replaced():
    for _ in range(500):
        meet()
