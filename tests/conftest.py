"""What all tests share: Ctrl-C for their children, the count of verdicts that the racing tests could not reach."""

from __future__ import annotations

import signal
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))

# A shell without job control starts what runs in its background with Ctrl-C ignored, and a child inherits that:
# the tests of Ctrl-C would wait for ever.
if signal.getsignal(signal.SIGINT) == signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """List what the time cap cut off."""
    races = sys.modules.get("sequential")
    if races is None:
        return
    for name in races.inconclusive:
        terminalreporter.write_line(f"INCONCLUSIVE {name}: no proof within the time cap")
    if races.too_many():
        terminalreporter.write_line(races.too_many(), red=True)


@pytest.hookimpl(trylast=True)
def pytest_sessionfinish(session: pytest.Session) -> None:
    """Too few verdicts fail the run."""
    races = sys.modules.get("sequential")
    if races is not None and races.too_many() and session.exitstatus == pytest.ExitCode.OK:
        session.exitstatus = pytest.ExitCode.TESTS_FAILED
