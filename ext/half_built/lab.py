"""Half built: a table that readers may find before it is full.

Question  Can a reader use a table that somebody is still filling?
Run       racelab race half_built --threads 2
"""

from racelab import ACCEPTABLE, FORBIDDEN, Lab

CRC_OF_THE_DIGITS = 0xCBF43926  # of b"123456789"; every list of CRCs has it

lab = Lab(
    "half_built",
    question="Can a reader use a table that somebody is still filling?",
    sources=["half_built_{variant}.c"],
    setup="Checker",
    actors=["check", "check"],
    threads=[2, 3, 4, 8],
    observe=lambda _checker, returned, _threads: (
        "right checksums" if set(returned) == {CRC_OF_THE_DIGITS} else "a wrong checksum"
    ),
    observe_key=(),
    outcomes={
        "right checksums": ACCEPTABLE("everybody computed with a full table"),
        "a wrong checksum": FORBIDDEN("somebody computed with rows that were not written yet"),
    },
)
