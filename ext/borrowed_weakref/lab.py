"""Weak reference: the last owner lets go while we still hold on.

Question  Can an object die between finding it through a weak reference and owning it?
Run       racelab race borrowed_weakref --threads 2 --count 20
"""

from racelab import ACCEPTABLE, FORBIDDEN, Actor, Lab


def observe(_room, returned, _threads):
    """What the readers found; the owner returns None, too."""
    if False in returned:
        return "a dead lamp"
    return "the lamp" if True in returned else "no lamp"


lab = Lab(
    "borrowed_weakref",
    question="Can an object die between finding it through a weak reference and owning it?",
    sources=["borrowed_weakref_{variant}.c"],
    setup="Room",
    actors=["look", Actor("drop", made_by=True)],  # a lamp dies once: the burst is 1
    threads=[2, 3, 4, 8],  # one drops it, the rest look
    observe=observe,
    observe_key=(),
    outcomes={
        "the lamp": ACCEPTABLE("a reader came first, and owned it"),
        "no lamp": ACCEPTABLE("the owner came first, and every reader was told"),
        "a dead lamp": FORBIDDEN("an object was used after its deallocation"),
        "crash(SIGSEGV)": FORBIDDEN("a reader touched memory that was already freed"),
        "crash(*)": FORBIDDEN("the allocator or a reference count was corrupted"),
        "observe-error(*)": FORBIDDEN("what a reader returned was no object any more"),
        "hang": FORBIDDEN("a corrupted object was waited for, or walked, for ever"),
    },
)
