"""A number that is worked out once: its flag may be seen before it. Which tool sees that?

Run       racelab race ext/tsan/answer.py [--sanitizer thread]
"""

from pathlib import Path

from racelab import ACCEPTABLE, FORBIDDEN, Lab

lab = Lab(
    "answer",
    question="Can a caller get a number that was not worked out yet?",
    sources=[Path(__file__).resolve().parent.parent / "planted/planted_{variant}.c"],
    actors=["answer", "answer"],
    mode="cold",  # one chance in each process
    observe=lambda _state, returned, _threads: (
        "42" if set(returned) == {42} else "not yet a number"
    ),
    outcomes={
        "42": ACCEPTABLE("what it should be"),
        "not yet a number": FORBIDDEN("the flag was seen before the number"),
    },
)
