"""The measurements, one function per results file. What is compared is interleaved: A B A B."""

from __future__ import annotations

import statistics
import subprocess
import sys
import time
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from children import HERE, BenchError, UnderPytest, compile_cell, core, lab_file, under_pytest
from figures import figure, log_bins, missing_median, percentile

import racelab as rl
from racelab import stats

LABS = ("lost_update", "lazy_slot")
THREADS = 2
NULL_LIMIT_S = 5.0
COMMAND_LIMIT_S = 60.0


@dataclass(frozen=True)
class Sizes:
    """How much is measured: the full run, or a quick one."""

    quick: bool = False
    processes: int = 20
    recipe_processes: int = 5
    iterations: int = 1000
    race_s: float = 0.5
    cold_chunks: int = 5
    scale_processes: int = 7
    large: int = 7

    @classmethod
    def chosen(cls, quick: bool, processes: int | None) -> Sizes:
        """The full sizes, or the quick ones; `processes` overrides the number of processes per figure."""
        sizes = (
            cls(True, 5, 1, 300, race_s=0.2, cold_chunks=1, scale_processes=3, large=1)
            if quick
            else cls()
        )
        if processes is None:
            return sizes
        few = min(processes, sizes.recipe_processes)
        return cls(
            sizes.quick,
            processes,
            few,
            sizes.iterations,
            sizes.race_s,
            min(processes, sizes.cold_chunks),
            min(processes, sizes.scale_processes),
            min(processes, sizes.large),
        )


@dataclass
class Measured:
    """What one step has found; `say` tells whoever waits."""

    say: Callable[[str], None]
    figures: list[dict[str, Any]] = field(default_factory=list)
    counts: list[dict[str, Any]] = field(default_factory=list)

    def add(self, key: str, values: Sequence[float], unit: str, **labels: Any) -> None:
        """One figure."""
        self.figures.append(figure(key, values, unit, **labels))

    def count(self, key: str, failed: int, of: int, **labels: Any) -> None:
        """One count with its exact interval."""
        rate = stats.rate_per_round(failed, of)
        interval = {
            "low": rate.low,
            "estimate": rate.estimate,
            "high": rate.high,
            "confidence": rate.confidence,
        }
        self.counts.append({"key": key, **labels, "failed": failed, "of": of, **interval})


# -- ways of finding a race -------------------------------------------------------------------------


@dataclass(frozen=True)
class Seen:
    """What one process of one way has shown, whatever the way.

    Attributes:
        rounds, failed: trials made, and those that failed.
        rounds_per_s: without the start of the process.
        first_failure_s: from the start to the first failure, start-up included; None if there was none.
        looked_s: how long was looked, start-up included.
    """

    rounds: int
    failed: int
    rounds_per_s: float
    first_failure_s: float | None
    looked_s: float


@dataclass(frozen=True)
class Way:
    """A way of testing: its name, words for the page, and one process of it on a lab."""

    name: str
    text: str
    run: Callable[[str, Sizes], Seen]
    labs: tuple[str, ...] = LABS
    in_quick: tuple[str, ...] = LABS


def _from_pytest(seen: UnderPytest) -> Seen:
    return Seen(
        seen.trials, seen.failed, seen.trials / seen.loop_s, seen.first_failure_s, seen.wall_s
    )


def _counted(recipe: str, count: int) -> Callable[[str, Sizes], Seen]:
    return lambda slug, _sizes: _from_pytest(under_pytest(recipe, slug, [f"--count={count}"]))


def _run_threaded(slug: str, sizes: Sizes) -> Seen:
    return _from_pytest(
        under_pytest(
            "recipe_run_threaded.py",
            slug,
            ["--count=100"],
            threads=8,
            iterations=sizes.iterations,
        )
    )


def _run_parallel(slug: str, sizes: Sizes) -> Seen:
    options = ["--parallel-threads=10", f"--iterations={sizes.iterations}"]
    return _from_pytest(
        under_pytest(
            "recipe_run_parallel.py", slug, options, iterations=sizes.iterations, parallel=True
        )
    )


