"""Attached, detached, waiting, stopped: recorded traces of threads, with a cursor that says who waits for whom."""

from __future__ import annotations

import html
from collections.abc import Iterable, Mapping
from typing import Any

from racelab.living._figure import Living
from racelab.plots import STATES, checked_span

Row = Mapping[str, Any]


def timeline(
    traces: Mapping[str, Mapping[str, Any] | Iterable[Row]],
    *,
    begin: str | None = None,
    label: str = "Trace",
    notes: Mapping[str, str] | None = None,
    name: str = "timeline",
) -> Living:
    """What each thread did, and when: traces to choose from, on one scale, with a cursor.

    At the cursor a sentence says who waits for whom; a trace can be magnified, and each span tells its length.

    Args:
        traces: what a trace is called to the trace: a mapping with "spans" and "events", as `plots.timeline` takes
            them, or rows that are one or the other: a span has "thread" and "state" (attached, detached, waiting
            or stopped), an event "label"; both have "start_ns" and "end_ns". If given, "call" of a span is the C
            function it was in, "thread" of an event who asked for it, and "gil", of the trace or its rows, is
            true where the GIL was on.
        begin: the trace it begins with. Default: the first.
        label: what stands before the names of the traces.
        notes: name of a trace to a sentence on how it was made.
        name: what links to a view are called; unique on a page.

    Raises:
        ValueError: no traces, a trace without spans, an unknown state, a missing key, an end before its start,
            or `begin` or a note that belongs to no trace.

    Example:
        >>> one = {"thread": "A", "state": "attached", "start_ns": 0, "end_ns": 1000}
        >>> living.timeline({"today": [one]})
        Living('timeline')
    """
    if not traces:
        raise ValueError("timeline: give at least one trace.")
    first = next(iter(traces)) if begin is None else begin
    for key in (first, *(notes or {})):
        if key not in traces:
            raise ValueError(f"timeline: {key!r} is none of the traces: {', '.join(traces)}.")
    packed = [_packed(key, one, (notes or {}).get(key, "")) for key, one in traces.items()]
    state = {"label": label, "begin": first, "traces": packed}
    how = (
        "Drag over the picture, or move the time; once you are in the figure, the keys n and p go "
        "to the next change and the one before, + and - magnify. "
        "A double click on a box zooms to it, as Enter and Space do on the one that Tab and the arrow keys went to."
    )
    still = _still(packed) + _notes(packed)
    return Living("timeline", state, f"Who waits for whom? {how}", still, name, how)


def _packed(name: str, trace: Mapping[str, Any] | Iterable[Row], note: str) -> dict[str, Any]:
    """A trace in few characters: threads by number, times in µs since the first."""
    if isinstance(trace, Mapping):
        rows, gil = [*trace.get("spans", ()), *trace.get("events", ())], bool(trace.get("gil"))
    else:
        rows, gil = list(trace), False
    for index, row in enumerate(rows):
        keys = ("thread", "state") if "state" in row else ("label",)
        checked_span(f"timeline: {name!r}, row {index}", row, keys)
    spans = [row for row in rows if "state" in row]
    if not spans:
        raise ValueError(f"timeline: {name!r} has no spans.")
    gil = gil or any(row.get("gil") for row in rows)
    threads = list(dict.fromkeys(str(row["thread"]) for row in spans))
    zero = min(row["start_ns"] for row in rows)

    def at(row: Row) -> tuple[int, int]:
        return round((row["start_ns"] - zero) / 1000), round((row["end_ns"] - zero) / 1000)

    def who(row: Row) -> int:
        name = str(row.get("thread"))
        return threads.index(name) if name in threads else -1

    events = [row for row in rows if "state" not in row]
    return {
        "name": name,
        "note": note,
        "gil": gil,
        "threads": threads,
        "spans": [[who(row), row["state"], *at(row), row.get("call", "")] for row in spans],
        "events": [[row["label"], who(row), *at(row)] for row in events],
        "end": max(1, *(at(row)[1] for row in rows)),
    }


#: How a state is drawn on paper: fill, opacity, pattern of dashes. Each has a shape of its own in one ink.
_PAPER = {
    "attached": ("currentColor", 0.85, ""),
    "detached": ("none", 1.0, "4 3"),
    "waiting": ("currentColor", 0.12, ""),
    "stopped": ("currentColor", 0.35, "1 2"),
}
_LEFT, _WIDE, _LANE, _HEAD = 90, 590, 24, 26


def _still(traces: list[dict[str, Any]]) -> str:
    """All traces, one below the other, on one scale."""
    end = max(trace["end"] for trace in traces)
    parts, y = [_key()], 34
    for trace in traces:
        parts.append(_text(0, y + 14, trace["name"], "font-weight='bold'"))
        top = y + _HEAD
        for index, thread in enumerate(trace["threads"]):
            parts.append(_text(0, top + index * _LANE + 13, thread))
        for who, state, begin, stop, _ in trace["spans"]:
            parts.append(
                _box(
                    state,
                    _LEFT + _WIDE * begin / end,
                    top + who * _LANE,
                    _WIDE * (stop - begin) / end,
                )
            )
        y = top + len(trace["threads"]) * _LANE + 8
    parts += [
        _text(_LEFT, y + 12, "0"),
        _text(_LEFT + _WIDE, y + 12, f"{end / 1000:.0f} ms", "text-anchor='end'"),
    ]
    words = "What each thread did. " + " ".join(_words(trace) for trace in traces)
    return (
        f'<svg role="img" aria-label="{html.escape(words)}" style="max-width:100%;height:auto" '
        f'viewBox="0 0 {_LEFT + _WIDE + 10} {y + 20}" width="{_LEFT + _WIDE + 10}">{"".join(parts)}</svg>'
    )


def _notes(traces: list[dict[str, Any]]) -> str:
    """How each trace was made, where that is said; once for all that were made in one way."""
    made: dict[str, list[str]] = {}
    for trace in traces:
        if trace["note"]:
            made.setdefault(trace["note"], []).append(trace["name"])
    rows = "".join(
        f"<li><em>{html.escape(', '.join(names))}</em>: {html.escape(note)}</li>"
        for note, names in made.items()
    )
    return f'<ul class="rl-tl-made">{rows}</ul>' if rows else ""


def _key() -> str:
    """What each kind of box means."""
    return "".join(
        _box(state, _LEFT + 130 * i, 4, 24) + _text(_LEFT + 130 * i + 30, 17, state)
        for i, state in enumerate(STATES)
    )


def _box(state: str, x: float, y: float, width: float) -> str:
    fill, opacity, dashes = _PAPER[state]
    return (
        f'<rect x="{x:.1f}" y="{y}" width="{max(width, 0.6):.1f}" height="16" fill="{fill}" fill-opacity="{opacity}" '
        f'stroke="currentColor"{f" stroke-dasharray={dashes!r}" if dashes else ""}/>'
    )


def _text(x: float, y: float, text: str, more: str = "") -> str:
    return f'<text x="{x}" y="{y}" font-size="13" fill="currentColor" {more}>{html.escape(text)}</text>'


def _words(trace: dict[str, Any]) -> str:
    """How long each thread was in which state."""
    total: dict[tuple[int, str], int] = {}
    for who, state, begin, stop, _ in trace["spans"]:
        total[who, state] = total.get((who, state), 0) + stop - begin
    said = "; ".join(
        f"{trace['threads'][who]} {state} {us / 1000:.0f} ms"
        for (who, state), us in sorted(total.items())
    )
    return f"{trace['name']}: {said}."
