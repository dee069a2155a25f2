"""Run the planted suite under one tool, in a child process, and read what the tool said.

    seen = session("pytest-run-parallel")
    seen.tests            {"test_bump": "passed", "test_give": "lost its worker", ...}
    print(seen.lines("short test summary"))

Nothing here runs a test in this process. Every child has a time limit; what it printed until then is kept.
"""

from __future__ import annotations

import os
import re
import shutil
import sys
import tempfile
import textwrap
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Literal

import racelab as rl
from racelab.show import Listing
from racelab.stats import zero_failure_bound

HERE = Path(__file__).resolve().parent
#: Where `make env` puts pytest-freethreaded, away from every other pytest.
PLUGINS = Path(sys.prefix) / "plugins"
SUITE, RACES = "test_planted.py", "test_races.py"
BUGS = ("test_bump", "test_table", "test_label", "test_give", "test_show", "test_answer")

#: Tool to its own words on pytest's command line. Both plugins call each test 320 times: 8 threads,
#: 40 iterations each, or 320 iterations in all. The two count differently.
TOOLS: Mapping[str, tuple[str, ...]] = {
    "pytest": (),
    "pytest-repeat": ("--count=100",),
    "pytest-run-parallel": ("--parallel-threads=8", "--iterations=40"),
    "pytest-freethreaded": ("-p", "no:run-parallel", "--threads=8", "--iterations=320"),
    "race fixture": ("--race-seconds=0.5",),
}
#: A worker process of its own for the tests, and a limit that ends it: a crash or a hang costs one test.
ISOLATED = ("-n", "1", "--timeout=3", "--timeout-method=thread")

RUN = """
import sys, pytest
result = int(pytest.main(sys.argv[1:]))
"""

#: `test_planted.py::test_bump PARALLEL PASSED [ 16%]`, with the words of the plugins.
PLAIN = re.compile(
    r"^\S*?(?P<file>test_\w+\.py)::(?P<test>\w+)(?:\[[^\]]*\])?"
    r" (?P<status>(?:PARALLEL )?(?:PASSED|FAILED|ERROR|SKIPPED))?"
)
#: The same in a worker of pytest-xdist: `[gw0] [ 16%] PASSED test_planted.py::test_bump`.
WORKER = re.compile(
    r"^\[gw\d+\] \[ *\d+%\] (?P<status>\w+) \S*?(?P<file>test_\w+\.py)::(?P<test>\w+)"
)
LOST = re.compile(r"worker 'gw\d+' crashed while running '\S*::(?P<test>\w+)")
WORDS = {"PASSED": "passed", "FAILED": "failed", "ERROR": "failed", "SKIPPED": "inconclusive"}
REPORTED = ("passed", "failed", "inconclusive", "lost its worker")
FOUND = ("failed", "lost its worker", "crash", "hang", "exit")


@dataclass(frozen=True)
class Session:
    """One run of pytest.

    Attributes:
        tool: which one, a key of `TOOLS`.
        ending: how the child process ended.
        tests: test to "passed", "failed", "inconclusive" (skipped), "lost its worker" (crashed, or ended at its time
            limit), or, for the test that was running when pytest itself ended, that ending.
        widened: whether race points were held open.
    """

    tool: str
    ending: rl.Ending
    tests: dict[str, str]
    widened: bool = False

    @property
    def seconds(self) -> float:
        """From the start of the process to its end."""
        return self.ending.seconds

    @property
    def how(self) -> str:
        """How the process ended, in words."""
        return _ending_words(self.ending)

    @property
    def text(self) -> str:
        """All that it printed."""
        return self.ending.stdout + self.ending.stderr

    def lines(self, pattern: str, after: int = 0, limit: int = 12, width: int = 74) -> str:
        """The first lines that match, with `after` more behind each. Padding is left out; long ones are folded."""
        printed, kept, left = self.text.splitlines(), [], 0
        for line in printed:
            left = after + 1 if re.search(pattern, line) else left - 1
            if left > 0:
                kept.append(_folded(line, width))
        return "\n".join(kept[:limit])

    def _repr_markdown_(self) -> str:
        """How it ended, and what became of each test."""
        rows = [
            f"| `{test}` | {words if words in REPORTED else f'was running at the end: {words}'} |"
            for test, words in self.tests.items()
        ]
        stamp = " (widened)" if self.widened else ""
        head = f"**{self.tool}**{stamp}: {self.how} after {self.seconds:.1f} s"
        return "\n".join([head, "", "| test | what became of it |", "|---|---|", *rows])

    def __repr__(self) -> str:
        return f"Session({self.tool!r}, {self.ending.outcome!r}, {self.tests})"


def session(
    tool: str,
    *words: str,
    file: str | None = None,
    variant: str = "broken",
    widen: bool = False,
    gil: Literal["auto", 0, 1] = "auto",
    modules: Iterable[rl.Built] = (),
    timeout_s: float = 60,
) -> Session:
    """Run pytest with a tool on a file of this folder.

    Args:
        tool: a key of `TOOLS`.
        words: more words for pytest's command line; they come last, so they win.
        file: default: the suite, or for the race fixture the races.
        variant: of planted.c.
        widen: hold the race points open.
        gil, modules: as for `racelab.run_child`.
        timeout_s: for the whole session; then it is killed.
    """
    with tempfile.TemporaryDirectory(prefix="planted-") as folder:
        paths = [install(variant, Path(folder))]
        if tool == "pytest-freethreaded":
            paths.append(PLUGINS)
        chosen = file or (RACES if tool == "race fixture" else SUITE)
        ending = rl.run_child(
            RUN,
            args=["-v", "--color=no", *_quiet(tool), *TOOLS[tool], *words, str(HERE / chosen)],
            env={
                "PYTHONPATH": os.pathsep.join(map(str, paths)),
                "RACELAB_WIDEN": "1" if widen else None,
                "PYTEST_ADDOPTS": None,
                "PYTHONDONTWRITEBYTECODE": "1",
            },
            gil=gil,
            modules=modules,
            timeout_s=timeout_s,
        )
    return Session(tool, ending, read(ending.stdout, ending.outcome), widened=widen)