def _racelab(slug: str, sizes: Sizes, where: str) -> Seen:
    """One child for the rate, another one, which stops at its first failure, for the time to it."""
    rate = rl.race(where, "broken", threads=THREADS, count=1, seconds=sizes.race_s, progress=False)
    began = time.perf_counter()
    first = rl.race(
        where,
        "broken",
        threads=THREADS,
        count=1,
        seconds=NULL_LIMIT_S,
        stop_at_first=True,
        progress=False,
    )
    took = time.perf_counter() - began
    counted = (
        rate.rate_per_round
    )  # of a child that crashed, rounds that it had not graded are in it
    if counted is None:
        raise BenchError(f"racelab made no round on {slug}: {rate}")
    speed = rate.rounds_per_s or counted.runs / rate.repetitions[0].seconds
    return Seen(counted.runs, counted.failed, speed, took if first.forbidden else None, took)


WAYS = (
    Way("threading-100", "threading, pytest --count=100", _counted("recipe_threading.py", 100)),
    Way("futures-100", "futures, pytest --count=100", _counted("recipe_futures.py", 100)),
    Way(
        "threading-1000",
        "threading, pytest --count=1000",
        _counted("recipe_threading.py", 1000),
        (*LABS, "borrowed_ref"),
        ("lost_update",),
    ),
    Way(
        "futures-1000",
        "futures, pytest --count=1000",
        _counted("recipe_futures.py", 1000),
        in_quick=(),
    ),
    Way("run-threaded", "run_threaded, pytest --count=100", _run_threaded),
    Way("run-parallel", "pytest-run-parallel, 10 threads", _run_parallel),
    Way(
        "racelab-python",
        "racelab, Python actors",
        lambda slug, sizes: _racelab(slug, sizes, f"{HERE / 'python_actors.py'}:{slug}"),
    ),
    Way(
        "racelab-c",
        "racelab, C actors",
        lambda slug, sizes: _racelab(slug, sizes, str(lab_file(slug))),
        (*LABS, "borrowed_ref"),
        (*LABS, "borrowed_ref"),
    ),
)


def finders(sizes: Sizes, found: Measured) -> None:
    """The same modules under every way of testing, process after process, in turn."""
    seen: dict[tuple[str, str], list[Seen]] = defaultdict(list)
    for number in range(sizes.recipe_processes):
        for slug in (*LABS, "borrowed_ref"):
            for way in WAYS:
                if slug in (way.in_quick if sizes.quick else way.labs):
                    found.say(f"{number + 1} of {sizes.recipe_processes}: {slug}, {way.text}")
                    seen[slug, way.name].append(way.run(slug, sizes))
    for (slug, name), processes in seen.items():
        _report_way(found, slug, next(way for way in WAYS if way.name == name), processes)
    _report_ratio(found, seen)


def _report_way(found: Measured, slug: str, way: Way, processes: Sequence[Seen]) -> None:
    key = f"{slug}/{way.name}"
    labels = {"lab": slug, "way": way.name, "text": way.text}
    rates = [one.rounds_per_s for one in processes]
    found.add(f"{key}/rounds_per_s", rates, "/s", **labels)
    found.add(
        f"{key}/failures_per_s",
        [one.rounds_per_s * one.failed / one.rounds for one in processes],
        "/s",
        **labels,
    )
    shares = [min(1.0, one.failed / one.rounds) for one in processes]
    found.add(f"{key}/share", shares, "failures per round", **labels)
    rounds = sum(one.rounds for one in processes)
    found.count(
        f"{key}/failed", min(sum(one.failed for one in processes), rounds), rounds, **labels
    )
    times = [one.first_failure_s for one in processes if one.first_failure_s is not None]
    looked = statistics.median(one.looked_s for one in processes)
    found.count(f"{key}/found", len(times), len(processes), looked_s=looked, **labels)
    if times:
        missing = len(processes) - len(times)
        middle = missing_median(times, missing)
        found.add(f"{key}/first_failure", times, "s", missing=missing, median_all=middle, **labels)


