"""Run pytest in this process, a child, on a test file beside this one; `result` is what was counted.

Arguments: the file, with ``::test`` if one of its tests is meant, then pytest's own options.
`result` has passed, failed, seconds (of the loop over the tests, start-up left out), said (pytest's own last
line), and tests: name to passed, failed, warnings and raised (exceptions that ended a thread or a pool's call).
"""

from __future__ import annotations

import contextlib
import io
import os
import sys
import threading
import time
from collections import Counter, defaultdict
from concurrent.futures import Future
from typing import Any

import pytest

COUNTED = ("passed", "failed", "warnings", "raised")
PLUGINS_OFF = ("cacheprovider", "racelab", "run-parallel", "xdist")


class Raised:
    """Counts exceptions in threads and pools, whether anybody looks at them or not."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.count = 0

    def watch(self) -> None:
        """From now on."""
        run, set_exception = threading.Thread.run, Future.set_exception

        def watched_run(thread: threading.Thread) -> None:
            with self.counting():
                run(thread)

        def watched_set(future: Future[Any], error: BaseException | None) -> None:
            if error is not None:
                self.add()
            set_exception(future, error)

        threading.Thread.run = watched_run  # type: ignore[method-assign]
        Future.set_exception = watched_set  # type: ignore[method-assign]

    @contextlib.contextmanager
    def counting(self) -> Any:
        """Count what goes through, and let it go on."""
        try:
            yield
        except BaseException:
            self.add()
            raise

    def add(self) -> None:
        """One more."""
        with self.lock:
            self.count += 1

    def taken(self) -> int:
        """How many since it was last asked."""
        with self.lock:
            count, self.count = self.count, 0
        return count


class Recorder:
    """A pytest plugin: counts by test's name, and times the loop over the tests."""

    def __init__(self, raised: Raised) -> None:
        self.raised = raised
        self.tests: dict[str, Counter[str]] = defaultdict(Counter)
        self.seconds = 0.0

    @pytest.hookimpl(wrapper=True)
    def pytest_runtestloop(self) -> Any:
        """Without collection and start-up."""
        begin = time.perf_counter()
        try:
            return (yield)
        finally:
            self.seconds = time.perf_counter() - begin

    def pytest_runtest_logreport(self, report: Any) -> None:
        """Count the calls, and set-ups that went wrong."""
        if report.when == "call" or report.failed:
            seen = self.tests[name_of(report.nodeid)]
            seen["passed"] += report.passed
            seen["failed"] += report.failed
            seen["raised"] += self.raised.taken()

    def pytest_warning_recorded(self, nodeid: str) -> None:
        """Where the test ended well all the same."""
        self.tests[name_of(nodeid)]["warnings"] += 1


def name_of(nodeid: str) -> str:
    """A test's name, without its file and its parameters."""
    return nodeid.rpartition("::")[2].partition("[")[0]


def run(options: list[str]) -> dict[str, Any]:
    """What pytest counted and said."""
    raised = Raised()
    raised.watch()
    recorder = Recorder(raised)
    off = [word for name in PLUGINS_OFF for word in ("-p", f"no:{name}")]
    said = io.StringIO()
    here = os.path.dirname(os.path.abspath(__file__))  # noqa: PTH100, PTH120
    with contextlib.chdir(here), contextlib.redirect_stdout(said):
        status = pytest.main(
            ["-q", "--tb=line", "--color=no", *off, "-c", os.devnull, *options],
            plugins=[recorder],
        )
    print(said.getvalue())
    return {
        "passed": sum(seen["passed"] for seen in recorder.tests.values()),
        "failed": sum(seen["failed"] for seen in recorder.tests.values()),
        "tests": {
            name: {key: seen[key] for key in COUNTED} for name, seen in recorder.tests.items()
        },
        "seconds": recorder.seconds,
        "status": int(status),
        "said": (said.getvalue().strip().splitlines() or [""])[-1],
    }


result = run(sys.argv[1:])
