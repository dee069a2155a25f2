"""Dict walk: `PyDict_Next` over a dict that another thread changes.

Question  Can a walk see a dict that never was?
Run       racelab race dict_walk --threads 2 --count 20
"""

from racelab import ACCEPTABLE, FORBIDDEN, Actor, Lab


def observe(_bank, returned, _threads):
    """What the counts of a round say. An account is opened before another is closed: 4 or 5."""
    counts = {one for one in returned if one is not None}
    if -1 in counts:
        return "a stranger among the values"
    return "a dict that was" if counts <= {4, 5} else "a dict that never was"


lab = Lab(
    "dict_walk",
    question="Can a walk see a dict that never was?",
    sources=["dict_walk_{variant}.c"],
    setup="Bank",
    actors=[
        Actor("count", burst=2),
        Actor("move", burst=50, made_by=True),  # who frees must have made, or nothing is freed
    ],
    threads=[2, 3, 4, 8],  # one moves accounts, the rest count them
    observe=observe,
    observe_key=(),
    outcomes={
        "a dict that was": ACCEPTABLE("every walk counted as many as there were at some moment"),
        "a dict that never was": FORBIDDEN("entries were skipped, or met twice"),
        "a stranger among the values": FORBIDDEN("freed memory was read as if it were a value"),
        "crash(SIGSEGV)": FORBIDDEN("a walk touched memory that was already freed"),
        "crash(*)": FORBIDDEN("the allocator or a reference count was corrupted"),
        "hang": FORBIDDEN("a corrupted table was walked for ever"),
    },
)
