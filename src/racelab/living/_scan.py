"""One call along another: the peak of an offset scan, and where each way to release threads puts them."""

from __future__ import annotations

import html
import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from statistics import quantiles
from typing import TYPE_CHECKING, Any

from racelab.living._figure import Living
from racelab.result import binned

if TYPE_CHECKING:
    from racelab.racing import Scan
    from racelab.result import Result

#: From and to, in ns, and how many.
Bin = tuple[float, float, int]
#: The recording that stands in for what is not given.
SLUG = "green"
TWENTIETHS = 20
#: A column of the picture that holds a smaller share of a way's releases is left out: a row of them looks like an axis.
LEAST = 0.001


def scan(
    points: Scan | Iterable[Mapping[str, Any]] | None = None,
    skews: Mapping[str, Result | Iterable[float]] | None = None,
    *,
    way: str | None = None,
    failure: str = "each thread loads before the other stores, and an update is lost",
    window: str = "from load to store",
    name: str = "scan",
) -> Living:
    """One call is moved along another: where their windows meet, and which releases bring them there.

    Two lanes, one of which the reader drags; below them the hit rate against the offset; and on the same axis how
    far apart each way to release two threads puts them. Ways that were recorded under the same name get a line.

    Args:
        points: of an offset scan: what `scan_offsets` returns, or dicts with ``offset_ns``, ``hits`` and
            ``rounds``, any order. A positive offset delays thread A, the first. Default: the recorded scan.
        skews: name of a way to release two threads -> a `Result`, or the skews of some releases, from the first
            thread to the last, ns. Default: what was recorded.
        way: the one it begins with, at its median. Default: the first whose name has "Barrier" in it, else the first.
        failure: what happens where the windows overlap, as the end of a sentence.
        window: what a window is, in a few words.
        name: what links to a view are called; unique on a page.

    Raises:
        FileNotFoundError: something is left to its default and nothing is recorded.
        ValueError: the scan has no peak with two sides; a way has fewer than two skews or one below 0; `way` is
            none of them.

    Example:
        >>> living.scan(rl.scan_offsets("lost_update"), {"mine": [1200, 900, 1500]})
        Living('scan')
    """
    from racelab import stats

    rows = sorted(_points(points), key=lambda row: row["offset_ns"])
    rates = [stats.rate_per_round(row["hits"], row["rounds"], method="wilson") for row in rows]
    band = stats.half_height([row["offset_ns"] for row in rows], [rate.estimate for rate in rates])
    if band is None:
        raise ValueError(
            "this scan has no peak with two sides, so there is no window to show: scan more rounds, on two cores."
        )
    before = _recorded_ways(band)
    ways = (
        {key: _way(key, given, band) for key, given in skews.items()}
        if skews is not None
        else before
    )
    chosen = way or next((key for key in ways if "Barrier" in key), next(iter(ways), None))
    if chosen not in ways:
        raise ValueError(f"way={way!r} is none of: {', '.join(ways) or '(no ways given)'}.")
    state: dict[str, Any] = {
        "points": [
            [row["offset_ns"], row["hits"], row["rounds"], rate.estimate, rate.low, rate.high]
            for row, rate in zip(rows, rates, strict=True)
        ],
        "band": [round(edge, 1) for edge in band],
        "ways": [
            {"name": key, **found, "before": before.get(key) if skews is not None else None}
            for key, found in ways.items()
        ],
        "way": list(ways).index(chosen),
        "failure": failure,
        "window": window,
    }
    how = (
        "Drag thread A, in the picture or with the slider, or let it go where the next release of a way puts it. "
        "Such a release is one of the 19 that part the way's releases, from the closest to the farthest, into twentieths: "
        "each comes once, in a mixed order, with the one thread first and then the other. A black dot is one that was shown."
    )
    bars = any(way["bins"] for way in state["ways"])
    dots = any(way["bins"] is None for way in state["ways"])
    lines = any(way["before"] for way in state["ways"])
    marks = (
        "Bars show how many of a way's releases are so far apart, unless in so narrow a column there are fewer than 0.1 % of them; "
        * bars
        + "grey dots show the twentieths of a way of which no more is known; " * dots
        + "both sides are the same, as clocks do not say who was first. "
        + "The line below bars goes over what was recorded, without the first and the last twentieth, and its tick is the median. "
        * lines
    )
    caption = (
        f"When do two windows meet? {how} "
        f"{marks[0].upper()}{marks[1:]}"
        "The axis is stretched in the middle, and a way's last twentieth may lie beyond it. The band is as wide as the peak at half its height, a window half of that, "
        "and B is drawn where the peak has its middle, which need not be at 0. "
        "The band has sharp edges, which the peak has not: inside it a round can pass, close to it one can fail."
    )
    return Living("scan", state, caption, _scan_still(state), name, how)


