"""Lazy global in Cython: an object of the module, made when it is first needed.

Question  Can a table that is made once be made twice?
Run       racelab race cy_slot --count 100

Each process has one chance, so each repetition is one round in a process of its own (mode "cold").
"""

from racelab import ACCEPTABLE, FORBIDDEN, Lab

lab = Lab(
    "cy_slot",
    question="Can a table that is made once be made twice?",
    sources=["cy_slot_{variant}.pyx"],
    actors=["get", "get"],
    threads=[2, 3, 4, 8],
    observe=lambda _state, returned, _threads: (
        "one table" if len({id(table) for table in returned}) == 1 else "several tables"
    ),
    outcomes={
        "one table": ACCEPTABLE("everybody got the same table"),
        "several tables": FORBIDDEN("several found none, and each made one"),
        "crash(SIGSEGV)": FORBIDDEN("a table was dropped while somebody took it"),
        "crash(*)": FORBIDDEN("a table was dropped while somebody took it"),
    },
    mode="cold",
)
