"""Results as tables and as groups for plots, for the page *How fast does it find it?*."""

from __future__ import annotations

import html
import math
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from figures import GOALS, must_reach, quantity, read_results, table

RESULTS = Path(__file__).resolve().parent / "results"
Results = Mapping[str, Mapping[str, Any]]

_LINE = "border-top:1px solid color-mix(in srgb, currentColor 25%, transparent)"
_CELL = "text-align:left;padding:.2em .9em .2em 0;vertical-align:top"


class Table:
    """Rows that print as text and as an HTML table in the page's own colours.

    Attributes:
        rows: one mapping per row, all with the same keys, which are the heads.
        caption: what the table shows.
    """

    def __init__(self, rows: Sequence[Mapping[str, str]], caption: str) -> None:
        if not rows:
            raise ValueError(f"table {caption!r} has no rows: run `make bench` for its figures.")
        self.rows = list(rows)
        self.caption = caption

    def __str__(self) -> str:
        return f"{self.caption}\n\n{table(self.rows)}"

    __repr__ = __str__

    def _repr_html_(self) -> str:
        heads = "".join(
            f'<th scope="col" style="{_CELL}">{html.escape(head)}</th>' for head in self.rows[0]
        )
        body = "".join(f'<tr style="background:none">{_cells(row)}</tr>' for row in self.rows)
        return (
            '<div style="overflow-x:auto"><table class="racelab-table" '
            'style="border-collapse:collapse;color:inherit;margin:.5em 0">'
            f'<caption style="text-align:left;opacity:.85">{html.escape(self.caption)}</caption>'
            f"<thead><tr>{heads}</tr></thead><tbody>{body}</tbody></table></div>"
        )


def _cells(row: Mapping[str, str]) -> str:
    first, *rest = (_unbroken(text) for text in row.values())
    head = f'<th scope="row" style="{_CELL};font-weight:600;white-space:nowrap;{_LINE}">{html.escape(first)}</th>'
    return head + "".join(f'<td style="{_CELL};{_LINE}">{html.escape(v)}</td>' for v in rest)


def _unbroken(text: str) -> str:
    """No line break between a number and what belongs to it."""
    return re.sub(r"(?<=\d) (?=[%a-z]|million)|(?<=\(\d) | (?=\d+\))", "\N{NO-BREAK SPACE}", text)


def load(folder: Path = RESULTS) -> dict[str, dict[str, Any]]:
    """All results of the last run.

    Raises:
        FileNotFoundError, ValueError: there are none, or one is damaged; the message says what to do.
    """
    return read_results(folder)


# -- tables ----------------------------------------------------------------------------------------


def conditions(results: Results) -> Table:
    """Where and when the figures were made; a quick run says that it was one."""
    heads = list(results.values())
    rows = [
        ("machine", _all(heads, "machine")),
        ("Python", _all(heads, "python")),
        ("GIL", "on" if any(head["gil"] for head in heads) else "off"),
        ("compiler", _all(heads, "compiler")),
        ("date", _all(heads, "date")),
        ("pinned to CPUs", _all(heads, "cpus")),
        ("processes per figure", _all(heads, "processes")),
        ("load when it began", _range([float(head.get("load", 0)) for head in heads])),
        ("kind of run", _kind(heads)),
        ("sources", ", ".join(sorted({head["source_sha256"][:12] for head in heads}))),
    ]
    return Table([{"": name, "this run": text} for name, text in rows], "Where this was measured")


def _kind(heads: Sequence[Mapping[str, Any]]) -> str:
    if any(head["quick"] for head in heads):
        return "quick: few processes, a sketch of the full run; trust no second digit"
    return f"full, {sum(head['seconds'] for head in heads) / 60:.1f} minutes"


def _all(heads: Sequence[Mapping[str, Any]], name: str) -> str:
    return "; ".join(dict.fromkeys(str(head.get(name, "?")).strip("[]") for head in heads))


def _range(values: Sequence[float]) -> str:
    return f"{min(values):.1f} to {max(values):.1f}"


def goals(results: Results) -> Table:
    """What racelab set out to reach, and what it reached."""
    return Table(must_reach(results), "What must be reached, and what was measured")


def missed(results: Results) -> str:
    """One sentence on how many goals were reached, and one line for each that was not."""
    lines = must_reach(results)
    reached = sum(line["verdict"] == "reached" for line in lines)
    said = [f"{reached} of {len(GOALS)} reached."]
    said += [
        f"{line['figure']}: {line['measured']}, wanted {line['wanted']}; {line['verdict']}."
        for line in lines
        if line["verdict"] != "reached"
    ]
    return "\n".join(said)