def _report_ratio(found: Measured, seen: dict[tuple[str, str], list[Seen]]) -> None:
    """racelab with C actors over the threading recipe, one ratio per pair of neighbouring processes."""
    ratios = []
    for slug in LABS:
        ours = seen[slug, "racelab-c"]
        theirs = seen.get((slug, "threading-1000")) or seen[slug, "threading-100"]
        pairs = zip(ours, theirs, strict=True)
        ratios += [mine.rounds_per_s / recipe.rounds_per_s for mine, recipe in pairs]
    found.add("ratio/rounds_per_s", ratios, "times")


# -- release skew ----------------------------------------------------------------------------------

SKEW_WAYS = (
    ("threading-10", "threading.Barrier, 10 threads", "recipe_skew.py::test_threading", 10),
    ("threading-2", "threading.Barrier, 2 threads", "recipe_skew.py::test_threading", 2),
    ("futures-10", "a pool's threads, 10", "recipe_skew.py::test_futures", 10),
    ("run-parallel-10", "pytest-run-parallel, 10 threads", "recipe_skew.py::test_run_parallel", 10),
)


def skew(sizes: Sizes, found: Measured) -> None:
    """First to last thread released: recipes by their own clock, racelab by its core's."""
    recipes: dict[str, list[list[int]]] = defaultdict(list)
    cores: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for number in range(sizes.processes):
        if number < sizes.recipe_processes:
            for name, text, recipe, threads in SKEW_WAYS:
                found.say(f"{number + 1} of {sizes.recipe_processes}: {text}")
                recipes[name].append(_recipe_skews(recipe, threads))
        if number % 5 == 0:
            found.say(f"{number + 1} of {sizes.processes}: racelab's barrier and common target")
        for release in ("barrier", "tsc"):
            settings = {"threads": THREADS, "seconds": sizes.race_s / 2, "release": release}
            cores[release].append(core("lost_update", **settings))
    for name, text, _, threads in SKEW_WAYS:
        runs = recipes[name]
        labels = {"way": name, "text": text, "threads": threads}
        pooled = [value for run in runs for value in run]
        found.add(f"{name}/p50", [percentile(r, 0.5) for r in runs], "ns", **labels)
        found.add(
            f"{name}/p95",
            [percentile(r, 0.95) for r in runs],
            "ns",
            bins=log_bins(pooled),
            **labels,
        )
    for release, text in (("barrier", "racelab, spin barrier"), ("tsc", "racelab, common target")):
        _report_core_skew(found, release, f"{text}, {THREADS} threads", cores[release])


def _recipe_skews(recipe: str, threads: int) -> list[int]:
    parallel = "run_parallel" in recipe
    options = [f"--parallel-threads={threads}", "--iterations=100"] if parallel else ["--count=100"]
    seen = under_pytest(
        recipe, "lost_update", options, threads=threads, iterations=100, parallel=parallel
    )
    if not seen.skews_ns:
        raise BenchError(f"{recipe} measured no skew in {seen.trials} trials.")
    return list(seen.skews_ns)


def _report_core_skew(
    found: Measured, release: str, text: str, runs: Sequence[dict[str, Any]]
) -> None:
    labels = {"way": release, "text": text, "threads": THREADS}
    merged: dict[tuple[float, float], int] = defaultdict(int)
    for run in runs:
        for start, end, rounds in run["skew_ns"]["bins"]:
            merged[start, end] += rounds
    bins = [(start, end, rounds) for (start, end), rounds in sorted(merged.items())]
    found.add(f"{release}/p50", [run["skew_ns"]["p50"] for run in runs], "ns", **labels)
    found.add(f"{release}/p95", [run["skew_ns"]["p95"] for run in runs], "ns", bins=bins, **labels)
    found.add(f"{release}/rounds_per_s", [run["rounds_per_s"] for run in runs], "/s", **labels)


