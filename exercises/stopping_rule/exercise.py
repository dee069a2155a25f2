"""Three reports about a repaired race: what do their numbers prove?"""

import math
from itertools import count

from racelab import stats
from racelab.exercise import Exercise

REPEATS, FAILED_AT, HALF, BEFORE = 500, 5, 100, 3
STOPPED = stats.first_failure(FAILED_AT, unit="repeat")
FIXED_COUNT = stats.rate_per_repetition(1, FAILED_AT)


def halves(failed):
    """The ratio when so many failed before the fix, and none after."""
    before, after = (stats.rate_per_repetition(n, HALF) for n in (failed, 0))
    return stats.ratio(before, after)


def near(value, right, within=0.03):
    """Whether a number is another one, but for how it was rounded."""
    return math.isclose(value, right, rel_tol=within, abs_tol=1e-12)


def about_chances(value):
    """A first call in one process has one chance."""
    return None if value == 1 else "how many first calls are there in one process?"


def about_bound(value):
    """The bound for so many clean runs, or nearly that: the rule of three."""
    if near(value, stats.zero_failure_bound(REPEATS)) or near(value, 3 / REPEATS, 0.001):
        return None
    if near(value, 0):
        return "a count cannot prove a rate of 0: which rate hides in 500 runs one time in twenty?"
    if near(value, 1 / REPEATS, 0.01):
        return "a rate of one in 500 hides in 500 runs more often than one time in three"
    return "which rate hides in 500 runs one time in twenty? A fraction, not in percent"


def about_stopped(value, end):
    """An end of the interval for a run that stopped because it failed."""
    if near(value, getattr(STOPPED, end)):
        return None
    if near(value, getattr(FIXED_COUNT, end)):
        return "that is for 1 failure in 5 planned runs; here the failure chose when to stop"
    if near(value, STOPPED.estimate):
        return "that is what the report says; how far from it may the true rate be?"
    return "not this end of the interval for a first failure in run 5"


def about_low(value):
    """Where the interval of the ratio begins."""
    if near(value, halves(BEFORE).low):
        return None
    if near(value, math.inf):
        return "that is the estimate; where does the interval begin?"
    return "stats.ratio compares two rates; where does its interval begin?"


def about_chance(value):
    """All three on one side: by a coin for each, or by drawing three of 200 processes."""
    drawn = math.comb(HALF, BEFORE) / math.comb(2 * HALF, BEFORE)
    if near(value, 0.5**BEFORE, 0.01) or near(value, drawn, 0.01):
        return None
    if near(value, 0.5**BEFORE * 2, 0.01):
        return "that counts three before and none after, and none before and three after"
    return "three failures; each is in the first hundred with an even chance; all three are?"


def about_enough(value):
    """The least number that puts 1 outside of the interval."""
    return (
        None
        if value == next(n for n in count(1) if halves(n).low > 1)
        else "try stats.ratio for more and more failures before, until the interval begins above 1"
    )


QUESTIONS = {
    "A_CHANCES": about_chances,
    "A_BOUND": about_bound,
    "B_LOW": lambda value: about_stopped(value, "low"),
    "B_HIGH": lambda value: about_stopped(value, "high"),
    "C_LOW": about_low,
    "C_CHANCE": about_chance,
    "C_ENOUGH": about_enough,
}


def single(module):
    """All numbers, each with a word on what went wrong."""
    wrong = []
    for name, about in QUESTIONS.items():
        value = getattr(module, name, None)
        if value is None:
            said = "not filled in yet"
        elif not isinstance(value, (int, float)):
            said = f"a number, not {value!r}"
        else:
            said = about(value)
        if said:
            wrong.append(f"{name}: {said}")
    assert not wrong, "\n".join(wrong)


exercise = Exercise(
    "stopping_rule",
    title="Read three reports",
    chapter="04_count",
    level="medium",
    minutes=10,
    goal="Seven numbers that say what each of three reports proves.",
    hints=(
        "For each report ask two things: what was one trial, and who decided when to stop?",
        "A: the test makes a table on first use, and all 500 repeats share a process. For the bound: stats.zero_failure_bound.",
        "B: nobody planned five runs. stats.first_failure(5) knows that the failure ended the run.",
        "C: stats.ratio(before, after).low, with two rates from stats.rate_per_repetition. Is 1 inside of the interval?",
        "If nothing was mended, the 200 processes are alike, and each failure tosses a coin for its half.",
    ),
    single=single,
)
