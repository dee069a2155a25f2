"""Run a recipe under pytest in this process, a child, and leave what was seen in `result`.

Arguments: when the parent started this process (CLOCK_MONOTONIC, ns), then pytest's own.
"""

from __future__ import annotations

import contextlib
import os
import sys
import time
from typing import Any

import pytest


class Recorder:
    """A pytest plugin: counts tests, and notes when the first one failed."""

    def __init__(self, started_ns: int) -> None:
        self.started_ns = started_ns
        self.passed = 0
        self.failed = 0
        self.first_failure_s: float | None = None
        self.problem: str | None = None
        self.loop_s = 0.0

    @pytest.hookimpl(wrapper=True)
    def pytest_runtestloop(self) -> Any:
        """Time the loop over the tests, without collection and start-up."""
        begin = time.perf_counter()
        try:
            return (yield)
        finally:
            self.loop_s = time.perf_counter() - begin

    def pytest_runtest_makereport(self, call: Any) -> None:
        """An exception that is no failed assertion is a fault of ours, not a finding."""
        if call.excinfo is not None and not call.excinfo.errisinstance(AssertionError):
            self.problem = str(call.excinfo.getrepr(style="short"))[-2000:]

    def pytest_runtest_logreport(self, report: Any) -> None:
        """Count calls, and note the first that failed."""
        if report.when != "call":
            return
        self.passed += report.passed
        self.failed += report.failed
        if report.failed and self.first_failure_s is None:
            self.first_failure_s = (time.monotonic_ns() - self.started_ns) / 1e9


def _facts(recorder: Recorder, status: int) -> dict[str, Any]:
    subject = sys.modules.get("subject")
    trials, failed = recorder.passed + recorder.failed, recorder.failed
    counted = getattr(subject, "COUNTED", [])
    if counted:
        trials, failed = sum(t for t, _ in counted), sum(f for _, f in counted)
    skews = list(getattr(subject, "SKEWS_NS", []))
    for stamps in getattr(sys.modules.get("recipe_skew"), "STAMPS", []):
        if len(stamps) > 1:
            skews.append(max(stamps) - min(stamps))
    return {
        "status": status,
        "trials": trials,
        "failed": failed,
        "first_failure_s": recorder.first_failure_s,
        "loop_s": recorder.loop_s,
        "problem": recorder.problem,
        "skews_ns": skews,
    }


_recorder = Recorder(int(sys.argv[1]))
_options = ["-q", "--tb=short", "-p", "no:cacheprovider", "-p", "no:xdist", "-p", "no:racelab"]
with contextlib.chdir(os.path.dirname(os.path.abspath(__file__))):  # noqa: PTH100, PTH120
    _status = pytest.main([*_options, "-c", os.devnull, *sys.argv[2:]], plugins=[_recorder])
result = _facts(_recorder, int(_status))