# -- speed, scale, threads -------------------------------------------------------------------------


def speed(sizes: Sizes, found: Measured) -> None:
    """Rounds/s of two threads on C methods at stride 1, graded and in the loop alone; where the time goes."""
    runs = []
    for number in range(sizes.processes):
        if number % 5 == 0:
            found.say(f"{number + 1} of {sizes.processes} processes")
        runs.append(core("lost_update", threads=THREADS, seconds=sizes.race_s))
    found.add("graded", [run["rounds_per_s"] for run in runs], "/s")
    found.add("loop", [run["race_rounds_per_s"] for run in runs], "/s")
    for phase in ("making", "racing", "grading"):
        shares = [run[f"seconds_{phase}"] / _seconds_of_phases(run) for run in runs]
        found.add(f"share/{phase}", shares, "share of the time")


def _seconds_of_phases(run: dict[str, Any]) -> float:
    return float(run["seconds_making"] + run["seconds_racing"] + run["seconds_grading"])


SCALE = (10**3, 10**4, 10**5, 10**6, 10**7)


SHORT_ROUNDS = 10**5


def scale(sizes: Sizes, found: Measured) -> None:
    """Cost per round in the loop, and memory, from 10^3 to 10^7 rounds, each in processes of its own."""
    runs: dict[int, list[dict[str, Any]]] = defaultdict(list)
    for number in range(sizes.scale_processes):
        for rounds in SCALE:
            if rounds < SCALE[-1] or number < sizes.large:
                found.say(f"{number + 1} of {sizes.scale_processes}: {rounds:,} rounds")
                short = SHORT_ROUNDS if rounds == SCALE[-1] else 0
                settings = {"threads": THREADS, "rounds": rounds, "short_rounds": short}
                runs[rounds].append(core("lost_update", **settings))
    for rounds, some in runs.items():
        loop = [1e9 * run["seconds_racing"] / run["rounds"] for run in some]
        graded = [1e9 * run["seconds"] / run["rounds"] for run in some]
        found.add(f"loop/{rounds}", loop, "ns", rounds=rounds)
        found.add(f"graded/{rounds}", graded, "ns", rounds=rounds)
        found.add(f"memory/{rounds}", [run["rss_mb"] for run in some], "MB", rounds=rounds)
    medians = {f["key"]: f["median"] for f in found.figures}
    found.add(
        "ratio",
        [
            run["seconds_racing"] / run["rounds"] / run["short_s_per_round"]
            for run in runs[SCALE[-1]]
        ],
        "times",
    )
    found.add("growth", [medians[f"memory/{10**7}"] - medians[f"memory/{10**4}"]], "MB")


TEAMS = (2, 4, 8, 16)


