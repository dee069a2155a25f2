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
SECONDS = 50.0
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
    return repeat(("pytest", "pytest-repeat"), seconds=30)


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
    rows = repeat(PLUGINS, *sessions.ISOLATED, variant="fixed", seconds=35)
    return rows + repeat(("race fixture",), variant="fixed", seconds=15)


def sanitizer():
    """`answer()` under ThreadSanitizer, where there is such an interpreter."""
    from racelab.racing import RaceError, sanitizer_python

    code = """
    import importlib, sys, threading
    answer = importlib.import_module(sys.argv[1]).answer
    threads = [threading.Thread(target=answer) for _ in range(2)]
    for thread in threads: thread.start()
    for thread in threads: thread.join()
    """
    rows = []
    for variant in ("broken", "fixed"):
        for number in range(5):
            try:
                python = sanitizer_python("thread")
            except RaceError as error:
                return [{"variant": variant, "session": 0, "seen": f"not run: {error}"}]
            source = PLANTED / f"planted_{variant}.c"
            built = rl.compile(source, python=python, sanitizer="thread")
            seen = rl.run_child(
                code, python=python, modules=[built], args=[built.name], timeout_s=60
            )
            rows.append(
                {
                    "variant": variant,
                    "session": number,
                    "seen": seen.outcome,
                    "seconds": round(seen.seconds, 2),
                }
            )
    return rows


MEASUREMENTS = {
    "plain": plain,
    "run_parallel": run_parallel,
    "freethreaded": freethreaded,
    "fixture": fixture,
    "control": control,
    "sanitizer": sanitizer,
}
