"""The same questions as tests."""

from pathlib import Path

import racelab as rl
from racelab import Actor

prices = rl.load(rl.compile(Path(__file__).with_name("prices.c")))


def test_latest(race):
    """A crash, a hang or an exception fails the test."""
    many = Actor("latest", burst=50), Actor("update", burst=50)
    race(*many, setup=prices.Board)


def test_currencies(race):
    """Twice the first call, in a fresh process each time."""
    race(
        prices.currencies,
        prices.currencies,
        mode="cold",
        check=lambda _, returned: all(size == 2 for size in returned),
    )
