"""Run the tests: `make test`, or with --race the long racing ones (`make test-race`).

Two runs of pytest, because two interpreters are under test: the harness on free-threaded 3.13t, the
project and its site on the host's ordinary Python. The last line adds them up.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import xml.etree.ElementTree as ElementTree
from collections import Counter
from pathlib import Path

from project import BUILD, ROOT, python_of, say

SESSIONS = {
    "racelab on the free-threaded interpreter": ("ft", ["tests", "--ignore=tests/project"]),
    "the project and its site": ("checks", ["tests/project", "tests/test_stats.py"]),
}


def main(arguments: list[str] | None = None) -> int:
    """Run both sessions even if the first fails; exit status 1 if any test failed or none ran."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--race", action="store_true", help="only the long racing tests")
    parser.add_argument("rest", nargs="*", help="passed on to pytest")
    chosen = parser.parse_args(arguments)
    BUILD.mkdir(exist_ok=True)
    total: Counter[str] = Counter()
    for number, (title, (environment, paths)) in enumerate(SESSIONS.items()):
        say(f"\n== {title} ==")
        total += run(environment, paths, chosen, BUILD / f"tests-{number}.xml")
    say("")
    print(f"{total['passed']} passed, {total['failed']} failed, {total['skipped']} skipped")
    return 1 if total["failed"] or not total["passed"] else 0


def run(
    environment: str, paths: list[str], chosen: argparse.Namespace, report: Path
) -> Counter[str]:
    """One run of pytest and what it counted; a run that broke off counts as a failure."""
    report.unlink(missing_ok=True)
    command = [str(python_of(environment)), "-m", "pytest", *paths, f"--junitxml={report}"]
    command += ["-m", "race" if chosen.race else "not race", *chosen.rest]
    variables = {key: value for key, value in os.environ.items() if key != "PYTHON_GIL"}
    status = subprocess.run(command, cwd=ROOT, env=variables).returncode
    counts = counted(report)
    nothing_to_run = 5
    if status not in (0, 1, nothing_to_run) or (status == 1 and not counts["failed"]):
        say(f"pytest ended with status {status} in {environment}: counted as a failure")
        counts["failed"] += 1
    return counts


def counted(report: Path) -> Counter[str]:
    """passed, failed and skipped of one JUnit report; nothing if there is none."""
    counts: Counter[str] = Counter()
    if report.exists():
        for case in ElementTree.parse(report).iter("testcase"):
            kinds = {child.tag for child in case}
            failed = kinds & {"failure", "error"}
            kind = "failed" if failed else "skipped" if "skipped" in kinds else "passed"
            counts[kind] += 1
    return counts


if __name__ == "__main__":
    raise SystemExit(main())
