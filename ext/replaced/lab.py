"""Replaced: a cached object, renewed while others take it.

Question  Can a reader be left with an object that is no longer there?
Run       racelab race replaced --threads 2
"""

from racelab import ACCEPTABLE, FORBIDDEN, Actor, Lab

lab = Lab(
    "replaced",
    question="Can a reader be left with an object that is no longer there?",
    sources=["replaced_{variant}.c"],
    setup="Memo",
    actors=[
        Actor("get", burst=50),  # the racy call, alone
        Actor("renew", burst=50, made_by=True),  # who frees must have made, or nothing is freed
    ],
    threads=[2, 3, 4, 8],  # one renews, the rest read
    observe=lambda _memo, returned, _threads: (
        "answers intact" if False not in returned else "a stranger in the cache"
    ),
    observe_key=(),
    outcomes={
        "answers intact": ACCEPTABLE("every reader got an answer"),
        "a stranger in the cache": FORBIDDEN("freed memory was read as if it were the answer"),
        "crash(SIGSEGV)": FORBIDDEN("a reader touched memory that was already freed"),
        "crash(*)": FORBIDDEN("the allocator or a reference count was corrupted"),
        "hang": FORBIDDEN("a corrupted object was waited for, or walked, for ever"),
    },
)
