"""A growing C array with three methods, and one lock for all of them: the cheapest that is right."""

import gc
import random
import threading
import time
from functools import partial
from itertools import pairwise

from racelab import ACCEPTABLE, FORBIDDEN, Lab
from racelab.exercise import Cost, Exercise, Undecided

SMOOTH_S = 0.15
MEANWHILE_S = 0.2  # who keeps the lock while the callback runs makes others wait so long
STRANGE = -1_000
MOST_TIMES = 12


def smoothed(numbers):
    """What smooth() leaves of them."""
    return [*((a + b) / 2 for a, b in pairwise(numbers)), *numbers[-1:]]


def numbers_of(samples):
    """What each() calls with."""
    found = []
    samples.each(found.append)
    return found


def right_numbers(module):
    """Push, smooth, and a callback that pushes."""
    samples, numbers = module.Samples(), []
    for _ in range(random.randrange(20, 60)):
        numbers.append(random.random())
        samples.push(numbers[-1])
    assert numbers_of(samples) == numbers, "each() must call with every number, in order"
    samples.smooth()
    numbers = smoothed(numbers)
    found = numbers_of(samples)
    assert found == numbers, (
        f"of {len(numbers)} numbers smooth() must leave {numbers[:3]} ..., not {found[:3]} ..."
    )
    seen = []

    def push_too(number):
        assert len(seen) < 100, "each() must not call with numbers that its callback pushes"
        seen.append(number)
        samples.push(number)

    samples.each(push_too)
    assert seen == numbers, "a callback that pushes must see the numbers as they were before"
    assert numbers_of(samples) == numbers * 2, "what a callback pushes must be there afterwards"
    samples.fill(1.0, 3)
    assert numbers_of(samples)[-3:] == [1.0] * 3, "fill(1.0, 3) must push 1.0 three times"
    assert of_one_moment(samples), (
        "another thread's smooth() came in the middle of each(), which must call with the numbers of one moment"
    )


def of_one_moment(samples):
    """Smooth in another thread as soon as each() has called once: whether it calls with what was there before."""
    before, seen = numbers_of(samples), []
    thread = threading.Thread(target=samples.smooth)

    def smooth_meanwhile(number):
        if not seen:
            thread.start()
            thread.join(MEANWHILE_S)
        seen.append(number)

    samples.each(smooth_meanwhile)
    thread.join()
    return seen == before


WHY = {
    "push() to another object": "no object is to wait for another one's lock",
    "gc.collect()": "it is to work detached, as before",
}


def own_clock():
    """The calling thread's CPU time, which stands still while other processes have the core."""
    if hasattr(time, "pthread_getcpuclockid"):
        return time.pthread_getcpuclockid(threading.get_ident())
    return time.CLOCK_MONOTONIC


def waited(samples, other, times):
    """Push to another object while a thread smooths, then begin a collection: which lasts most of the rest of that.

    "" if none does; None where there was not enough left to say: the machine has other things to do.
    """
    started, marks = threading.Event(), []

    def smooth():
        clock = own_clock()
        marks.extend((clock, time.clock_gettime(clock)))
        started.set()
        samples.smooth(times)
        marks.append(time.clock_gettime(clock))

    def done():
        """How long the other thread has smoothed; what it took in all if it is over."""
        try:
            return time.clock_gettime(marks[0]) - marks[1]
        except OSError:  # there is no such thread any more
            return marks[2] - marks[1]

    thread = threading.Thread(target=smooth)
    thread.start()
    started.wait()
    while done() < SMOOTH_S / 10 and thread.is_alive():
        time.sleep(SMOOTH_S / 40)
    begin = done()
    other.push(1.0)
    pushed = done()
    gc.collect()
    collected = done()
    thread.join()
    left = marks[2] - marks[1] - begin
    if left < SMOOTH_S / 4:
        return None
    push, collection = WHY
    if pushed - begin >= left / 2:
        return push
    return collection if collected - pushed >= left / 4 else ""