def ways(results: Results, lab: str) -> Table:
    """The ways of finding a race, side by side, on one lab."""
    file = results["finders"]
    names = dict.fromkeys(entry["way"] for entry in file["figures"] if entry.get("lab") == lab)
    figures = {entry["key"]: entry for entry in file["figures"]}
    counts = {entry["key"]: entry for entry in file["counts"]}
    rows = []
    for way in names:
        key = f"{lab}/{way}"
        rate = figures[f"{key}/rounds_per_s"]
        rows.append(
            {
                "way": rate["text"],
                # What matters most first: on a phone the rest is a scroll away.
                "failed": failed_words(counts[f"{key}/failed"]),
                "first failure": first_words(
                    counts[f"{key}/found"], figures.get(f"{key}/first_failure")
                ),
                "rounds/s": spread(rate),
                "failures/s": plain(figures[f"{key}/failures_per_s"]["median"]),
            }
        )
    return Table(rows, f"{lab}: every way in the same run")


def failed_words(count: Mapping[str, Any]) -> str:
    """ "0 of 500, below 0.6 %", or the share and the counts."""
    counted = f"{count['failed']:,} of {count['of']:,}"
    if not count["failed"]:
        return f"{counted}: below {percent(count['high'], up=True)}"
    return f"{counted}: {percent(count['estimate'])}"


def first_words(count: Mapping[str, Any], times: Mapping[str, Any] | None) -> str:
    """The median time to the first failure, or how long was looked in vain; in how many processes."""
    looked = quantity(count["looked_s"], "s")
    processes = f"({count['failed']} of {count['of']})"
    if times is None:
        return f"not found in {looked} {processes}"
    if times["median_all"] is None:
        return f"mostly not found in {looked} {processes}"
    return f"{quantity(times['median_all'], 's')} {processes}"


def percent(share: float, up: bool = False) -> str:
    """Two significant digits: "27 %", "0.30 %"; rounded up if it is a bound."""
    value = 100 * share
    if value == 0:
        return "0 %"
    digits = max(0, 1 - math.floor(math.log10(value)))
    whole = value * 10**digits
    value = (math.ceil(whole * (1 - 1e-12)) if up else round(whole)) / 10**digits
    digits = max(0, 1 - math.floor(math.log10(value)))  # 0.996 has become 1.0
    return f"{value:.{digits}f} %"


def plain(value: float) -> str:
    """Three significant digits without a unit."""
    return quantity(value, "").strip()


def spread(entry: Mapping[str, Any]) -> str:
    """Median, and the range where there are several values."""
    middle = plain(entry["median"])
    if entry["n"] == 1:
        return middle
    return f"{middle} ({plain(entry['min'])} to {plain(entry['max'])})"


def listed(results: Results, name: str, keys: Mapping[str, str]) -> Table:
    """Some figures of one file: median, best, worst and number of values, under names of yours."""
    figures = {entry["key"]: entry for entry in results[name]["figures"]}
    rows = []
    for text, key in keys.items():
        one = figures[key]
        unit = one["unit"]
        rows.append(
            {
                "figure": text,
                "median": quantity(one["median"], unit),
                "least": quantity(one["min"], unit),
                "most": quantity(one["max"], unit),
                "values": str(one["n"]),
            }
        )
    return Table(rows, results[name]["title"])


# -- groups for plots ------------------------------------------------------------------------------


def values(
    results: Results, name: str, keys: Mapping[str, str], scale: float = 1.0
) -> dict[str, list[float]]:
    """Values of some figures, by a name of yours, times `scale`: what `plots.dots` draws."""
    figures = {entry["key"]: entry for entry in results[name]["figures"]}
    return {
        text: [scale * value for value in figures[key]["values"]]
        for text, key in keys.items()
        if key in figures
    }


def by_way(results: Results, lab: str, figure: str) -> dict[str, list[float]]:
    """One figure of every way on one lab: what `plots.dots` draws. Ways without it are left out."""
    return {
        entry["text"]: entry["values"]
        for entry in results["finders"]["figures"]
        if entry["key"].startswith(f"{lab}/") and entry["key"].endswith(f"/{figure}")
    }


def skews(results: Results, ways: Mapping[str, str]) -> dict[str, dict[str, Any]]:
    """Release skew of some ways, under names of yours, with bins: what `plots.skew_histogram` draws."""
    figures = {entry["key"]: entry for entry in results["skew"]["figures"]}
    found = {}
    for text, way in ways.items():
        low, high = figures[f"{way}/p50"], figures[f"{way}/p95"]
        found[text] = {"p50": low["median"], "p95": high["median"], "bins": high["bins"]}
    return found


def skew_table(results: Results) -> Table:
    """Release skew of every way: p50 and p95, median over processes."""
    figures = {entry["key"]: entry for entry in results["skew"]["figures"]}
    rows = [
        {
            "released by": entry["text"],
            "p50": quantity(entry["median"], "ns"),
            "p95": quantity(figures[f"{entry['way']}/p95"]["median"], "ns"),
            "processes": str(entry["n"]),
        }
        for entry in results["skew"]["figures"]
        if entry["key"].endswith("/p50")
    ]
    return Table(rows, "Time from the first to the last thread, median over processes")
