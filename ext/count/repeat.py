"""Run a test with pytest-repeat, in this process, and note which of its repeats failed.

Runs in a child process. argv: what pytest shall run, what to give it as --count, further options.
Leaves `result`: for each test, by name, 1 for each repeat that failed and 0 for each that passed,
in the order in which they ran; and how long the whole took.
"""

import os
import sys
import time
from pathlib import Path

import pytest

begin = time.perf_counter()
sys.dont_write_bytecode = True
test, count, *options = sys.argv[1:]
seen = {}


class Note:
    """Notes each repeat's end."""

    def pytest_runtest_logreport(self, report):
        if report.when == "call":
            seen.setdefault(report.location[2].partition("[")[0], []).append(int(report.failed))


quiet = ["-q", "--tb=no", "--no-header", "-p", "no:cacheprovider", "-c", os.devnull]
status = pytest.main(
    [str(Path(__file__).parent / test), "--count", count, *quiet, *options], plugins=[Note()]
)
if status not in (0, 1):
    raise RuntimeError(f"pytest ended with status {int(status)}")
result = {"failed": seen, "seconds": time.perf_counter() - begin}
