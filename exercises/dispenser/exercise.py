"""Jobs that are handed out: look, take and delete are one step, or somebody comes between."""

import ctypes
import gc
import os
import random
import sys
import time
from threading import Thread

from racelab import ACCEPTABLE, FORBIDDEN, Lab
from racelab.exercise import Exercise

#: How long a container is held: long enough for two threads to come, where one core is all there is.
HOLD_US = 30_000 if os.environ.get("RACELAB_WIDEN", "0") not in ("", "0") else 5_000
#: A function of C that is called as if it were one of CPython's: nothing is detached meanwhile.
sleep_attached = ctypes.PyDLL(None).usleep


def single(module):
    """In the order in which they were added, to the end, and again."""
    dispenser = module.Dispenser()
    assert list(dispenser) == [], "without jobs the iteration ends at once"
    for _ in range(3):
        jobs = [random.random() for _ in range(random.randrange(3, 9))]
        for job in jobs:
            dispenser.add(job)
        assert dispenser.left() == jobs, f"left() must be {jobs}, and is {dispenser.left()}"
        first = next(dispenser, None)
        assert first == jobs[0], f"the oldest of {jobs} comes first, not {first}"
        dispenser.add("late")
        assert list(dispenser) == [*jobs[1:], "late"], "all jobs, in the order of add()"
        assert dispenser.left() == [], f"nothing is left, not {dispenser.left()}"
    keeps_what_it_has(module)


def keeps_what_it_has(module):
    """A job belongs to who has it, and to nobody else."""
    job, dispenser = object(), module.Dispenser()
    before = sys.getrefcount(job)
    for _ in range(3):
        dispenser.add(job)
        assert next(dispenser) is job
    more = sys.getrefcount(job) - before
    assert not more, f"a job has {more:+} references when it was handed out 3 times and dropped"


def taken_from_a_busy_list(dispenser):
    """What two get while a third one has the list's own lock, as add() and left() have it for a moment."""
    held, taken = [], []

    def hold():
        held.append(True)
        sleep_attached(HOLD_US)  # who detaches gives up the list
        yield from ()

    def start(call, *args):
        thread = Thread(target=call, args=args, daemon=True)
        thread.start()
        return thread

    lists = [seen for seen in gc.get_referents(dispenser) if type(seen) is list]
    threads = [start(own.extend, hold()) for own in lists]
    while len(held) < len(lists):
        time.sleep(1e-4)
    threads += [start(lambda: taken.append(next(dispenser, None))) for _ in range(2)]
    for thread in threads:
        thread.join()
    return taken


class Shift:
    """Some jobs for two: fewer than there are threads, or more."""

    rounds = iter(range(1 << 40))  # sent to children: those of itertools cannot be

    def __init__(self, module):
        self.dispenser = module.Dispenser()
        self.jobs = list(range(random.choice((1, 5))))
        for job in self.jobs:
            self.dispenser.add(job)

    def take(self):
        """Two jobs, or what there is."""
        taken = []
        try:
            taken += [next(self.dispenser, None) for _ in range(2)]
        except IndexError:
            taken.append("too late")
        return taken


def what_became_of_them(shift, returned, _threads):
    """Handed out and left: together they are all jobs, each once."""
    taken = [job for one in returned for job in one if job is not None]
    if "too late" in taken:
        return "an exception for no more jobs"
    if len(set(taken)) < len(taken):
        return "a job twice"
    if sorted(taken + shift.dispenser.left()) != shift.jobs:
        return "a job lost"
    if next(shift.rounds) % 25 == 10:  # it takes its time
        dispenser = type(shift.dispenser)()
        for job in shift.jobs:
            dispenser.add(job)
        taken = [job for job in taken_from_a_busy_list(dispenser) if job is not None]
        if sorted(taken + dispenser.left()) != shift.jobs:
            return "a job twice, from a busy list"
    return "each job once"


exercise = Exercise(
    "dispenser",
    title="Hand out each job once",
    chapter="11_containers",
    level="medium",
    minutes=15,
    goal="Each job goes to one thread: none twice, none lost. When there are no more, the iteration ends. Other threads may add jobs meanwhile.",
    hints=(
        "Each of the three calls on the list is atomic. Write down two callers, step by step, once with one job and once with many.",
        "The size, the item and the deletion belong together: nobody may come between the first and the last.",
        "A critical section on the list will not hold: the calls inside lock the same list, and give yours up for that. On the dispenser it is no better: while others have the list, who waits for it gives yours up.",
        "Put a PyMutex into the struct; tp_alloc fills it with zeros, which is an unlocked mutex. Lock it before the size and unlock it after the deletion, on every path.",
        "Or find the one call that looks, takes and deletes: lists have a method for it in Python. What does it raise when the list is empty?",
    ),
    lab=Lab(
        "dispenser",
        question="Is each job handed out once?",
        modules=["dispenser"],
        setup=Shift,
        actors=["take", "take"],
        observe=what_became_of_them,
        outcomes={
            "each job once": ACCEPTABLE("handed out to one thread, or still there"),
            "a job twice": FORBIDDEN("two threads took it before one of them deleted it"),
            "a job twice, from a busy list": FORBIDDEN("two took it while others used the list"),
            "a job lost": FORBIDDEN("deleted by a thread that had taken another"),
            "an exception for no more jobs": FORBIDDEN("it went after the size was asked"),
            "crash(*)": FORBIDDEN("a job was used after it was freed"),
            "error(*)": FORBIDDEN("an exception that no caller expects"),
            "hang": FORBIDDEN("a lock was not given back"),
        },
    ),
    single=single,
    advice={
        "a job twice": "Between taking a job and deleting it another thread still gets in.",
        "a job twice, from a busy list": "Who waits for a lock inside of a critical section gives the section up: add() and left() need only have the list's lock for a moment. Which lock is kept while you wait?",
        "a job lost": "A thread deleted a job that it had not taken: what came between?",
        "an exception for no more jobs": "There was a job when the size was asked, and none when it was taken. Is that one step?",
        "crash(*)": "Who keeps the job between the list and the caller?",
        "error(*)": "`NULL` without an exception means: no more jobs. Which of your calls raises, and when?",
        "hang": "Go through every path out of the locked region: does each unlock once?",
    },
)
