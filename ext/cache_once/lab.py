"""Cache, once: a static table in C++, made when it is first needed.

Question  Can a table that is made once be made twice?
Run       racelab race cache_once --count 100

A static variable has one chance per process, so each repetition is one round (mode "cold").
"""

from racelab import ACCEPTABLE, FORBIDDEN, Lab

lab = Lab(
    "cache_once",
    question="Can a table that is made once be made twice?",
    sources=["cache_once_{variant}.cpp"],
    setup=lambda module: module,  # the module itself is what they share
    actors=["touch", "touch"],
    threads=[2, 3, 4, 8],
    observe=lambda module, _returned, _threads: (
        "one table" if module.alive() == 1 else "a table leaked"
    ),
    outcomes={
        "one table": ACCEPTABLE("everybody used the same table"),
        "a table leaked": FORBIDDEN(
            "several found none; the cache knows one of the tables they made"
        ),
    },
    mode="cold",
)
