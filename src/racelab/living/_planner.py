"""How many runs: rate, confidence and count, linked."""

from __future__ import annotations

import html
import math
from collections.abc import Iterable, Mapping
from typing import Any

from racelab.living._figure import Living


def planner(
    p: float = 0.001,
    *,
    confidence: float = 0.95,
    unit: str = "run",
    speeds: Mapping[str, float] | None = None,
    presets: Iterable[Mapping[str, Any]] = (),
    name: str = "planner",
) -> Living:
    """How many runs: rate, confidence and count, linked, with the chance to see a failure drawn against the count.

    Args:
        p: the rate it begins with, failures per run, in [1e-7, 0.9].
        confidence: the chance to see it that it begins with, in [0.5, 0.9999].
        unit: what a run is, e.g. "round".
        speeds: name of a kind of run, in the plural -> how many a second.
        presets: rates to choose from: dicts with "name" and "p", and perhaps "speed": the only one
            of the `speeds` that goes with it.
        name: what links to a view are called; unique on a page.

    Raises:
        ValueError: a value outside its range, or a preset's speed that is not in `speeds`.

    Example:
        >>> living.planner(0.001, unit="round", speeds={"rounds": 1_000_000})
        Living('planner')
    """
    if not 1e-7 <= p <= 0.9:
        raise ValueError(f"p={p}: give a rate between 1e-7 and 0.9.")
    if not 0.5 <= confidence <= 0.9999:
        raise ValueError(f"confidence={confidence}: give a chance between 0.5 and 0.9999.")
    chosen = [{key: one[key] for key in ("name", "p", "speed") if key in one} for one in presets]
    for one in chosen:
        if "speed" in one and one["speed"] not in (speeds or {}):
            raise ValueError(f"speed={one['speed']!r}: give one of {list(speeds or {})}.")
    state = {
        "p": p,
        "confidence": confidence,
        "unit": unit,
        "speeds": [{"name": key, "per_s": value} for key, value in (speeds or {}).items()],
        "presets": chosen,
    }
    caption = f"How many {unit}s? Move the rate or the chance to see it, and the number follows; move the number, and the chance does."
    return Living("planner", state, caption, _planner_still(p, confidence, unit), name)


def _planner_still(p: float, confidence: float, unit: str) -> str:
    """The curve at the values that the figure begins with."""
    from racelab import stats

    n = stats.plan(p, confidence)
    counts = [10 ** (i / 8) for i in range(65)]
    points = " ".join(
        f"{40 + 440 * i / 64:.0f},{200 - 180 * stats.detection(p, round(at)):.0f}"
        for i, at in enumerate(counts)
    )
    at_x, at_y = 40 + 55 * math.log10(n), 200 - 180 * stats.detection(p, n)
    words = (
        f"{n:,} {unit}s show a bug of rate {100 * p:g} % with a chance of {100 * confidence:g} %"
    )
    below = (
        f"0 of {n:,}: the rate is below {100 * stats.zero_failure_bound(n, confidence):.2g} % "
        f"({100 * confidence:g} % sure)"
    )
    ticks = "".join(
        f'<text x="{40 + 55 * i}" y="218" text-anchor="middle" font-size="13" fill="currentColor">{label}</text>'
        for i, label in enumerate(["1", "10", "100", "1,000", "10⁴", "10⁵", "10⁶", "10⁷", "10⁸"])
    )
    return (
        f'<svg role="img" aria-label="{html.escape(f"{words}. {below}")}" viewBox="0 0 500 265" style="max-width:100%;width:500px">'
        f'<polyline points="{points}" fill="none" stroke="currentColor" stroke-width="2"/>{ticks}'
        f'<circle cx="{at_x:.0f}" cy="{at_y:.0f}" r="5" fill="currentColor"/>'
        f'<text x="260" y="240" text-anchor="middle" font-size="13" fill="currentColor">{html.escape(words)}</text>'
        f'<text x="260" y="260" text-anchor="middle" font-size="13" fill="currentColor">{html.escape(below)}</text></svg>'
    )
