"""Borrowed value: the dict lets go while we still hold on.

Question  Can a dict's value be freed between finding it and owning it?
Run       racelab race borrowed_dict --threads 2 --count 20
"""

from racelab import ACCEPTABLE, FORBIDDEN, Actor, Lab

lab = Lab(
    "borrowed_dict",
    question="Can a dict's value be freed between finding it and owning it?",
    sources=["borrowed_dict_{variant}.c"],
    setup="Menu",
    actors=[
        Actor("ask", burst=50),
        Actor("reprice", burst=50, made_by=True),  # who frees the values also makes the states
    ],
    threads=[2, 3, 4, 8],  # one writes, the rest read
    observe=lambda _menu, returned, _threads: (
        "the price" if False not in returned else "a stranger's price"
    ),
    observe_key=(),
    outcomes={
        "the price": ACCEPTABLE("every read returned a live value"),
        "a stranger's price": FORBIDDEN("freed memory was read as if it were ours"),
        "crash(SIGSEGV)": FORBIDDEN("a reader touched memory that was already freed"),
        "crash(*)": FORBIDDEN("the allocator or a reference count was corrupted"),
        "hang": FORBIDDEN("a corrupted object was waited for, or walked, for ever"),
    },
)
