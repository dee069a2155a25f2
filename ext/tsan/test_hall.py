"""Two tests, both green; the first of them races."""

from visit import two_visitors


def test_two_visitors():
    two_visitors()


def test_nothing():
    assert True
