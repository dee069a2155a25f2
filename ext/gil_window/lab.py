"""GIL window: what a thread has read is old once it has detached, also where there is a GIL.

Question  Can two increments count as one while the GIL is on?
Run       racelab race gil_window --threads 2 --gil 1
"""

import time

from racelab import ACCEPTABLE, FORBIDDEN, Lab


class Note:
    """Says goodbye to a slow place when its last reference goes: Python code that detaches."""

    def __del__(self):
        time.sleep(20e-6)


lab = Lab(
    "gil_window",
    question="Can two increments count as one while the GIL is on?",
    sources=["gil_window_{variant}.c"],
    setup=lambda module: module.Meter(Note),
    actors=["bump", "bump"],
    threads=[2, 3, 4],
    observe=lambda meter, _returned, threads: (
        "all counted" if meter.value == threads else "updates lost"
    ),
    observe_key="value",
    outcomes={
        "all counted": ACCEPTABLE("every call has counted"),
        "updates lost": FORBIDDEN("what one thread had read was old when it stored it"),
    },
)
