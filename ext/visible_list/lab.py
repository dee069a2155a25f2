"""Visible list: `PyList_SET_ITEM` on a list that other threads already see.

Question  Can a reader of a new list find nothing in a slot?
Run       racelab race visible_list --threads 2 --count 20
"""

from racelab import ACCEPTABLE, FORBIDDEN, Actor, Lab

lab = Lab(
    "visible_list",
    question="Can a reader of a new list find nothing in a slot?",
    sources=["visible_list_{variant}.c"],
    setup="Kitchen",
    actors=[Actor("look", burst=20), Actor("renew", burst=20, made_by=True)],
    threads=[2, 3, 4, 8],  # one renews, the rest look
    observe=lambda _kitchen, returned, _threads: (
        "items" if {one for one in returned if one is not None} <= {0.0, 1.0, 2.0} else "strangers"
    ),
    observe_key=(),
    outcomes={
        "items": ACCEPTABLE("every look found an item of the menu"),
        "strangers": FORBIDDEN("something that was never on a menu"),
        "crash(SIGSEGV)": FORBIDDEN("an empty slot was taken for an object"),
        "crash(*)": FORBIDDEN("a reference count was corrupted"),
        "error(*)": FORBIDDEN("a slot that was promised was not there"),
        "hang": FORBIDDEN("a corrupted object was waited for, or walked, for ever"),
    },
)
