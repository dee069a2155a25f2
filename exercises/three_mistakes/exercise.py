"""Three mistakes with containers: shown too early, walked while it grows, counted in two calls."""

import os
import random
import time
from collections import Counter

from racelab import ACCEPTABLE, FORBIDDEN, Lab
from racelab.exercise import Exercise

JOBS = [f"job {n}" for n in range(6)]
MORE = 10


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


def give_way():
    """A race point for Python: on one core it must not be through while the others sleep."""
    if os.environ.get("RACELAB_WIDEN", "0") not in ("", "0"):
        time.sleep(random.random() * 4e-5)


class Office:
    """Two who report, and one who appends jobs and reads the newest report."""

    def __init__(self, module):
        self.tally = module.Tally()
        self.jobs = list(JOBS)

    def report(self):
        """How many lines a report has."""
        return len(self.tally.report(self.jobs))

    def append(self):
        """Whether all lines were there, each time."""
        full = True
        for n in range(MORE):
            give_way()
            full = full and None not in self.tally.newest()
            self.jobs.append(f"more {n}")
        return "full" if full else "holes"


def how_it_went(office, returned, _threads):
    """Holes, and lines against counts."""
    if "holes" in returned:
        return "a report with holes"
    lines = sum(one for one in returned if isinstance(one, int))
    counted = sum(office.tally.counts().values())
    if counted < lines:
        return "a count lost"
    return "all counted" if counted == lines else "counted and not reported"


exercise = Exercise(
    "three_mistakes",
    title="Find three mistakes with containers",
    chapter="11_containers",
    level="hard",
    minutes=20,
    goal="Anybody may call report() and newest() at any time, and append to the list of jobs meanwhile: a report has a line for each job that it counts, no count is lost, and nobody sees a report before it is full.",
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
        "counted and not reported": "`jobs` had another size later than at the beginning. What do you walk?",
        "a report with holes": "Who can find `lines` before the last line is in it?",
        "crash(*)": "Which container is read or written by macros while others have it? Look at `jobs`, and at the end of `lines`.",
        "error(*)": "Which container is read by macros while others have it? A borrowed job may go.",
        "hang": "Go through every path out of a locked region: does each unlock once?",
    },
)
