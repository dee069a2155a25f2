"""Dice: a library that keeps its state in static variables, and threads that share no object.

Question  Do two threads with dice of their own get in each other's way?
Run       racelab race dice --threads 2
          racelab race dice --variant broken_per_object
"""

from racelab import ACCEPTABLE, FORBIDDEN, Lab

MANY = 2**32  # sides: rolls of such a die are all different, so the same number twice is a bug
COMPLAINTS = [f"there is no die with {-seat} sides" for seat in range(9)]


class Table:
    """A fresh table. Every thread brings its own dice: no two threads share an object below."""

    def __init__(self, module):
        self.die = module.Die
        self.seats = [1, 2, 3, 4, 5, 6, 7, 8]

    def play(self):
        """The number rolled; or "?" where the error was not about the player's own die."""
        seat = self.seats.pop()
        impossible = self.die(-seat)
        number = self.die(MANY).roll()
        try:
            impossible.roll()
        except ValueError as error:
            if str(error) != COMPLAINTS[seat]:
                return "?"
        return number


def rolled(_table, returned, threads):
    """What the players of one round were told."""
    if "?" in returned:
        return "somebody else's error"
    return "all their own" if len(set(returned)) == threads else "the same number twice"


lab = Lab(
    "dice",
    question="Do two threads with dice of their own get in each other's way?",
    sources=["dice_{variant}.c"],
    setup=Table,
    actors=["play", "play"],
    threads=[2, 3, 4, 8],
    observe=rolled,
    observe_key=(),
    outcomes={
        "all their own": ACCEPTABLE("different numbers, and every error about the right die"),
        "the same number twice": FORBIDDEN("both rolled from the same state of the generator"),
        "somebody else's error": FORBIDDEN("the text was overwritten before it was copied"),
    },
)
