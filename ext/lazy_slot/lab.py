"""Lazy slot: filled when first asked for, by everybody who asks first.

Question  Can an object that is made once be made twice?
Run       racelab race lazy_slot --threads 2
"""

from racelab import ACCEPTABLE, FORBIDDEN, Lab

lab = Lab(
    "lazy_slot",
    question="Can an object that is made once be made twice?",
    sources=["lazy_slot_{variant}.c"],
    setup="Record",
    actors=["touch", "touch"],
    threads=[2, 3, 4, 8, 16],
    observe=lambda record, _returned, _threads: (
        "made once" if record.made == 1 else "made more than once"
    ),
    observe_key="made",
    outcomes={
        "made once": ACCEPTABLE("everybody got the same object"),
        "made more than once": FORBIDDEN("several found the slot empty; all but one object leaked"),
    },
)
