"""What a benchmark leaves behind: figures, the files that hold them, and the table of what must be reached.

Nothing here measures anything or imports racelab, so any Python can read and check results.

A results file is one JSON object: schema (1), name, title, quick, machine, cores, cpus, python, gil, date,
source_sha256, processes, seconds, figures and counts. `figures` and `counts` are lists; each entry has a `key`
that is unique in its file. A figure has unit, median, min, max, n and all its values; a count has failed, of, low,
estimate, high and confidence.
"""

from __future__ import annotations

import json
import math
import os
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

SCHEMA = 1
HEAD: dict[str, Any] = {
    "schema": int,
    "name": str,
    "title": str,
    "quick": bool,
    "machine": str,
    "cores": (int, float),
    "cpus": list,
    "python": str,
    "gil": bool,
    "date": str,
    "source_sha256": str,
    "processes": int,
    "seconds": (int, float),
    "figures": list,
    "counts": list,
}
KEPT_VALUES = 200


# -- figures ---------------------------------------------------------------------------------------


def figure(key: str, values: Sequence[float], unit: str, **labels: Any) -> dict[str, Any]:
    """A measured quantity: every value, and its median, min, max and number.

    Args:
        key: its name, unique in its file.
        values: one per process, chunk or trial; at least one, all finite.
        unit: of each value.
        labels: what else belongs to it: lab, way, threads.

    Raises:
        ValueError: no values, or one that is not finite; the message names the key.
    """
    if not values:
        raise ValueError(f"figure {key!r} has no values: nothing was measured.")
    for index, value in enumerate(values):
        if not math.isfinite(value):
            raise ValueError(f"figure {key!r}: value {index} is {value!r}, not a finite number.")
    return {
        "key": key,
        **labels,
        "unit": unit,
        "median": statistics.median(values),
        "min": min(values),
        "max": max(values),
        "n": len(values),
        "values": [float(f"{value:.6g}") for value in values[:KEPT_VALUES]],
    }


def percentile(values: Sequence[float], share: float) -> float:
    """The value below which `share` (0 to 1) of the values lie, by linear interpolation.

    Raises:
        ValueError: no values, or a share outside 0 to 1.
    """
    if not values or not 0 <= share <= 1:
        raise ValueError(f"percentile({share}) of {len(values)} values: give values and 0 to 1.")
    ordered = sorted(values)
    place = share * (len(ordered) - 1)
    below = math.floor(place)
    above = min(below + 1, len(ordered) - 1)
    return ordered[below] + (place - below) * (ordered[above] - ordered[below])


def log_bins(values: Sequence[float], per_octave: int = 2) -> list[tuple[float, float, int]]:
    """(from, to, how many) in steps of a constant factor; values below 1 count as 1; empty bins left out."""
    counts: dict[int, int] = {}
    for value in values:
        place = math.floor(per_octave * math.log2(max(value, 1.0)))
        counts[place] = counts.get(place, 0) + 1
    step = 2 ** (1 / per_octave)
    return [(step**place, step ** (place + 1), count) for place, count in sorted(counts.items())]


