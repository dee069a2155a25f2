"""Three mistakes with containers: shown too early, walked while it grows, counted in two calls."""

import ctypes
import gc
import os
import random
import sys
import time
from collections import Counter
from threading import Thread

from racelab import ACCEPTABLE, FORBIDDEN, Lab
from racelab.exercise import Exercise

JOBS = [f"job {n}" for n in range(6)]
MORE = 10
#: How long a container is held: long enough for two threads to come, where one core is all there is.
HOLD_US = 30_000 if os.environ.get("RACELAB_WIDEN", "0") not in ("", "0") else 5_000
#: A function of C that is called as if it were one of CPython's: nothing is detached meanwhile.
sleep_attached = ctypes.PyDLL(None).usleep


def single(module):
    """Lines, counts and the newest report, one report after another."""
    tally, expected = module.Tally(), Counter()
    assert tally.newest() == (), "before the first report there are no lines"
    for _ in range(4):
        jobs = random.choices(JOBS, k=random.randrange(1, 12))
        lines = []
        for job in jobs:
            expected[job] += 1
            lines.append(f"{job}: {expected[job]}")
        found = tally.report(list(jobs))
        assert found == lines, f"report({jobs}) must return {lines}, and returns {found}"
        assert tally.newest() == tuple(lines), f"newest() must be {lines}, and is {tally.newest()}"
        assert tally.counts() == expected, f"counts() must be {dict(expected)}"
    try:
        tally.report([[]])
    except TypeError:
        pass
    else:
        raise AssertionError("a job that cannot be hashed must raise TypeError")
    job = f"another job {random.random()}"
    tally.report([job])  # `seen` has it now
    before = sys.getrefcount(job)
    for _ in range(3):
        report = tally.report([job])
    tally.report(["last job"])
    more = sys.getrefcount(job) - before
    assert not more, f"after 3 reports on a job it has {more} references more than before them"
    fresh = []
    more = sys.getrefcount(report) - sys.getrefcount(fresh)
    assert not more, f"a report that is not the newest any more has {more} references too many"


def give_way():
    """A race point for Python: on one core it must not be through while the others sleep."""
    if os.environ.get("RACELAB_WIDEN", "0") not in ("", "0"):
        time.sleep(random.random() * 4e-5)


class Office:
    """Two who report, and one who appends jobs and reads the newest report."""

    rounds = iter(range(1 << 40))  # sent to children: those of itertools cannot be

    def __init__(self, module):
        self.tally = module.Tally()
        self.jobs = list(JOBS)

    def report(self):
        """The lines of a report."""
        return self.tally.report(self.jobs)

    def append(self):
        """Whether all lines were there, each time."""
        full = True
        for n in range(MORE):
            give_way()
            full = full and None not in self.tally.newest()
            self.jobs.append(f"more {n}")
        return "full" if full else "holes"


def counted_in_a_busy_dict(tally):
    """How often two reports count a job while somebody else has the dict's own lock, as counts() has it."""
    held = []
    first = Thread(target=tally.report, args=(["job"],))  # the dict is a shared one from now on
    first.start()
    first.join()

    class Slow:
        def keys(self):
            held.append(True)
            sleep_attached(HOLD_US)  # who detaches gives up the dict
            return ()

    dicts = [seen for seen in gc.get_referents(tally) if type(seen) is dict]
    threads = [Thread(target=own.update, args=(Slow(),), daemon=True) for own in dicts]
    threads += [Thread(target=tally.report, args=(["job"],), daemon=True) for _ in range(2)]
    for thread in threads:
        thread.start()
        while thread in threads[: len(dicts)] and len(held) < len(dicts):
            time.sleep(1e-4)
    for thread in threads:
        thread.join()
    return tally.counts()["job"] - 1


def how_it_went(office, returned, _threads):
    """Holes, and lines against counts."""
    if "holes" in returned:
        return "a report with holes"
    lines = [line for one in returned if isinstance(one, list) for line in one]
    counted = sum(office.tally.counts().values())
    if counted < len(lines):
        return "a count lost"
    if counted > len(lines):
        return "counted and not reported"
    if len(set(lines)) < len(lines):
        return "a number in two reports"
    if next(office.rounds) % 25 == 10 and counted_in_a_busy_dict(type(office.tally)()) < 2:
        return "a count lost in a busy dict"
    return "all counted"


exercise = Exercise(
    "three_mistakes",
    title="Find three mistakes with containers",
    chapter="11_containers",
    level="hard",
    minutes=20,
    goal="Anybody may call report() and newest() at any time, and append to the list of jobs meanwhile: a report has a line for each job that it counts, no count is lost, no two lines give a job the same number, and nobody sees a report before it is full.",
    hints=(
        "There are three shared containers: `jobs`, `seen` and `latest`. One mistake is made with each of them.",
        "What does a reader find in `latest` while report() is still at work? Show it at the end.",
        "`jobs` is asked for its size twice, and walked by macros while it grows. Walk something that is yours: PySequence_Tuple makes a copy in one step.",
        "Read, add, store in `seen` are two calls, and two reports may both read 3. No call of the dict adds: put a PyMutex into Tally and hold it from the read to the store.",
        "The new number belongs to the line, too: take it along from where the lock is held. Unlock on every path, and use the macros only on what nobody else has.",
    ),
    lab=Lab(
        "three_mistakes",
        question="Is every job counted, and every report full?",
        modules=["three_mistakes"],
        setup=Office,
        actors=["report", "report", "append"],
        threads=[3],
        observe=how_it_went,
        outcomes={
            "all counted": ACCEPTABLE("a line for each count, and no holes"),
            "a count lost": FORBIDDEN("two reports added to the same number"),
            "a count lost in a busy dict": FORBIDDEN("two added to it while others used the dict"),
            "a number in two reports": FORBIDDEN("it was read again when another one had counted"),
            "counted and not reported": FORBIDDEN("the list grew while it was walked"),
            "a report with holes": FORBIDDEN("it was shown before it was full"),
            "crash(*)": FORBIDDEN("written behind an end, or used after it was freed"),
            "error(*)": FORBIDDEN("an object is not what it was"),
            "hang": FORBIDDEN("a lock was not given back, or memory is corrupted"),
        },
    ),
    single=single,
    advice={
        "a count lost": "Two threads read the same number in `seen`. Which two calls are one step?",
        "a count lost in a busy dict": "Who waits for a lock inside of a critical section gives the section up: others need only have the dict's lock for a moment. Which lock is kept while you wait?",
        "a number in two reports": "A line says which number its job got. Where is that number known, and who may have counted since?",
        "counted and not reported": "`jobs` had another size later than at the beginning. What do you walk?",
        "a report with holes": "Who can find `lines` before the last line is in it?",
        "crash(*)": "Which container is read or written by macros while others have it? Look at `jobs`, and at the end of `lines`.",
        "error(*)": "Which container is read by macros while others have it? A borrowed job may go.",
        "hang": "Go through every path out of a locked region: does each unlock once?",
    },
)
