"""Run the tests: `make test`, or with --race the long racing ones (`make test-race`).

Two interpreters are under test: the harness on free-threaded 3.13t, the project and its site on the
host's ordinary Python. The harness is tested alone, because it measures. The exercises and their checker come
next, side by side: they hold their windows open or find out first how often a bug shows. After them runs all
that mostly waits: the labs, debuggers and servers, the project, the browser. The last line adds up.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import tempfile
import xml.etree.ElementTree as ElementTree
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from project import BUILD, ROOT, python_of, say


@dataclass(frozen=True)
class Session:
    """One run of pytest.

    Attributes:
        title: what it tests, for whoever watches.
        environment: whose Python runs it.
        paths: what pytest is given.
        marked: a marker expression that its tests must meet, beside the one about long tests.
        named: what their names must hold, as pytest's -k wants it.
        patient: it takes what the others of its group leave of the cores.
    """

    title: str
    environment: str
    paths: tuple[str, ...]
    marked: str = ""
    named: str = ""
    patient: bool = False


PROJECT = ("tests/project", "tests/test_stats.py")
PAGES = "tests/project/test_browser.py"
LABS = "tests/test_labs.py"
EXERCISES = "tests/test_exercises.py"
CHECKER = "tests/test_checking.py"
#: Tests of the harness that wait for other programs, or read what they printed.
WAITING = tuple(
    f"tests/test_{name}.py"
    for name in (
        "classroom",
        "debuggers",
        "living",
        "living_explorer",
        "living_interleaver",
        "living_scan",
        "living_timeline",
        "living_zoo",
        "plan",
        "reports",
        "sessions",
    )
)
ELSEWHERE = (LABS, EXERCISES, CHECKER, *WAITING)
#: The sessions of one group run side by side, the groups one after the other.
GROUPS = (
    (
        Session(
            "racelab on the free-threaded interpreter",
            "ft",
            ("tests", *(f"--ignore={path}" for path in ("tests/project", *ELSEWHERE))),
        ),
    ),
    (
        Session("the exercises", "ft", (EXERCISES,)),
        Session("their checker", "ft", (CHECKER,)),
        # All pages in a browser take one core for a quarter of an hour: the chapters' are about half of it.
        Session("chapters in a browser", "checks", (PAGES,), "browser", "notebooks/", patient=True),
    ),
    (
        Session("the labs", "ft", (LABS,)),
        Session("servers, debuggers, reports", "ft", WAITING),
        Session("the project", "checks", PROJECT, "not browser"),
        Session(
            "the rest in a browser", "checks", ("tests/project", f"--ignore={PAGES}"), "browser"
        ),
        Session("other pages in a browser", "checks", (PAGES,), "browser", "not notebooks/"),
    ),
)


def main(arguments: list[str] | None = None) -> int:
    """Run every session even if the first fails; exit status 1 if any test failed or none ran."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--race", action="store_true", help="only the long racing tests")
    parser.add_argument("rest", nargs="*", help="passed on to pytest")
    chosen = parser.parse_args(arguments)
    BUILD.mkdir(exist_ok=True)
    total: Counter[str] = Counter()
    for group in GROUPS:
        total += together([(one,) for one in group] if chosen.race else [group], chosen)
    say("")
    print(f"{total['passed']} passed, {total['failed']} failed, {total['skipped']} skipped")
    return 1 if total["failed"] or not total["passed"] else 0


def together(groups: Iterable[tuple[Session, ...]], chosen: argparse.Namespace) -> Counter[str]:
    """Run the sessions of each group side by side; the first is watched live, the others are shown after it.

    The long racing tests measure, too: for them each session is a group of its own.
    """
    total: Counter[str] = Counter()
    for first, *others in groups:
        with tempfile.TemporaryDirectory() as folder:
            started = []
            try:
                for number, session in enumerate(others):
                    output = Path(folder, f"{number}.txt")
                    with output.open("wb") as file:
                        started.append((session, start(session, chosen, file), output))
                say(f"\n== {first.title} ==")
                total += ended(first, start(first, chosen, None))
                for session, process, output in started:
                    process.wait()
                    say(f"\n== {session.title} ==")
                    print(output.read_text(encoding="utf-8", errors="replace").rstrip(), flush=True)
                    total += ended(session, process)
            finally:
                for _, process, _ in started:
                    process.terminate()
    return total


def report_of(session: Session) -> Path:
    """Where pytest writes what it counted."""
    return BUILD / f"tests-{session.title.replace(' ', '-')}.xml"


def start(
    session: Session, chosen: argparse.Namespace, output: IO[bytes] | None
) -> subprocess.Popen[bytes]:
    """Start pytest on a session; `output` takes what it prints, else the terminal does."""
    report = report_of(session)
    report.unlink(missing_ok=True)
    command = [str(python_of(session.environment)), "-m", "pytest", *session.paths]
    expression = "race" if chosen.race else "not race"
    if session.marked:
        expression += f" and {session.marked}"
    command += [f"--junitxml={report}", "-m", expression]
    command += ["-k", session.named] if session.named else []
    command += chosen.rest
    if session.patient:
        command = ["nice", "-n", "10", *command]
    variables = {key: value for key, value in os.environ.items() if key != "PYTHON_GIL"}
    error = subprocess.STDOUT if output else None
    return subprocess.Popen(command, cwd=ROOT, env=variables, stdout=output, stderr=error)


def ended(session: Session, process: subprocess.Popen[bytes]) -> Counter[str]:
    """Wait for a session's pytest and count; a run that broke off counts as a failure."""
    status = process.wait()
    counts = counted(report_of(session))
    nothing_to_run = 5
    if status not in (0, 1, nothing_to_run) or (status == 1 and not counts["failed"]):
        say(f"pytest ended with status {status} in {session.title!r}: counted as a failure")
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
