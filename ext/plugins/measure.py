"""What `racelab record plugins` runs: the planted suite under every tool, session after session."""

import sys
import time
from pathlib import Path

import racelab as rl

PLANTED = Path(__file__).resolve().parent.parent / "planted"
sys.path.insert(0, str(PLANTED))

import sessions  # noqa: E402

DEPENDS = ["planted"]
RACES = []
SECONDS = 40.0
PLUGINS = ("pytest-run-parallel", "pytest-freethreaded")


def repeat(tools, *words, at_most=20, seconds=SECONDS, **how):
    """Sessions of these tools in turn, for so many seconds, two of each at least."""
    rows, number, begin = [], 0, time.monotonic()
    while number < at_most and (number < 2 or time.monotonic() < begin + seconds):
        for tool in tools:
            one = sessions.session(tool, *words, **how)
            if one.ending.outcome == "not-run":
                raise RuntimeError(f"{tool} could not be run:\n{one.text}")
            rows += sessions.rows(tool, number, one)
        number += 1
    return rows


def plain():
    """Plain pytest, and every test a hundred times in one process."""
    return repeat(("pytest", "pytest-repeat"), at_most=10, seconds=15)


def run_parallel():
    """A worker process of its own, so that a crash costs one test."""
    return repeat(PLUGINS[:1], *sessions.ISOLATED)


def freethreaded():
    """The same."""
    return repeat(PLUGINS[1:], *sessions.ISOLATED)


def fixture():
    """The races, one after the other."""
    return repeat(("race fixture",))


def control():
    """Every tool on the repaired module: what is reported here is not a bug of the module."""
    rows = repeat(PLUGINS, *sessions.ISOLATED, variant="fixed", seconds=20)
    return rows + repeat(("race fixture",), variant="fixed", seconds=12)


def sanitizer():
    """`answer()` under ThreadSanitizer, where there is such an interpreter."""
    rows = []
    for variant in ("broken", "fixed"):
        lab = rl.Lab(
            f"answer_{variant}",
            sources=[PLANTED / f"planted_{variant}.c"],
            actors=["answer", "answer"],
            outcomes={"*": rl.ACCEPTABLE("whatever is returned")},
        )
        try:  # one chance for each process, as for table()
            seen = rl.race(
                lab, sanitizer="thread", mode="cold", count=10, seconds=12, progress=False
            )
        except rl.RaceError as error:
            return [{"variant": variant, "seen": f"not run: {error}"}]
        rows += [
            {"variant": variant, "seen": one.ending, "seconds": round(one.seconds, 2)}
            for one in seen.repetitions
        ]
    return rows


MEASUREMENTS = {
    "plain": plain,
    "run_parallel": run_parallel,
    "freethreaded": freethreaded,
    "fixture": fixture,
    "control": control,
    "sanitizer": sanitizer,
}