def _quiet(tool: str) -> Iterable[str]:
    """What a session that has nothing to do with a plugin need not load."""
    yield f"--rootdir={HERE}"
    if tool in ("pytest", "pytest-repeat", "race fixture"):
        yield from ("-p", "no:run-parallel")


def install(variant: str, folder: Path) -> Path:
    """Make `import planted` find that variant in the folder, as if it had been installed."""
    built = rl.compile(HERE / f"planted_{variant}.c")
    shutil.copy(built.path, folder)
    (folder / "planted.py").write_text(f"from {built.name} import *\n")
    return folder


def read(printed: str, ending: str) -> dict[str, str]:
    """What became of each test, from what `pytest -v` printed.

    Args:
        printed: stdout, perhaps cut off in the middle.
        ending: how the process ended: what became of a test that was begun and not finished.
    """
    tests: dict[str, str] = {}
    for line in printed.splitlines():
        if line.startswith(("====", "____")) and tests:
            break  # from here on the report, which names them again
        match = WORKER.match(line) or PLAIN.match(line)
        if match:
            status = match["status"] or ""
            words = WORDS.get(status.removeprefix("PARALLEL "))
            before = tests.get(match["test"], "")
            if words is None:
                tests.setdefault(match["test"], "running")
            elif not before.startswith("failed"):  # one of many repeats that failed
                tests[match["test"]] = words
    for test in LOST.finditer(printed):
        tests[test["test"]] = "lost its worker"
    return {test: ending if words == "running" else words for test, words in tests.items()}


def was_found(words: str) -> bool:
    """Whether these words say that something went wrong in a test."""
    return words.startswith(FOUND)


def rows(
    tool: str, number: int, one: Session, tests: Sequence[str] = BUGS
) -> list[dict[str, object]]:
    """One session as flat rows, for a recording."""
    return [
        {
            "tool": tool,
            "session": number,
            "test": test,
            "seen": one.tests.get(test, "not reached"),
            "ending": one.ending.outcome,
            "seconds": round(one.seconds, 2),
        }
        for test in tests
    ]


def matrix(recorded: Sequence[Mapping[str, object]], tests: Sequence[str] = BUGS) -> str:
    """Which tool saw which bug in how many sessions: a Markdown table.

    Behind the bugs stand the bound of a cell with 0 of n (of the smallest n of the row), and the median of the seconds
    that a session took.
    """
    heads = ["tool", *(f"`{test[5:]}`" for test in tests), "0 means", "s"]
    lines = ["| " + " | ".join(heads) + " |", "|---" * len(heads) + "|"]
    for tool, times in seconds(recorded).items():
        counts = [_found(recorded, tool, test) for test in tests]
        empty = [ran for found, ran in counts if ran and not found]
        bound = f"below {zero_failure_bound(min(empty)) * 100:.0f} %" if empty else ""
        cells = [tool, *map(_cell, counts), bound, f"{median(times):.1f}"]
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines)


def _found(recorded: Sequence[Mapping[str, object]], tool: str, test: str) -> tuple[int, int]:
    """In how many sessions something was found, of how many in which the test ran."""
    seen = [str(row["seen"]) for row in recorded if (row["tool"], row["test"]) == (tool, test)]
    ran = [words for words in seen if words != "not reached"]
    return sum(map(was_found, ran)), len(ran)


def _cell(count: tuple[int, int]) -> str:
    found, ran = count
    if not ran:
        return "not run"
    return f"**{found} of {ran}**" if found else f"0 of {ran}"


def seconds(recorded: Sequence[Mapping[str, object]]) -> dict[str, list[float]]:
    """Tool to the seconds of each of its sessions."""
    found: dict[str, dict[object, float]] = {}
    for row in recorded:
        found.setdefault(str(row["tool"]), {})[row["session"]] = float(str(row["seconds"]))
    return {tool: list(times.values()) for tool, times in found.items()}


def show_test(name: str, file: str = SUITE) -> Listing:
    """One function of a test file, with its line numbers."""
    texts = (HERE / file).read_text(encoding="utf-8").splitlines()
    start = next(n for n, text in enumerate(texts) if text.startswith(f"def {name}("))
    rest = range(start + 1, len(texts))
    end = next((n for n in rest if texts[n] and not texts[n].startswith((" ", ")"))), len(texts))
    chosen = list(enumerate(texts[start:end], start=start + 1))
    while not chosen[-1][1].strip():
        chosen.pop()
    return Listing(f"planted/{file}", HERE / file, tuple(chosen), "python")


def _ending_words(ending: rl.Ending) -> str:
    if ending.outcome == "hang" and ending.returned is not None:
        return "pytest was done, but its process never ended, and was killed"
    if ending.outcome == "hang":
        return "hung, and was killed"
    if ending.outcome == "ok":
        return "came to its end"
    return ending.outcome


def _folded(line: str, width: int) -> str:
    """A line for a page: without padding and folders of this machine, in as many lines as it needs."""
    text = line
    for folder in (str(HERE) + os.sep, "../ext/planted/", sys.prefix + os.sep):
        text = text.replace(folder, "")
    text = re.sub(r"^=+ (.*) =+$", r"== \1 ==", re.sub(r"(?<=\S) {2,}", "  ", text))
    return "\n".join(textwrap.wrap(text, width, subsequent_indent="    ", break_long_words=False))
