"""Fast items: `PySequence_Fast` and its macros, on a list that another thread changes.

Question  Can a loop over a list meet an item that is not in it?
Run       racelab race fast_items --threads 2 --count 20
"""

from racelab import ACCEPTABLE, FORBIDDEN, Actor, Lab

lab = Lab(
    "fast_items",
    question="Can a loop over a list meet an item that is not in it?",
    sources=["fast_items_{variant}.c"],
    setup="Basket",
    actors=[
        Actor("count", burst=20),
        Actor("renew", burst=20, made_by=True),  # who frees must have made, or nothing is freed
    ],
    threads=[2, 3, 4, 8],  # one renews, the rest count
    observe=lambda _basket, returned, _threads: (
        "its own items"
        if {one for one in returned if one is not None} <= {2, 3, 4}
        else "strangers"
    ),
    observe_key=(),
    outcomes={
        "its own items": ACCEPTABLE("every loop met two to four items, all of the list"),
        "strangers": FORBIDDEN("freed memory was read as if it were an item"),
        "crash(SIGSEGV)": FORBIDDEN("a loop touched memory that was already freed"),
        "crash(*)": FORBIDDEN("the allocator or a reference count was corrupted"),
        "hang": FORBIDDEN("a corrupted object was waited for, or walked, for ever"),
    },
)