def threads(sizes: Sizes, found: Measured) -> None:
    """Rounds/s of 2 to 16 threads; more threads than cores must give the core away in every round."""
    processes = max(1, sizes.processes // 4)
    rates: dict[int, list[float]] = defaultdict(list)
    for number in range(processes):
        found.say(f"{number + 1} of {processes}: {', '.join(map(str, TEAMS))} threads")
        for team in TEAMS:
            run = core("lost_update", threads=team, seconds=sizes.race_s)
            rates[team].append(run["rounds_per_s"])
    for team, values in rates.items():
        found.add(f"rounds_per_s/{team}", values, "/s", threads=team)


# -- time to first failure, cold repetitions -------------------------------------------------------


def first(sizes: Sizes, found: Measured) -> None:
    """Time to the first failure: of the child alone, from its fork on, and of the whole call of `race`."""
    child: dict[str, list[float]] = defaultdict(list)
    call: dict[str, list[float]] = defaultdict(list)
    for number in range(sizes.processes):
        if number % 5 == 0:
            found.say(f"{number + 1} of {sizes.processes} processes for each lab")
        for slug in LABS:
            began = time.perf_counter()
            seen = rl.race(
                str(lab_file(slug)),
                "broken",
                threads=THREADS,
                count=1,
                seconds=NULL_LIMIT_S,
                stop_at_first=True,
                progress=False,
            )
            if seen.forbidden:
                call[slug].append(time.perf_counter() - began)
                child[slug].append(seen.repetitions[0].seconds)
    for slug in LABS:
        hits, missing = len(child[slug]), sizes.processes - len(child[slug])
        found.count(f"{slug}/found", hits, sizes.processes, lab=slug, looked_s=NULL_LIMIT_S)
        if missing_median(child[slug], missing) is not None:
            found.add(f"{slug}/child", child[slug], "s", lab=slug, missing=missing)
            found.add(f"{slug}/call", call[slug], "s", lab=slug, missing=missing)


def cold(sizes: Sizes, found: Measured) -> None:
    """One round per process: forked from the zygote, and spawned, in turn."""
    rates: dict[str, list[float]] = {"zygote": [], "spawn": []}
    many = {"zygote": 40 if sizes.quick else 100, "spawn": 10 if sizes.quick else 25}
    for number in range(sizes.cold_chunks):
        for how, count in many.items():
            found.say(f"{number + 1} of {sizes.cold_chunks}: {count} repetitions, {how}")
            seen = rl.race(
                str(lab_file("lazy_slot")),
                "broken",
                mode="cold",
                count=count,
                threads=THREADS,
                spawn=how == "spawn",
                progress=False,
            )
            rates[how].append(len(seen.ran) / seen.wall_s)
    for how, values in rates.items():
        found.add(f"{how}/repetitions_per_s", values, "/s", way=how)
    pairs = zip(rates["zygote"], rates["spawn"], strict=True)
    found.add("ratio", [ours / theirs for ours, theirs in pairs], "times")


# -- what people wait for --------------------------------------------------------------------------


def compiling(sizes: Sizes, found: Measured) -> None:
    """A `%%c` cell of 30 lines in a fresh shell: compiled, and found in the cache."""
    many = max(1, sizes.processes // 2)
    times = []
    for number in range(many):
        found.say(f"{number + 1} of {many}: first, cached")
        times.append(compile_cell())
    found.add("first", [pair[0] for pair in times], "s")
    found.add("cached", [pair[1] for pair in times], "s")


def startup(sizes: Sizes, found: Measured) -> None:
    """Starting the command, importing the package, and the bare interpreter for comparison."""
    commands = {
        "python": [sys.executable, "-c", "pass"],
        "import": [sys.executable, "-c", "import racelab"],
        "help": [str(Path(sys.executable).with_name("racelab")), "--help"],
    }
    times: dict[str, list[float]] = defaultdict(list)
    for number in range(sizes.processes):
        if number % 5 == 0:
            found.say(f"{number + 1} of {sizes.processes}: {', '.join(commands)}")
        for name, command in commands.items():
            began = time.perf_counter()
            done = subprocess.run(command, capture_output=True, timeout=COMMAND_LIMIT_S)
            times[name].append(time.perf_counter() - began)
            if done.returncode:
                said = done.stderr.decode(errors="replace")[-500:]
                raise BenchError(f"{' '.join(command[1:])} ended with {done.returncode}: {said}")
    for name, values in times.items():
        found.add(name, values, "s")


@dataclass(frozen=True)
class Step:
    """One results file: its title and what fills it."""

    title: str
    measure: Callable[[Sizes, Measured], None]


STEPS = {
    "speed": Step("rounds per second and where the time goes", speed),
    "first": Step("time to the first failure", first),
    "finders": Step("ways of finding a race, side by side", finders),
    "skew": Step("release skew", skew),
    "cold": Step("cold repetitions", cold),
    "scale": Step("cost per round and memory against the number of rounds", scale),
    "threads": Step("rounds per second against the number of threads", threads),
    "compile": Step("compiling a cell", compiling),
    "startup": Step("start-up", startup),
}
