"""A reason that outlives its call: the thread goes on to the next request, and its last error stays."""

import random
import threading

from racelab import ACCEPTABLE, FORBIDDEN, Lab
from racelab.exercise import Cost, Exercise

KNOWN = 7
UNKNOWN = (1111, 2222)


def single(module):
    """What find() says and why, asked at once and asked twice."""
    assert module.last_error() is None, "before the first find() there is no reason: None"
    some = [random.choice((-1, 1)) * random.randrange(1000, 1_000_000) for _ in range(20)]
    for number in (*some, -1, 1000):
        assert module.find(number) is False, f"find({number}) must be False: there is no such order"
        expected = f"no order {number}"
        for when in ("", ", asked a second time,"):
            found = module.last_error()
            assert found == expected, (
                f"after find({number}) last_error(){when} must be {expected!r}, and is {found!r}"
            )
    for known in (random.randrange(1000), 0, 999):
        assert module.find(known) is True, f"find({known}) must be True"
    heirs = []

    def fail():
        heirs.append(module.last_error())
        module.find(UNKNOWN[0])

    for _ in range(5):
        module.find(0)  # what is one for all is empty now
        thread = threading.Thread(target=fail)
        thread.start()
        thread.join()
    assert heirs == [None] * 5, (
        f"in a new thread, before its first find(), last_error() must be None, and was {heirs}: "
        "an id, or a place in memory, is given to the next thread when one has ended"
    )


def requests(number):
    """Two requests that one thread of a pool serves: an order that is not there, and one that is."""

    def serve(module):
        module.find(number)
        failed = module.last_error()
        module.find(number)  # nobody asks why, and the next one finds its order
        module.find(KNOWN)
        return failed, module.last_error()

    return serve


def log(_module, returned, _threads):
    """What the two threads have logged."""
    own = [f"no order {number}" for number in UNKNOWN]
    failed, after = zip(*returned, strict=True)
    if any(text is None for text in failed):
        return "no reason"
    if not {*failed, *after} <= {None, *own}:
        return "a torn reason"
    if list(failed) != own or any(
        text not in (None, mine) for text, mine in zip(after, own, strict=True)
    ):
        return "a stranger's reason"
    return "own reasons" if after == (None, None) else "a stale reason"


exercise = Exercise(
    "stale_error",
    title="Let a reason end with its call",
    chapter="07_per_thread",
    level="easy",
    minutes=10,
    goal="last_error() speaks of the last find() of the thread that asks: None if the order was there, else the reason, with the number of that very order.",
    hints=(
        "The reason is per thread, and a thread of a pool serves one request after the other. What does last_error() return after a find() that succeeds?",
        "Who knows that the old reason is over? Not the one who asks, and not the one who failed.",
        "A find() that succeeds must say so, too: it empties the reason of its thread. Keep _Thread_local.",
        "reason[0] = '\\0'; before Py_RETURN_TRUE, or for all calls at the start of find().",
    ),
    lab=Lab(
        "stale_error",
        question="Is what a request logs its own?",
        modules=["stale_error"],
        setup=lambda module: module,
        actors=[requests(number) for number in UNKNOWN],
        observe=log,
        observe_key=(),
        outcomes={
            "own reasons": ACCEPTABLE("each request has logged what became of its own order"),
            "a stale reason": FORBIDDEN("an order that was there, and the request before it"),
            "a stranger's reason": FORBIDDEN("the order of another thread"),
            "a torn reason": FORBIDDEN("half one reason, half another"),
            "no reason": FORBIDDEN("a find() that failed, and nobody knows why"),
            "crash(*)": FORBIDDEN("a reason was read that was freed"),
            "hang": FORBIDDEN("two calls wait for ever"),
        },
    ),
    single=single,
    advice={
        "a stale reason": "After a find() that succeeds last_error() still speaks of the one before. Who empties it?",
        "a stranger's reason": "Between find() and last_error() of one thread another one's find() comes: a lock inside of each does not help, a reason for each thread does.",
        "a torn reason": "Two threads write into one buffer.",
        "no reason": "Another thread's success, or its question, has emptied the reason of this one.",
        "crash(*)": "A reason is freed or replaced while another thread reads it.",
        "hang": "A lock is not released on every way out.",
    },
    cost=Cost(
        lambda module: lambda: module.find(KNOWN),
        limit=5,
        why="To empty a buffer is one store.",
    ),
)