def missing_median(found: Sequence[float], missing: int) -> float | None:
    """Median of times of which `missing` are longer than any that was found; None if it is one of those."""
    total = len(found) + missing
    if not total:
        return None
    ordered = [*sorted(found), *([math.inf] * missing)]
    median = (ordered[(total - 1) // 2] + ordered[total // 2]) / 2
    return median if math.isfinite(median) else None


# -- files -----------------------------------------------------------------------------------------


def write_whole(path: Path, content: Mapping[str, Any]) -> None:
    """Write one results file, whole or not at all.

    Raises:
        ValueError: the content is not what a results file holds; nothing is written.
    """
    problems = problems_of(content)
    if problems:
        raise ValueError(f"{path.name} was not written: {problems[0]}")
    path.parent.mkdir(parents=True, exist_ok=True)
    fresh = path.with_suffix(f".{os.getpid()}.tmp")
    try:
        fresh.write_text(compact(content), encoding="utf-8")
        fresh.replace(path)
    finally:
        fresh.unlink(missing_ok=True)


def compact(content: Mapping[str, Any]) -> str:
    """JSON with one line per figure, so that two runs can be compared by eye."""
    lines = []
    for key, value in content.items():
        if isinstance(value, list) and value and isinstance(value[0], dict):
            inner = ",\n".join(f"  {json.dumps(item)}" for item in value)
            lines.append(f"{json.dumps(key)}: [\n{inner}\n ]")
        else:
            lines.append(f"{json.dumps(key)}: {json.dumps(value)}")
    return "{\n " + ",\n ".join(lines) + "\n}\n"


def problems_of(content: Mapping[str, Any]) -> list[str]:
    """What is wrong with a results file, one sentence each; an empty list if nothing is."""
    found = []
    for name, kind in HEAD.items():
        if name not in content:
            found.append(f"{name!r} is missing.")
        elif not isinstance(content[name], kind) or (
            kind is not bool and isinstance(content[name], bool)
        ):
            found.append(f"{name!r} is {content[name]!r}, of the wrong type.")
    if found:
        return found
    if content["schema"] != SCHEMA:
        return [f"schema {content['schema']} is not {SCHEMA}; run `make bench` again."]
    if not content["figures"] and not content["counts"]:
        found.append("it holds no figures and no counts.")
    seen = set()
    for entry in (*content["figures"], *content["counts"]):
        key = entry.get("key")
        if not key or key in seen:
            found.append(f"key {key!r} is missing or used twice.")
        seen.add(key)
    found += [text for entry in content["figures"] for text in _figure_problems(entry)]
    found += [text for entry in content["counts"] for text in _count_problems(entry)]
    return found


def _figure_problems(entry: Mapping[str, Any]) -> list[str]:
    key = entry.get("key")
    lacking = {"unit", "median", "min", "max", "n", "values"} - set(entry)
    if lacking:
        return [f"figure {key!r} has no {', '.join(sorted(lacking))}."]
    if not entry["min"] <= entry["median"] <= entry["max"]:
        return [f"figure {key!r}: its median is not between its min and its max."]
    if entry["n"] < 1 or len(entry["values"]) != min(entry["n"], KEPT_VALUES):
        return [f"figure {key!r}: n={entry['n']} does not fit {len(entry['values'])} values."]
    return []


def _count_problems(entry: Mapping[str, Any]) -> list[str]:
    key = entry.get("key")
    lacking = {"failed", "of", "low", "estimate", "high", "confidence"} - set(entry)
    if lacking:
        return [f"count {key!r} has no {', '.join(sorted(lacking))}."]
    if not 0 <= entry["failed"] <= entry["of"] or entry["of"] < 1:
        return [f"count {key!r}: {entry['failed']} of {entry['of']} is no count."]
    if not 0 <= entry["low"] <= entry["estimate"] <= entry["high"] <= 1:
        return [f"count {key!r}: its interval does not hold its estimate."]
    return []


def read_results(folder: Path) -> dict[str, dict[str, Any]]:
    """Every results file of a folder by its name; each is checked.

    Raises:
        FileNotFoundError: there is none; the message says what to do.
        ValueError: a file is not what it should be; the message names it.
    """
    found = {}
    for path in sorted(Path(folder).glob("*.json")):
        try:
            content = json.loads(path.read_text(encoding="utf-8"))
        except ValueError as error:
            raise ValueError(f"{path.name}: {error}. Run `make bench` again.") from error
        problems = problems_of(content)
        if problems:
            raise ValueError(f"{path.name}: {problems[0]} Run `make bench` again.")
        found[content["name"]] = content
    if not found:
        raise FileNotFoundError(f"{folder} holds no results: run `make bench`.")
    return found


def value_of(
    results: Mapping[str, Mapping[str, Any]], path: str, what: str = "median"
) -> float | None:
    """One number: `path` is "file/key". None where it was not measured."""
    name, _, key = path.partition("/")
    entries = (*results.get(name, {}).get("figures", ()), *results.get(name, {}).get("counts", ()))
    for entry in entries:
        if entry["key"] == key:
            value = entry.get(what)
            return None if value is None else float(value)
    return None


# -- what must be reached --------------------------------------------------------------------------


@dataclass(frozen=True)
class Goal:
    """One line of the table "Must reach".

    Attributes:
        text: the figure, in words.
        path: "file/key" of the figure that decides, or two of them joined by " over ": their ratio.
        bound: what it must reach.
        unit: of the bound.
        at_most: smaller is better.
        what: which number of the figure: median, max, min.
    """

    text: str
    path: str
    bound: float
    unit: str
    at_most: bool = False
    what: str = "median"

    def measured(self, results: Mapping[str, Mapping[str, Any]]) -> float | None:
        """The number that decides; None where it was not measured."""
        paths = self.path.split(" over ")
        values = [value_of(results, path, self.what) for path in paths]
        if any(value is None for value in values):
            return None
        first = values[0]
        assert first is not None
        if len(values) == 1:
            return first
        return first / values[1] if values[1] else None

    def line(self, results: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
        """The line as data: figure, wanted, measured, and reached or by how much it was missed."""
        value = self.measured(results)
        wanted = f"{'at most' if self.at_most else 'at least'} {quantity(self.bound, self.unit)}"
        if value is None:
            verdict, shown = "not measured", "-"
        else:
            verdict, shown = self.verdict(value), quantity(value, self.unit)
        return {"figure": self.text, "wanted": wanted, "measured": shown, "verdict": verdict}

    def verdict(self, value: float) -> str:
        """ "reached", or by what factor it was missed."""
        if value <= self.bound if self.at_most else value >= self.bound:
            return "reached"
        if value <= 0:
            return "missed"
        factor = value / self.bound if self.at_most else self.bound / value
        return f"missed by a factor of {factor:.3g}"


GOALS = (
    Goal("graded rounds/s, stride 1, median", "speed/graded", 1.5e6, "/s"),
    Goal("graded rounds/s, stride 1, best", "speed/graded", 3e6, "/s", what="max"),
    Goal("race loop alone, rounds/s, median", "speed/loop", 3e6, "/s"),
    Goal(
        "rounds/s over the threading recipe, same run", "finders/ratio/rounds_per_s", 5000, "times"
    ),
    Goal(
        "first failure of lost_update, child start included",
        "first/lost_update/child",
        0.05,
        "s",
        at_most=True,
    ),
    Goal(
        "first failure of lazy_slot, child start included",
        "first/lazy_slot/child",
        0.05,
        "s",
        at_most=True,
    ),
    Goal("release skew, barrier, p95", "skew/barrier/p95", 1000, "ns", at_most=True),
    Goal("release skew, common target, p50", "skew/tsc/p50", 30, "ns", at_most=True),
    Goal("release skew, common target, p95", "skew/tsc/p95", 100, "ns", at_most=True),
    Goal("rounds/s with the common target", "skew/tsc/rounds_per_s", 1e6, "/s"),
    Goal("cold repetitions/s, zygote over spawning", "cold/ratio", 4, "times"),
    Goal("memory growth, 10^4 to 10^7 rounds", "scale/growth", 20, "MB", at_most=True),
    Goal("cost per round in the loop, 10^7 over 10^5", "scale/ratio", 1.3, "times", at_most=True),
    Goal("%%c of 30 lines, first", "compile/first", 0.3, "s", at_most=True),
    Goal("%%c of 30 lines, cached", "compile/cached", 0.03, "s", at_most=True),
    Goal("start-up of racelab --help", "startup/help", 0.15, "s", at_most=True),
)


def quantity(value: float, unit: str) -> str:
    """A number with its unit, three significant digits: "1.53 million/s", "42 ms", "5,210 times"."""
    if unit == "s" and abs(value) < 1:
        value, unit = value * 1e3, "ms"
        if 0 < abs(value) < 1:
            value, unit = value * 1e3, "us"
    elif unit == "ns" and 0 < value < 1:
        return "under 1 ns"  # finer than a tick of most clocks
    elif unit == "ns" and abs(value) >= 1e6:
        value, unit = value / 1e6, "ms"
    elif unit == "ns" and abs(value) >= 1e3:
        value, unit = value / 1e3, "us"
    if abs(value) >= 1e6:
        return f"{value / 1e6:.3g} million{'' if unit.startswith('/') else ' '}{unit}"
    text = f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.3g}"
    return text + ("" if unit.startswith("/") else " ") + unit


def must_reach(results: Mapping[str, Mapping[str, Any]]) -> list[dict[str, str]]:
    """The whole table; lines that were not measured say so."""
    return [goal.line(results) for goal in GOALS]


def table(rows: Sequence[Mapping[str, str]]) -> str:
    """Rows as text in columns, as wide as their longest entry; the keys are the heads."""
    if not rows:
        return ""
    heads = list(rows[0])
    widths = {head: max(len(head), *(len(str(row[head])) for row in rows)) for head in heads}
    lines = ["  ".join(head.ljust(widths[head]) for head in heads).rstrip()]
    lines += ["  ".join(str(row[h]).ljust(widths[h]) for h in heads).rstrip() for row in rows]
    return "\n".join(lines)
