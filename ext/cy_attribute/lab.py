"""Attribute: an object in a `cdef class`, replaced while others use it.

Question  Can an attribute be freed while its own method runs?
Run       racelab race cy_attribute --threads 2

The twin of `borrowed_ref`: there the C code borrows from a list, here Cython's does from an attribute.
"""

from racelab import ACCEPTABLE, FORBIDDEN, Actor, Lab

lab = Lab(
    "cy_attribute",
    question="Can an attribute be freed while its own method runs?",
    sources=["cy_attribute_{variant}.pyx"],
    setup="Box",
    actors=[
        Actor("look", burst=50),  # the racy call, alone
        Actor("renew", burst=50, made_by=True),  # who frees must have made, or nothing is freed
    ],
    threads=[2, 3, 4, 8],  # one renews, the rest look
    observe=lambda _box, returned, _threads: (
        "items alive" if False not in returned else "a freed item was used"
    ),
    observe_key=(),
    outcomes={
        "items alive": ACCEPTABLE("every item was there while its method ran"),
        "a freed item was used": FORBIDDEN("the item was gone before its method was done"),
        "crash(SIGSEGV)": FORBIDDEN("the item was gone before its method was found"),
        "crash(*)": FORBIDDEN("the allocator or a reference count was corrupted"),
        "hang": FORBIDDEN("a corrupted object was waited for, or walked, for ever"),
    },
)
