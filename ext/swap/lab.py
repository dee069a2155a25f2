"""Swap: one thread exchanges a with b, another one b with a.

Question  Can two threads that lock the same two objects wait for each other?
Run       racelab race swap
          racelab race swap --variant broken_nested
          racelab race swap --variant fixed_order
"""

from racelab import ACCEPTABLE, FORBIDDEN, Lab


class Pair:
    """Two cells. Swapped there and back, in whichever order, they are as before."""

    def __init__(self, module):
        self.a, self.b = module.Cell(1), module.Cell(2)

    def forth(self):
        self.a.swap(self.b)

    def back(self):
        self.b.swap(self.a)


def name_round(pair, _returned, threads):
    """Every call exchanges the two values: what they are depends on how many called, and on nothing else."""
    values = [pair.a.value, pair.b.value]
    if values == ([1, 2] if threads % 2 == 0 else [2, 1]):
        return "both swapped"
    return "a value is there twice" if values[0] == values[1] else "a swap is lost"


lab = Lab(
    "swap",
    question="Can two threads that lock the same two objects wait for each other?",
    sources=["swap_{variant}.c"],
    setup=Pair,
    actors=["forth", "back"],
    threads=[2, 3, 4],
    observe=name_round,
    outcomes={
        "both swapped": ACCEPTABLE("one after the other"),
        "hang": FORBIDDEN("each has one lock and waits for the other one"),
        "a value is there twice": FORBIDDEN("another swap came between; one value is gone"),
        "a swap is lost": FORBIDDEN("another swap came between, and was undone"),
    },
    mode="hang",
    stall_s=0.5,
)
