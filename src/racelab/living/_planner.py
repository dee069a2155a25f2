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
            of the `speeds` that goes with it. With "per_s" it has a speed of its own, recorded with the
            rate, and "speed" says what of, e.g. "rounds of account".
        name: what links to a view are called; unique on a page.

    Raises:
        ValueError: a value outside its range, or a preset's speed that is not in `speeds` and has no "per_s".

    Example:
        >>> living.planner(0.001, unit="round", speeds={"rounds": 1_000_000})
        Living('planner')
    """
    if not 1e-7 <= p <= 0.9:
        raise ValueError(f"p={p}: give a rate between 1e-7 and 0.9.")
    if not 0.5 <= confidence <= 0.9999:
        raise ValueError(f"confidence={confidence}: give a chance between 0.5 and 0.9999.")
    chosen = [
        {key: one[key] for key in ("name", "p", "speed", "per_s") if key in one} for one in presets
    ]
    for one in chosen:
        if "per_s" in one and not ("speed" in one and one["per_s"] > 0):
            raise ValueError(
                f'per_s={one["per_s"]} of {one["name"]!r}: give a number above 0, and "speed", what there are so many of.'
            )
        if "speed" in one and "per_s" not in one and one["speed"] not in (speeds or {}):
            raise ValueError(f"speed={one['speed']!r}: give one of {list(speeds or {})}.")
    state = {
        "p": p,
        "confidence": confidence,
        "unit": unit,
        "speeds": [{"name": key, "per_s": value} for key, value in (speeds or {}).items()],
        "presets": chosen,
    }
    how = "Move the rate or the chance to see it, and the number follows; move the number, and the chance does."
    caption = (
        f"How many {unit}s? {how} "
        f"Solid line: a bug of this rate; the dot is the number of {unit}s. Dashed: the most frequent bug that no failure in so many "
        f"{unit}s leaves room for; at the diamond it reaches the chance that was chosen."
    )
    return Living("planner", state, caption, _planner_still(p, confidence, unit), name, how)


def _planner_still(p: float, confidence: float, unit: str) -> str:
    """The curves at the values that the figure begins with."""
    from racelab import stats

    n = stats.plan(p, confidence)
    none = stats.zero_failure_bound(n, confidence)

    def x(count: float) -> float:
        return 50 + 55 * math.log10(count)

    def y(chance: float) -> float:
        return 200 - 170 * chance

    def curve(rate: float) -> str:
        counts = [10 ** (i / 8) for i in range(65)]
        return " ".join(f"{x(at):.0f},{y(stats.detection(rate, round(at))):.0f}" for at in counts)

    def text(at_x: float, at_y: float, words: str, anchor: str = "middle") -> str:
        return (
            f'<text x="{at_x:.0f}" y="{at_y:.0f}" text-anchor="{anchor}" font-size="13" fill="currentColor">'
            f"{html.escape(words)}</text>"
        )

    words = (
        f"{n:,} {unit}s show a bug of rate {100 * p:g} % with a chance of {100 * confidence:g} %"
    )
    below = f"0 of {n:,}: the rate is below {100 * none:.2g} % ({100 * confidence:g} % sure)"
    names = ["1", "10", "100", "1,000", "10⁴", "10⁵", "10⁶", "10⁷", "10⁸"]
    axes = "".join(
        f'<line x1="50" x2="490" y1="{y(share):.0f}" y2="{y(share):.0f}" stroke="currentColor" opacity="0.3"/>'
        + text(44, y(share) + 4, f"{100 * share:g} %", "end")
        for share in (0, 0.5, 1)
    ) + "".join(text(50 + 55 * i, 218, name) for i, name in enumerate(names))
    return (
        f'<svg role="img" aria-label="{html.escape(f"{words}. {below}")}" viewBox="0 0 510 290" style="max-width:100%;width:510px">'
        f"{text(2, 13, 'chance of at least one failure', 'start')}{axes}{text(270, 238, f'{unit}s')}"
        f'<polyline points="{curve(none)}" fill="none" stroke="currentColor" stroke-width="1.5" stroke-dasharray="6 4"/>'
        f'<polyline points="{curve(p)}" fill="none" stroke="currentColor" stroke-width="2"/>'
        f'<path d="M{x(n) - 8:.0f},{y(confidence):.0f}l8,-8l8,8l-8,8z" fill="none" stroke="currentColor" stroke-width="2"/>'
        f'<circle cx="{x(n):.0f}" cy="{y(stats.detection(p, n)):.0f}" r="5" fill="currentColor"/>'
        f"{text(270, 262, words)}{text(270, 282, below)}</svg>"
    )
