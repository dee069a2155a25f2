"""What notebooks/03_green.md shows of long runs: recipes, releases, the window, the switch interval."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from dataclasses import replace
from functools import cache
from pathlib import Path
from statistics import quantiles
from typing import Any

import racelab as rl
from racelab.recording import cell
from racelab.result import binned

HERE = Path(__file__).resolve().parent
DEPENDS = ("lost_update", "lazy_slot")
CELLS = [("03_green", "%%c slow_counter")]
ROUNDS = 200
WIDTHS_NS = (100, 1_000, 10_000, 100_000, 1_000_000)
Rows = list[dict[str, Any]]

RACES = [
    {"lab": "lost_update", "variant": "broken", "count": 20, "seconds": 6},
    {"lab": "lost_update", "variant": "broken", "count": 20, "seconds": 6, "release": "tsc"},
    {"lab": "lazy_slot", "variant": "broken", "count": 20, "seconds": 6},
    {"lab": "lost_update", "variant": "fixed", "count": 20, "seconds": 6},
]


def under_pytest(file: str, *options: str, threads: int) -> Rows:
    """One row for each test of a file, run under pytest in a child.

    Raises:
        RuntimeError: pytest did not get to the end; the message says how the child ended.
    """
    modules = [rl.compile(HERE.parent / slug / f"{slug}_broken.c") for slug in DEPENDS]
    ending = rl.run_child(
        HERE / "under_pytest.py",
        modules=modules,
        args=[file, *options],
        env={"TEST_THREADS": str(threads), "PYTEST_ADDOPTS": None},
        timeout_s=300,
    )
    if ending.outcome != "ok" or ending.returned["status"] not in (0, 1):
        raise RuntimeError(f"{file} under pytest: {ending}")
    seconds = ending.returned["seconds"]
    return [
        {"test": name, "threads": threads, **counts, "seconds_of_all": seconds}
        for name, counts in ending.returned["tests"].items()
    ]


def recipes() -> Rows:
    """The recipes as they are usually written: ten threads; and with two."""
    ten = under_pytest("test_recipes.py", "--count=1000", threads=10)
    return ten + under_pytest("test_recipes.py", "--count=1500", "-k", "in_threads", threads=2)


def appointment() -> Rows:
    """The recipe with an appointment."""
    return under_pytest("test_appointment.py", "--count=2000", threads=2)


@cache
def released(processes: int = 5, each: int = 200) -> dict[str, list[float]]:
    """How far apart each way releases two threads, ns, over several processes; measured once.

    Raises:
        RuntimeError: a process died; the message says how.
    """
    found: dict[str, list[float]] = {}
    for _ in range(processes):
        ending = rl.run_child(HERE / "release.py", args=["2", str(each)], timeout_s=60)
        if ending.outcome != "ok":
            raise RuntimeError(f"release.py: {ending}")
        for way, skews in ending.returned.items():
            found.setdefault(way, []).extend(skews)
    return found


def releases() -> Rows:
    """Percentiles of the releases of each way."""
    return [row for way, skews in released().items() for row in percentiles(way, skews)]


def release_bins() -> Rows:
    """All of the same releases, as the histogram that a race makes of its own."""
    return [{"way": way, **row} for way, skews in released().items() for row in bins_of(skews)]


def bins_of(skews: Iterable[float]) -> Rows:
    """A row for each bin that has releases."""
    return [
        {"from_ns": low, "to_ns": high, "releases": count} for low, high, count in binned(skews)
    ]


def percentiles(way: str, skews: Iterable[float]) -> Rows:
    """A row for each twentieth."""
    cuts = quantiles(skews, n=20)
    return [{"way": way, "percent": 5 * n, "ns": ns} for n, ns in enumerate(cuts, start=1)]


def scan() -> Rows:
    """The window of the counter, seen by delaying one of two threads."""
    seen = rl.scan_offsets("lost_update", rounds=10_000, count=10, progress=False)
    return [
        {
            "width_ns": seen.width_ns,
            "offset_ns": point["offset_ns"],
            "hits": int(point["hits"]),
            "rounds": int(point["rounds"]),
        }
        for point in seen.points
    ]


def switch() -> Rows:
    """The counter, raced with several switch intervals."""
    rows = []
    for interval_s in (1e-6, 5e-3, 1.0):

        def fresh(module: Any, interval_s: float = interval_s) -> Any:
            sys.setswitchinterval(interval_s)
            return module.Counter()

        lab = replace(rl.find_lab("lost_update"), setup=fresh)
        seen = rl.race(lab, "broken", count=15, seconds=4, release="tsc", progress=False)
        rows += [
            {"interval_s": interval_s, "failed": each.failed_rounds, "rounds": each.rounds}
            for each in seen.ran
        ]
    return rows


def widths() -> Rows:
    """The recipe on a counter with a window of known width: the module of the chapter's own cell."""
    slow_counter = rl.compile(cell(*CELLS[0]))
    rows = []
    for _ in range(5):
        ending = rl.run_child(
            HERE / "by_width.py",
            modules=[slow_counter],
            args=[str(ROUNDS), *map(str, WIDTHS_NS)],
            timeout_s=120,
        )
        if ending.outcome != "ok":
            raise RuntimeError(f"by_width.py: {ending}")
        rows += [
            {"width_ns": width, "failed": failed, "rounds": ROUNDS}
            for width, failed in ending.returned
        ]
    return rows


def python() -> Rows:
    """The same question for code in Python."""
    rows = []
    for name in ("append", "plus"):
        seen = rl.race(f"{HERE / 'python_labs.py'}:{name}", count=15, seconds=4, progress=False)
        rows += [
            {"what": name, "failed": each.failed_rounds, "rounds": each.rounds} for each in seen.ran
        ]
    return rows


MEASUREMENTS = {
    "recipes": recipes,
    "appointment": appointment,
    "releases": releases,
    "release_bins": release_bins,
    "scan": scan,
    "switch": switch,
    "widths": widths,
    "python": python,
}