def _points(given: Scan | Iterable[Mapping[str, Any]] | None) -> list[dict[str, Any]]:
    """Points of a scan that have rounds."""
    from racelab.racing import Scan
    from racelab.recording import recorded

    if given is None:
        given = recorded(SLUG).rows("scan")
    rows = given.points if isinstance(given, Scan) else given
    return [
        {
            "offset_ns": float(row["offset_ns"]),
            "hits": int(row["hits"]),
            "rounds": int(row["rounds"]),
        }
        for row in rows
        if row["rounds"]
    ]


def _recorded_ways(band: tuple[float, float]) -> dict[str, dict[str, Any]]:
    """What was recorded: all releases of a way, or the twentieths of one that was recorded without them."""
    from racelab.recording import recorded

    try:
        seen = recorded(SLUG)
        rows = seen.rows("releases")
    except (FileNotFoundError, LookupError):
        return {}
    cuts: dict[str, list[float]] = {}
    for row in rows:
        cuts.setdefault(row["way"], []).append(row["ns"])
    found = {
        key: {
            "cuts": [round(ns) for ns in at],
            "median": _median([round(ns) for ns in at]),
            "inside": sum(_share(ns, ns, band) for ns in at) / TWENTIETHS,
            "n": None,
            "bins": None,
        }
        for key, at in cuts.items()
    }
    bins: dict[str, list[Bin]] = {}
    for row in seen.rows("release_bins") if "release_bins" in seen.measurements else ():
        bins.setdefault(row["way"], []).append((row["from_ns"], row["to_ns"], row["releases"]))
    found |= {key: _histogram(key, given, band) for key, given in bins.items()}
    for race in seen.races:
        key = f"racelab, {race.release}"
        if race.lab == "lost_update" and race.variant == "broken" and key not in found:
            found[key] = _way(key, race, band)
    return found


def _way(name: str, given: Result | Iterable[float], band: tuple[float, float]) -> dict[str, Any]:
    """What the figure says of a way: twentieths and bars, how many releases, and what share of them is in the band.

    Raises:
        ValueError: too few, or below 0.
    """
    bins = getattr(given, "skew_bins", None)
    if bins is not None:
        return _histogram(name, bins, band)
    skews = [float(ns) for ns in given]  # type: ignore[union-attr]
    if len(skews) < 2 or min(skews) < 0:
        raise _too_few(name, len(skews))
    cuts = [round(max(0.0, ns)) for ns in quantiles(skews, n=TWENTIETHS)]
    return {
        "cuts": cuts,
        "median": _median(cuts),
        "inside": sum(_share(ns, ns, band) for ns in skews) / len(skews),
        "n": len(skews),
        "bins": _bars(binned(skews)),
    }


def _histogram(name: str, bins: Iterable[Bin], band: tuple[float, float]) -> dict[str, Any]:
    """The same of a histogram."""
    bins = sorted(bins)
    n = sum(count for *_, count in bins)
    if n < 2 or bins[0][0] < 0:
        raise _too_few(name, n)
    # What a bin from 0 to 1 holds is under 1 ns.
    cuts = [int(_at(bins, n * k / TWENTIETHS)) for k in range(1, TWENTIETHS)]
    inside = sum(count * _share(low, high, band) for low, high, count in bins) / n
    return {
        "cuts": cuts,
        "median": _median(cuts),
        "inside": inside,
        "n": n,
        "bins": _bars(bins),
    }


