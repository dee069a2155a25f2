"""Once, with Python inside: one thread fills, the other waits for it.

Question  Can a thread that waits in call_once keep the first one from finishing?
Run       racelab race once_python
          racelab race once_python --gil 1
"""

import gc
import time

from racelab import ACCEPTABLE, FORBIDDEN, Lab


def make() -> str:
    """What filling does in real life: it waits for something, and it allocates.

    A wait lets the GIL go. Allocations start a collection now and then, which stops the world.
    Here both happen every time.
    """
    time.sleep(0.0005)
    gc.collect()
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
