"""A test that failed once in 400 nights: how sure can one be of its rate, and how many runs does that ask for?"""

import math

from racelab import stats
from racelab.exercise import Exercise

NIGHTS, SURE, PER_SECOND = 400, 0.99, 20
NIGHT = stats.rate_per_repetition(1, NIGHTS)


def near(value, right, within=0.03):
    """Whether a number is another one, but for how it was rounded."""
    return math.isclose(value, right, rel_tol=within, abs_tol=1e-12)


def about_bound(value, end):
    """What is wrong with one end of the interval; None if nothing is."""
    right = getattr(NIGHT, end)
    if near(value, right):
        return None
    if near(value, 100 * right):
        return "as a fraction, not in percent"
    if near(value, getattr(stats.wilson(1, NIGHTS), end), 0.01):
        return "that is Wilson's interval, which is for plots; take the exact one"
    if near(value, NIGHT.estimate):
        return "that is the estimate; an interval has two ends, one on each side of it"
    if near(value, stats.zero_failure_bound(NIGHTS)):
        return "that is the bound after 400 nights without a failure; there was one"
    return "not this end of the exact 95 % interval for 1 failure in 400"


def about_plan(value, rate):
    """What is wrong with a number of processes; None if nothing is."""
    if near(value, stats.plan(rate, SURE)):
        return None
    if near(value, stats.plan(rate)):
        return "so many make you 95 % sure; you want 99 %"
    if near(value, 1 / rate):
        return "so many show one failure on average, and quite often none"
    return "at this rate, how many runs show a failure with a chance of 99 %?"


def about_minutes(value):
    """What is wrong with the time; None if nothing is."""
    if near(value, stats.plan(NIGHT.low, SURE) / PER_SECOND / 60):
        return None
    return "what PROCESSES_AT_LOW should be, 20 a second, in minutes"


def about_silence(value):
    """What is wrong with the ratio of two silent runs; None if nothing is."""
    clean = stats.rate_per_repetition(0, stats.plan(NIGHT.estimate, SURE))
    if near(value, stats.ratio(clean, clean).low):
        return None
    return "both were silent; could the fix have done nothing, or harm? Ask stats.ratio"


QUESTIONS = {
    "LOW": lambda value: about_bound(value, "low"),
    "HIGH": lambda value: about_bound(value, "high"),
    "PROCESSES": lambda value: about_plan(value, NIGHT.estimate),
    "PROCESSES_AT_LOW": lambda value: about_plan(value, NIGHT.low),
    "MINUTES_AT_LOW": about_minutes,
    "AT_LEAST_TIMES": about_silence,
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
    "how_many",
    title="Say how many runs would show it",
    chapter="04_count",
    level="easy",
    minutes=10,
    goal="Six numbers about a test that failed in 1 of 400 nights: how sure its rate is, and how many runs would show it.",
    hints=(
        "A night is a repetition. stats.rate_per_repetition(failed, of) has .low, .estimate and .high; all are fractions.",
        "rl.plan(rate, confidence) says how many runs show at least one failure. Its confidence is 0.95 unless you say otherwise.",
        "stats.ratio(broken, fixed) compares two rates. Print it for two rates of 0 failures, and read the sentence.",
        "night = stats.rate_per_repetition(1, 400); then night.low, night.high, rl.plan(night.estimate, 0.99), rl.plan(night.low, 0.99).",
    ),
    single=single,
)
