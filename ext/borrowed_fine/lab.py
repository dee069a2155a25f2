"""Borrowed and fine: references that somebody else keeps good for as long as we use them.

Question  Does a borrowed reference stay good while another thread changes what it may change?
Run       racelab race borrowed_fine --threads 2 --variant fixed_tuple
"""

from racelab import ACCEPTABLE, FORBIDDEN, Actor, Lab


def read(shelf):
    """Hand over the list and its first item, both held until the call returns; not so the second."""
    items = shelf.items
    return shelf.read(items, items[0])


lab = Lab(
    "borrowed_fine",
    question="Does a borrowed reference stay good while another thread changes what it may change?",
    sources=["borrowed_fine_{variant}.c"],
    setup="Shelf",
    actors=[
        Actor(read, burst=50),
        Actor("replace", burst=50, made_by=True),  # who frees the items also makes the states
    ],
    threads=[2, 3, 4, 8],  # one replaces, the rest read
    observe=lambda _shelf, returned, _threads: "whole" if False not in returned else "a stranger",
    observe_key=(),
    outcomes={
        "whole": ACCEPTABLE("every item that was read was alive"),
        "a stranger": FORBIDDEN("freed memory was read as if it were the item"),
        "crash(*)": FORBIDDEN("freed memory was read as if it were an object"),
        "hang": FORBIDDEN("a corrupted object was waited for, or walked, for ever"),
    },
)