def single(module):
    """Right numbers; and others are over with theirs before smooth() is, twice before they are three times not."""
    right_numbers(module)
    samples, other = module.Samples(), module.Samples()
    samples.fill(1.0, 1000)
    begin = time.thread_time()
    samples.smooth(2_000)
    times = min(10**6, int(2_000 * SMOOTH_S / (time.thread_time() - begin)))
    gc.collect()
    gc.freeze()
    seen = []
    while seen.count("") < 2:
        if len(seen) == MOST_TIMES:
            raise Undecided(f"whether anybody waits was too unclear in {MOST_TIMES} tries")
        seen.append(waited(samples, other, times))
        for what, why in WHY.items():
            assert seen.count(what) < 3, (
                f"another thread's {what} lasted as long as smooth(): {why}"
            )


def use(samples):
    """What a thread does: how many numbers it has added; 1.0 is the only number there is."""
    samples.push(1.0)
    samples.smooth()
    samples.push(1.0)
    seen = []

    def push_too(number):
        seen.append(number)
        samples.push(1.0)

    samples.each(push_too)
    return 2 + len(seen) if set(seen) == {1.0} else STRANGE


def what_is_there(samples, added, _threads):
    """Numbers against pushes, once nobody pushes."""
    if STRANGE in added:
        return "a number that nobody pushed"
    return "all there" if samples.size == sum(added) else "numbers lost"


exercise = Exercise(
    "cheapest_lock",
    title="Choose the cheapest lock that is right",
    chapter="13_in_cython",
    level="hard",
    minutes=20,
    goal="No number is lost and no freed memory is read, whoever calls push(), smooth() and each() at one time; smooth() works detached; a push() costs no more than it must, and does not wait for another object's smooth().",
    hints=(
        "One array, so one lock: two kinds of lock keep nobody out. Ask each method what its lock must stand.",
        "smooth() works in `with nogil`. Which of the three locks stays locked while its owner is detached?",
        "each() calls somebody else's code, which may push. Which of the three may be taken a second time by its owner? And must it be held at all while you call?",
        "Copy the numbers into a list under the lock, give the lock back, then call. Now nothing needs a lock that can be taken twice.",
        "`cdef cython.pymutex lock` among the attributes, and `with self.lock:` in all three methods.",
    ),
    lab=Lab(
        "cheapest_lock",
        question="Is every number that was pushed still there?",
        modules=["cheapest_lock"],
        setup="Samples",
        actors=[use, use],
        observe=what_is_there,
        observe_key="size",
        outcomes={
            "all there": ACCEPTABLE("as many numbers as were pushed"),
            "numbers lost": FORBIDDEN(
                "the array was written while it was replaced, or twice in one place"
            ),
            "a number that nobody pushed": FORBIDDEN("read from memory that is freed"),
            "crash(*)": FORBIDDEN("memory was used after it was freed, or freed twice"),
            "error(*)": FORBIDDEN("a method failed that does not with one thread"),
            "hang": FORBIDDEN("a thread waits for a lock for ever"),
        },
    ),
    single=single,
    advice={
        "numbers lost": "Somebody pushes while smooth() or another push() is at work. Does every method take the same lock, and does it hold while smooth() is detached?",
        "a number that nobody pushed": "A method reads where smooth() or push() has already freed the array. Who reads without the lock, or with one that does not hold?",
        "crash(*)": "Memory that one method freed was used by another one. Does every method take the same lock, each() too, and does it hold while smooth() is detached?",
        "error(*)": "Which of the methods reads what another one is changing?",
        "hang": "Who waits for whom? A lock that is held while the callback runs, and the callback comes back.",
    },
    cost=Cost(
        body=lambda module: partial(module.Samples().fill, 1.0, 10),
        limit=2.5,
        why="A lock from threading is an object, and each push() pays for two calls. What makes you need one? Hold nothing while the callback runs, and a cheaper lock will do.",
    ),
)
