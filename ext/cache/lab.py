"""Cache: a static table of the module, made when it is first needed.

Question  Can a table that is made once be made twice?
Run       racelab race cache --count 100

The table is a static variable: each process has one chance to fill it twice. So each repetition is
one round in a process of its own (mode "cold"). `lazy_slot` asks the same of a fresh object per round.
"""

from racelab import ACCEPTABLE, FORBIDDEN, Lab

LEFT = {0: "no table left", 1: "one table"}

lab = Lab(
    "cache",
    question="Can a table that is made once be made twice?",
    sources=["cache_{variant}.c"],
    setup=lambda module: module,  # the module itself is what they share
    actors=["touch", "touch"],
    threads=[2, 3, 4, 8],
    observe=lambda module, _returned, _threads: LEFT.get(module.alive(), "a table leaked"),
    outcomes={
        "one table": ACCEPTABLE("everybody used the same table"),
        "no table left": ACCEPTABLE("everybody made a table, and freed it"),
        "a table leaked": FORBIDDEN(
            "several found none; the cache knows one of the tables they made"
        ),
    },
    mode="cold",
)
