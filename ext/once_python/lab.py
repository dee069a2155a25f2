"""Once, with Python inside: one thread fills, the other waits for it.

Question  Can a thread that waits in call_once keep the first one from finishing?
Run       racelab race once_python
          racelab race once_python --gil 1

What `make` does happens in real life, now and then: filling waits for something, and a wait lets the
GIL go; or it allocates, and allocations start a collection, which stops the world. Here it is every time.
"""

import gc
import time

from racelab import ACCEPTABLE, FORBIDDEN, Lab


def make() -> str:
    """Make the value: read a file, say, and allocate."""
    time.sleep(0.0005)  # as any wait: lets the GIL go
    gc.collect()  # as many allocations: stops the world
    return "made once"


lab = Lab(
    "once_python",
    question="Can a thread that waits in call_once keep the first one from finishing?",
    sources=["once_python_{variant}.cpp"],
    setup=lambda module: module.Once(make),
    actors=["get", "get"],
    threads=[2, 3, 4],
    observe=lambda _once, _returned, _threads: "all got it",
    observe_key=(),
    outcomes={
        "all got it": ACCEPTABLE("one filled, the others waited"),
        "hang": FORBIDDEN("one waits for the other to finish, and keeps it from finishing"),
    },
    mode="hang",
    rounds=200,
    stall_s=0.5,
)
