"""Memoryview: a view that is an attribute, replaced while others use it.

Question  Can a reader see half of one view and half of another?
Run       racelab race cy_memoryview --threads 2
"""

from racelab import ACCEPTABLE, FORBIDDEN, Actor, Lab

lab = Lab(
    "cy_memoryview",
    question="Can a reader see half of one view and half of another?",
    sources=["cy_memoryview_{variant}.pyx"],
    setup="Grid",
    actors=[
        Actor("agree", burst=20),  # the racy call, alone
        Actor("renew", burst=20, made_by=True),  # who frees must have made, or nothing is freed
    ],
    threads=[2, 3, 4, 8],  # one renews, the rest read
    observe=lambda _grid, returned, _threads: (
        "cells agree" if False not in returned else "cells of two views"
    ),
    observe_key=(),
    outcomes={
        "cells agree": ACCEPTABLE("every reader saw the cells of one view"),
        "cells of two views": FORBIDDEN("the view changed between two reads"),
        "error(AttributeError)": FORBIDDEN("the view was taken out and not yet replaced"),
        "crash(*)": FORBIDDEN("a buffer was used that was freed, or freed twice"),
        "hang": FORBIDDEN("a corrupted object was waited for, or walked, for ever"),
    },
)
