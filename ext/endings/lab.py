"""Labs for the classifier itself: each ends its process in a way that no Python code could report.

Question  Does racelab call every ending by its name, and does it survive them all?
Run       racelab race hang            racelab race exits
          racelab race raises          racelab race floods
"""

import os

from racelab import ACCEPTABLE, FORBIDDEN, Lab

hang = Lab(
    "hang",
    question="Can two threads wait for each other for ever?",
    sources=["endings_{variant}.c"],
    setup="Doors",
    actors=["enter", "leave"],
    threads=[2],
    observe=lambda _doors, _returned, _threads: "both got through",
    observe_key=(),
    outcomes={
        "both got through": ACCEPTABLE("nobody had to wait for ever"),
        "hang": FORBIDDEN("each holds the lock that the other one waits for"),
    },
    mode="hang",
)


def leave_at_once() -> None:
    """End the process from a thread, past every clean-up."""
    os._exit(7)


def raise_an_error() -> None:
    """Fail, as any actor may."""
    raise LookupError("this one always raises")


def write_a_lot() -> None:
    """Write 64 KiB to each stream."""
    text = b"x" * 65_536
    os.write(1, text)
    os.write(2, text)


exits = Lab(
    "exits",
    question="What does a process show that leaves in the middle of a round?",
    actors=[leave_at_once, leave_at_once],
    threads=[2],
    outcomes={"exit(7)": FORBIDDEN("the process left in the middle of a round")},
    rounds=100,
    count=3,
)

raises = Lab(
    "raises",
    question="What does a round show in which a call raises?",
    actors=[raise_an_error, raise_an_error],
    threads=[2],
    outcomes={"error(LookupError)": FORBIDDEN("a call raised")},
    rounds=100,
    count=3,
)

floods = Lab(
    "floods",
    question="What does a round show that writes more than anybody wants to read?",
    actors=[write_a_lot, write_a_lot],
    threads=[2],
    outcomes={"None, None": ACCEPTABLE("the output was counted, and thrown away")},
    rounds=200,
    count=3,
)