def _median(cuts: Sequence[int]) -> str:
    """The middle one in words: for the figure, for paper, and for who prints a list beside them."""
    ns = cuts[len(cuts) // 2]
    return _apart(ns) if ns else "under 1 ns"


def _too_few(name: str, n: int) -> ValueError:
    return ValueError(f"{name!r}: give at least two skews, in ns, none below 0; got {n}.")


def _bars(bins: Iterable[Bin]) -> list[list[int]]:
    """A histogram with fewer bins: four for each power of two are as many as a picture can show."""
    total: dict[tuple[int, int], int] = {}
    for low, _, count in bins:
        shift = max(0, int(low).bit_length() - 3)
        left = int(low) >> shift << shift
        edges = left, left + (1 << shift)
        total[edges] = total.get(edges, 0) + count
    return [[*edges, count] for edges, count in sorted(total.items())]


def _at(bins: Iterable[tuple[float, float, int]], rank: float) -> float:
    """The skew that so many releases do not exceed: a bin's releases are taken to be spread evenly."""
    passed, high = 0.0, 0.0
    for low, high, count in bins:
        if passed + count >= rank:
            return low + (high - low) * (rank - passed) / count
        passed += count
    return high


def _share(low: float, high: float, band: tuple[float, float]) -> float:
    """What share of skews from low to high is inside the band, each order of the threads as likely as the other."""
    shares = []
    for left, right in (band, (-band[1], -band[0])):
        if low == high:
            shares.append(float(left < low < right))
        else:
            shares.append(max(0.0, min(high, right) - max(low, left)) / (high - low))
    return sum(shares) / 2


# ---------------------------------------------------------------------------------------------------
# On paper
# ---------------------------------------------------------------------------------------------------

WIDE, PEAK, ROW, COLUMN = 480, 130, 36, 4


def columns(
    bins: Iterable[Sequence[float]], x: Callable[[float], float], reach: float, wide: float
) -> dict[int, float]:
    """How many releases each column of a picture holds, half of them on each side of 0.

    Args:
        bins: from and to, in ns, and how many.
        x: where a time is in the picture.
        reach: the farthest time of the axis; what lies beyond is in no column.
        wide: width of a column.
    """
    found: dict[int, float] = {}
    for low, high, count in bins:
        for sign in (-1, 1) if low < reach else ():
            left, right = sorted(x(sign * min(ns, reach)) for ns in (low, high))
            first = math.floor(left / wide)
            last = max(first, math.ceil(right / wide) - 1)
            for k in range(first, last + 1):
                part = min(right, (k + 1) * wide) - max(left, k * wide)
                share = part / (right - left) if right > left else 1
                found[k] = found.get(k, 0) + share * count / 2
    return found


def _scan_still(state: Mapping[str, Any]) -> str:
    """The peak, and the ways below it, on the axis that scan.js uses."""
    points, (low, high) = state["points"], state["band"]
    soft = (high - low) / 8
    reach = max(
        [abs(point[0]) for point in points] + [way["cuts"][-1] for way in state["ways"]] + [1e4]
    )

    def x(ns: float) -> float:
        return round(WIDE / 2 * (1 + math.asinh(ns / soft) / math.asinh(reach / soft)), 1)

    top = max(point[3] for point in points)
    foot = 20 + PEAK
    curve = " ".join(f"{x(point[0])},{foot - PEAK * point[3] / top:.1f}" for point in points)
    powers = [10.0**k for k in range(2, 10) if 10.0**k <= reach]
    marks = [
        0.0,
        *(sign * ns for ns in powers[:: -2 if len(powers) > 3 else 1] for sign in (-1, 1)),
    ]
    ticks = "".join(
        f'<text x="{x(ns)}" y="{foot + 18}" text-anchor="middle">{_apart(ns)}</text>'
        for ns in marks
    )
    rows = ""
    for number, way in enumerate(state["ways"]):
        y = foot + 62 + ROW * number
        if way["bins"] is None:
            shown = "".join(
                f'<circle cx="{x(sign * ns)}" cy="{y}" r="2.2"/>'
                for ns in way["cuts"]
                for sign in (-1, 1)
            )
        else:
            held = columns(way["bins"], x, reach, COLUMN)
            heights = {k: n for k, n in held.items() if n >= LEAST * way["n"]}
            most = max(heights.values())
            bars = "".join(
                f"M{COLUMN * k},{y + 6}v{-max(0.6, 14 * n / most):.1f}h{COLUMN}v{max(0.6, 14 * n / most):.1f}z"
                for k, n in sorted(heights.items())
            )
            shown = f'<path d="{bars}"/>'
        rows += f'<text x="0" y="{y - 12}">{html.escape(way["name"])}</text>{shown}'
    words = (
        f"Hit rate against how much later thread A begins: at most {100 * top:.2g} %, {high - low:.0f} ns wide at half that height. "
        + "; ".join(f"{way['name']}: median {way['median']} apart" for way in state["ways"])
    )
    height = foot + 62 + ROW * len(state["ways"])
    return (
        f'<svg role="img" aria-label="{html.escape(words)}." viewBox="-24 0 {WIDE + 48} {height}" '
        f'style="max-width:100%;width:{WIDE + 48}px" font-size="13" fill="currentColor">'
        f'<rect x="{x(low)}" y="20" width="{x(high) - x(low):.1f}" height="{height - 30}" opacity="0.12"/>'
        f'<text x="0" y="12">hit rate, at most {100 * top:.2g} %</text>'
        f'<polyline points="{curve}" fill="none" stroke="currentColor" stroke-width="2"/>'
        f'<line x1="0" x2="{WIDE}" y1="{foot}" y2="{foot}" stroke="currentColor" opacity="0.5"/>{ticks}'
        f'<text x="{WIDE / 2}" y="{foot + 36}" text-anchor="middle">A begins later than B by this much</text>{rows}</svg>'
    )


def _apart(ns: float) -> str:
    """A time as the figure writes it."""
    size, sign = abs(ns), "\N{MINUS SIGN}" * (ns < 0)
    for unit, factor in (("ms", 1e6), ("µs", 1e3)):
        if size >= factor:
            return f"{sign}{size / factor:.3g} {unit}"
    return f"{sign}{size:.0f} ns" if ns else "0"
