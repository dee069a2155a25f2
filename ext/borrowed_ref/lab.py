"""Borrowed reference: the list lets go while we still hold on.

Question  Can an item be freed between finding it and owning it?
Run       racelab race borrowed_ref --threads 2 --count 20
"""

from racelab import ACCEPTABLE, FORBIDDEN, Actor, Lab

lab = Lab(
    "borrowed_ref",
    question="Can an item be freed between finding it and owning it?",
    sources=["borrowed_ref_{variant}.c"],
    setup="Shelf",  # one fresh state per round, made by the thread that frees
    actors=[
        Actor("first", burst=50),  # the racy call, alone
        Actor(
            "replace", burst=50, made_by=True
        ),  # freed and reused memory is what kills a borrower
    ],
    threads=[2, 5],  # one replaces, the rest read
    observe=lambda _shelf, returned, _threads: (
        "items intact" if False not in returned else "a stranger in the slot"
    ),
    observe_key=(),
    outcomes={
        "items intact": ACCEPTABLE("every read returned a live item"),
        "a stranger in the slot": FORBIDDEN("freed memory was read as if it were ours"),
        "crash(SIGSEGV)": FORBIDDEN("a reader touched memory that was already freed"),
        "crash(*)": FORBIDDEN("the allocator or a reference count was corrupted"),
        "hang": FORBIDDEN("a corrupted object was waited for, or walked, for ever"),
    },
)
