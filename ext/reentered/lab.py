"""Reentered: a helper enters the critical section that its caller is in.

Question  Does a thread keep a critical section that it enters again?
Run       racelab race reentered
          racelab race reentered --variant fixed

What `broken` shows it shows on 3.13: later versions leave a lock alone that the innermost section has.
"""

from racelab import ACCEPTABLE, FORBIDDEN, Lab

lab = Lab(
    "reentered",
    question="Does a thread keep a critical section that it enters again?",
    sources=["reentered_{variant}.c"],
    setup="Range",
    actors=["shift", "width"],
    threads=[2, 3, 4, 8],
    observe=lambda _range, returned, _threads: (
        "always 10 wide" if set(returned) <= {None, 10} else "one end moved"
    ),
    observe_key=(),
    outcomes={
        "always 10 wide": ACCEPTABLE("before or after the change"),
        "one end moved": FORBIDDEN("a reader came in between the two ends"),
    },
)
