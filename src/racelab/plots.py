"""The book's figures: plain Matplotlib, one function each, readable on light and on dark pages.

Every plot function takes ``ax=None`` (a new figure is made), returns the ``Axes``, and writes a
description for people who cannot see the figure; `describe` replaces it. Matplotlib is imported
when a figure is asked for.

How light and dark are served. No colour at all reaches a contrast of 4.5:1 on white and on the
theme's dark background at once (the best grey reaches 4.3:1), so text and axes are drawn in that
grey, `INK`, and turned into ``currentColor`` where a figure is shown as HTML: they take the colour
of the page's own text. The data colours keep 3:1, what graphics need, on both backgrounds. See
`use_style` for notebooks and for the site.
"""

from __future__ import annotations

import contextlib
import functools
import hashlib
import html
import io
import math
import re
import statistics
import sys
import textwrap
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar, cast

from racelab import stats

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = [
    "PALETTE",
    "Series",
    "describe",
    "detection_by_process",
    "detection_vs_count",
    "dots",
    "figure_html",
    "flagship",
    "outcomes",
    "rate_vs_count",
    "rates",
    "scaling",
    "scan",
    "skew_histogram",
    "timeline",
    "use_style",
]

INK = "#797979"  # the grey with the best contrast on white and on #121212 together
PALETTE = {
    "broken": "#d55e00",  # Okabe and Ito's vermilion and blue
    "fixed": "#0072b2",
    "good": "#008f68",
    "other": "#b8639a",
    "neutral": INK,
}

WIDTH_IN = 5.2  # narrow on purpose: at a phone's 360 px the text must still be read
GROW = 1.2  # how far a figure may grow with the page
SMALL = 9.5  # points: the smallest text
UNITS_NS = {"ns": 1, "us": 1_000, "ms": 1_000_000, "s": 1_000_000_000}

# state -> (fill, opacity of the fill, hatch, line style): four states apart without any colour
STATES: dict[str, tuple[str, float, str, str]] = {
    "attached": (PALETTE["fixed"], 0.85, "", "-"),
    "detached": (PALETTE["good"], 0.0, "--", "--"),
    "waiting": (PALETTE["broken"], 0.15, "////", "-"),
    "stopped": (PALETTE["other"], 0.30, "xxxx", "-"),
}

_STYLE: Any = {
    "figure.figsize": (WIDTH_IN, 3.2),
    "figure.facecolor": "none",
    "figure.dpi": 110,
    "savefig.facecolor": "auto",
    "savefig.edgecolor": "none",
    "axes.facecolor": "none",
    "axes.edgecolor": INK,
    "axes.labelcolor": INK,
    "axes.titlecolor": INK,
    "axes.titlesize": 11,
    "axes.titlelocation": "left",
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "axes.axisbelow": True,
    "grid.color": INK,
    "grid.alpha": 0.25,
    "grid.linewidth": 0.6,
    "text.color": INK,
    "xtick.color": INK,
    "ytick.color": INK,
    "xtick.labelcolor": INK,
    "ytick.labelcolor": INK,
    "legend.frameon": False,
    "legend.labelcolor": INK,
    "hatch.color": INK,
    "hatch.linewidth": 1.0,
    "lines.linewidth": 1.6,
    "lines.markersize": 6,
    "font.size": 11,
    "font.family": "sans-serif",
    "svg.fonttype": "none",  # text stays text: selectable, searchable, sharp
    "svg.hashsalt": "racelab",  # the same data give the same bytes
}

_Plot = TypeVar("_Plot", bound=Callable[..., Any])


@contextlib.contextmanager
def _style() -> Iterator[None]:
    """The book's style for a while. Not rc_context: that would also undo what a backend sets when
    the first figure of a kernel loads it, and no later figure would be shown."""
    import matplotlib as mpl

    before = {key: mpl.rcParams[key] for key in _STYLE}
    mpl.rcParams.update(_STYLE)
    try:
        yield
    finally:
        mpl.rcParams.update(before)


def _styled(plot: _Plot) -> _Plot:
    """Draw with the book's style, and leave the reader's own rcParams as they are."""

    @functools.wraps(plot)
    def draw(*args: Any, **kwargs: Any) -> Any:
        with _style():
            return plot(*args, **kwargs)

    return cast("_Plot", draw)


def _axes(ax: Axes | None, height_in: float = 3.2) -> Axes:
    """The Axes to draw on: the caller's, or those of a new figure."""
    if ax is not None:
        return ax
    import matplotlib.pyplot as plt

    figure, ax = plt.subplots(figsize=(WIDTH_IN, height_in), layout="constrained")
    _mark_own(figure)
    return ax


def _mark_own(figure: Figure) -> None:
    """Have notebooks show this figure as `figure_html`, whether `use_style` was called or not."""
    owned: Any = figure
    owned._repr_html_ = functools.partial(figure_html, figure)
    shell = _kernel_shell()
    if shell is not None:
        _hide_axes_text(shell)


def duration(ns: float) -> str:
    """A duration in words, three significant digits: ``"12.3 ms"``, ``"950 ns"``."""
    for unit in ("s", "ms", "us"):
        if abs(ns) >= UNITS_NS[unit] * 0.9995:
            return f"{_three(ns / UNITS_NS[unit])} {unit}"
    return f"{_three(ns)} ns"


def _three(value: float) -> str:
    """Three significant digits, never an exponent, no zeros that say nothing."""
    if value == 0:
        return "0"
    text = f"{float(f'{value:.3g}'):.15f}".rstrip("0").rstrip(".")
    return text if len(text) < 12 else f"{value:.3g}"


# -- descriptions and HTML -------------------------------------------------------------------------


def describe(ax: Axes, text: str) -> Axes:
    """Say in words what a figure shows, for people who cannot see it. Returns the same Axes.

    The plot functions write a description of their own; call this to say it better. Where the
    figure is shown as HTML (a notebook, the site; see `use_style`) the text becomes the
    ``aria-label`` of the SVG, which has the role ``img``. Several Axes in one figure: their texts
    are joined.

    Args:
        ax: any Axes, also one that racelab did not make.
        text: one to three sentences: what is on the axes, and the one thing to see. Not empty.

    Raises:
        ValueError: the text is empty.
    """
    if not text.strip():
        raise ValueError("describe: the text is empty. Say what the figure shows, in a sentence.")
    described: Any = ax
    described._racelab_description = " ".join(text.split())
    return ax


def description(figure: Figure) -> str:
    """The words written by `describe` for all Axes of a figure, else the titles, else
    ``"Figure"``."""
    said = [getattr(ax, "_racelab_description", "") for ax in figure.axes]
    said = [text for text in said if text]
    if not said:
        said = [
            ax.get_title(loc)
            for ax in figure.axes
            for loc in ("left", "center")
            if ax.get_title(loc)
        ]
    return " ".join(said) or "Figure"


# -- the timeline ----------------------------------------------------------------------------------


@_styled
def timeline(
    spans: Iterable[Mapping[str, Any]],
    *,
    events: Iterable[Mapping[str, Any]] = (),
    ax: Axes | None = None,
    title: str | None = None,
    unit: str = "ms",
) -> Axes:
    """Draw what each thread did and when: one lane per thread, one box per span of time.

    Args:
        spans: mappings with ``thread`` (str), ``state`` (``"attached"``, ``"detached"``,
            ``"waiting"`` or ``"stopped"``), ``start_ns``, ``end_ns`` (numbers on one clock) and, if
            wanted, ``label`` (written above the box where there is room). Lanes come in the order
            in which threads first appear.
        events: mappings with ``label``, ``start_ns``, ``end_ns``: a band over all lanes, such as a
            stop-the-world pause or a ``gc.collect()``; its duration is written on it.
        ax: where to draw; a new figure by default.
        title: above the Axes; none by default.
        unit: unit of the time axis: ``"ns"``, ``"us"``, ``"ms"`` or ``"s"``. Time 0 is the earliest
            start.

    Raises:
        ValueError: no spans, an unknown state or unit, a missing key, an end before its start; the
            message names the index and the value.
    """
    if unit not in UNITS_NS:
        raise ValueError(f"timeline: unit is {unit!r}; use one of {', '.join(UNITS_NS)}.")
    boxes = [
        checked_span(f"timeline: spans[{index}]", span, ("thread", "state"))
        for index, span in enumerate(spans)
    ]
    bands = [
        checked_span(f"timeline: events[{index}]", event, ("label",))
        for index, event in enumerate(events)
    ]
    if not boxes:
        raise ValueError(
            "timeline: spans is empty. Give at least one span with thread, state, start_ns, end_ns."
        )

    lanes = list(dict.fromkeys(str(box["thread"]) for box in boxes))
    axes = _axes(ax, height_in=1.25 + 0.62 * len(lanes))
    zero = min(item["start_ns"] for item in boxes + bands)
    last = max(item["end_ns"] for item in boxes + bands)
    scale = UNITS_NS[unit]
    width = max((last - zero) / scale, 1e-9)
    axes.set_xlim(-0.01 * width, 1.01 * width)
    axes.set_ylim(len(lanes) - 0.4, -0.65)

    _draw_bands(axes, bands, zero, scale, width)
    for box in boxes:
        _draw_box(axes, box, lanes.index(str(box["thread"])), zero, scale)

    axes.set_yticks(range(len(lanes)), lanes)
    axes.tick_params(axis="y", length=0)
    axes.grid(visible=False, axis="y")
    axes.spines["left"].set_visible(False)
    axes.set_xlabel(f"time ({unit})")
    _state_legend(axes, [str(box["state"]) for box in boxes])
    _title(axes, title, pad=6 + 14 * _band_rows(bands, zero, scale, width))
    return describe(axes, _timeline_words(boxes, bands, lanes, last - zero))


def checked_span(where: str, span: Mapping[str, Any], keys: Sequence[str]) -> dict[str, Any]:
    """One span or event of a timeline, with everything that a drawing needs.

    Args:
        where: which one it is, for the message.
        span: has "start_ns" and "end_ns".
        keys: what it must have besides: "thread" and "state" of a span, "label" of an event.

    Raises:
        ValueError: a missing key, an unknown state, an end before its start.
    """
    for key in (*keys, "start_ns", "end_ns"):
        if key not in span:
            raise ValueError(f"{where} has no {key!r}: {dict(span)!r}")
    if "state" in keys and span["state"] not in STATES:
        raise ValueError(f"{where} has state {span['state']!r}; use one of {', '.join(STATES)}.")
    if span["end_ns"] < span["start_ns"]:
        raise ValueError(
            f"{where} ends at {span['end_ns']} ns, before its start at {span['start_ns']} ns."
        )
    return dict(span)


def _draw_box(axes: Axes, box: Mapping[str, Any], lane: int, zero: int, scale: int) -> None:
    """One span: fill, hatch and outline by state; its label above it if it fits."""
    from matplotlib.patches import Rectangle

    left, right = (box["start_ns"] - zero) / scale, (box["end_ns"] - zero) / scale
    for look in _state_looks(str(box["state"])):
        patch = Rectangle((left, lane - 0.2), right - left, 0.42, **look)
        patch.set_gid(f"span:{box['thread']}:{box['state']}")
        axes.add_patch(patch)
    label = str(box.get("label") or "")
    if label:
        at = (left, lane - 0.22)
        text = axes.annotate(
            label, at, xytext=(2, 2), textcoords="offset points", fontsize=SMALL, va="bottom"
        )
        if _text_width(axes, text) > right - left:
            text.remove()


def _state_looks(state: str) -> list[dict[str, Any]]:
    """Patch properties of a state: its fill, then its hatch. Two patches, as an SVG hatch takes the
    fill's opacity."""
    from matplotlib.colors import to_rgba

    fill, opacity, hatch, line = STATES[state]
    base = {
        "facecolor": to_rgba(fill, opacity),
        "edgecolor": fill,
        "linestyle": line,
        "linewidth": 1.2,
    }
    over = {"facecolor": "none", "edgecolor": fill, "linewidth": 0.0, "hatch": hatch}
    return [base, over] if hatch else [base]


def _text_width(axes: Axes, text: Any) -> float:
    """Width of a text in the units of the x axis, measured before the layout has settled (so:
    roughly)."""
    pixels = text.get_window_extent().width
    span = axes.get_xlim()[1] - axes.get_xlim()[0]
    return float(pixels / axes.get_window_extent().width * span)


def _band_words(band: Mapping[str, Any]) -> str:
    return f"{band['label']}: {duration(band['end_ns'] - band['start_ns'])}"


def _draw_bands(
    axes: Axes, bands: list[dict[str, Any]], zero: int, scale: int, width: float
) -> None:
    """Events as bands over all lanes, with dashed borders so that the narrowest is still seen."""
    for band, row in zip(bands, _band_row_of(bands, zero, scale, width), strict=True):
        left, right = (band["start_ns"] - zero) / scale, (band["end_ns"] - zero) / scale
        axes.axvspan(left, right, facecolor=INK, alpha=0.22, linewidth=0, zorder=0.5).set_gid(
            "event"
        )
        for edge in (left, right):
            axes.axvline(edge, color=INK, linewidth=0.9, linestyle=(0, (4, 2)), zorder=0.6)
        at_right = (left + right) / 2 > 0.6 * width
        axes.annotate(
            _band_words(band),
            (right if at_right else left, 1.0),
            xycoords=axes.get_xaxis_transform(),
            xytext=(0, 3 + 13 * row),
            textcoords="offset points",
            ha="right" if at_right else "left",
            fontsize=SMALL,
            annotation_clip=False,
        )


def _band_row_of(bands: list[dict[str, Any]], zero: int, scale: int, width: float) -> list[int]:
    """The row of each band's words above the Axes, so that no two run into each other."""
    taken: list[list[tuple[float, float]]] = []
    rows = []
    for band in bands:
        left, right = (band["start_ns"] - zero) / scale, (band["end_ns"] - zero) / scale
        length = len(_band_words(band)) * width / 58  # about 58 letters of this size fit in a line
        start = right - length if (left + right) / 2 > 0.6 * width else left
        row = next(
            (
                i
                for i, used in enumerate(taken)
                if all(start + length < a or start > b for a, b in used)
            ),
            len(taken),
        )
        if row == len(taken):
            taken.append([])
        taken[row].append((start, start + length))
        rows.append(row)
    return rows


def _band_rows(bands: list[dict[str, Any]], zero: int, scale: int, width: float) -> int:
    return max(_band_row_of(bands, zero, scale, width), default=-1) + 1


def _state_legend(axes: Axes, states: Sequence[str]) -> None:
    """Name every state that is drawn, beside its pattern, below the Axes."""
    from matplotlib.patches import Patch

    shown = [state for state in STATES if state in states]
    handles = [tuple(Patch(**look) for look in _state_looks(state)) for state in shown]
    _legend_below(axes, handles, shown, ncols=4)


def _legend_below(axes: Axes, handles: Sequence[Any], labels: Sequence[str], ncols: int) -> None:
    """A legend under the x label, where it never covers data."""
    from matplotlib.transforms import ScaledTranslation

    below = ScaledTranslation(0, -40 / 72, axes.figure.dpi_scale_trans)
    axes.legend(
        handles,
        labels,
        loc="upper left",
        bbox_to_anchor=(-0.02, 0.0),
        bbox_transform=axes.transAxes + below,
        ncols=ncols,
        handlelength=2.2,
        columnspacing=1.2,
        fontsize=SMALL,
        borderaxespad=0,
    )


def _title(axes: Axes, title: str | None, pad: float = 6.0) -> None:
    """A title that stays inside a narrow figure."""
    if title:
        axes.set_title(textwrap.fill(title, 50), pad=pad)


def _timeline_words(
    boxes: list[dict[str, Any]], bands: list[dict[str, Any]], lanes: list[str], length_ns: float
) -> str:
    said = [f"Timeline of {len(lanes)} thread{'s' * (len(lanes) != 1)} over {duration(length_ns)}."]
    for lane in lanes:
        totals: dict[str, float] = {}
        for box in boxes:
            if str(box["thread"]) == lane:
                state = str(box["state"])
                totals[state] = totals.get(state, 0) + box["end_ns"] - box["start_ns"]
        said.append(
            f"{lane}: " + ", ".join(f"{state} {duration(ns)}" for state, ns in totals.items()) + "."
        )
    said += [f"{_band_words(band)}." for band in bands]
    return " ".join(said)


# What was recorded, beside what is of today.
_RECORDED: Any = {"color": INK, "linewidth": 6, "alpha": 0.35, "solid_capstyle": "butt"}

# -- measured values by group -----------------------------------------------------------------------


@_styled
def dots(
    groups: Mapping[str, Sequence[float]],
    *,
    xlabel: str,
    recorded: Mapping[str, Sequence[float]] | None = None,
    log: bool | None = None,
    ax: Axes | None = None,
    title: str | None = None,
) -> Axes:
    """Draw every measured value as a dot, one row per group, with a bar at the median.

    Args:
        groups: name of the group to its values, drawn from top to bottom; none of them empty.
        xlabel: what a value is, with its unit.
        recorded: the same from a recorded run: a line from the lowest to the highest value, with a
            tick at the median. Names that only it has come last.
        log: logarithmic axis; by default where all values are above 0 and span a factor of 50 or more.
        ax: where to draw; a new figure by default.
        title: above the Axes; none by default.

    Raises:
        ValueError: no groups, an empty one, or a value that a log axis cannot show; the message names
            the group, the index and the value.
    """
    before = recorded or {}
    if not groups and not before:
        raise ValueError("dots: no groups given. Pass at least one name with its values.")
    for name, values in [*groups.items(), *before.items()]:
        if len(values) == 0:
            raise ValueError(f"dots: group {name!r} has no values.")
        for index, value in enumerate(values):
            if not math.isfinite(value) or (log and value <= 0):
                raise ValueError(
                    f"dots: {name!r}[{index}] is {value!r}, which this axis cannot show."
                )
    everything = [
        value for some in (groups, before) for values in some.values() for value in values
    ]
    if log is None:
        log = min(everything) > 0 and max(everything) >= 50 * min(everything)
    names = list({**groups, **before})
    axes = _axes(ax, height_in=0.85 + 0.5 * len(names) + (0.35 if before else 0.0))
    words = []
    for row, name in enumerate(names):
        if name in before:
            words.append(_draw_span(axes, row, name, before[name]))
        if name in groups:
            words.append(_draw_dots(axes, row, name, groups[name]))
    _rows_axis(axes, names)
    if log:
        axes.set_xlim(min(everything) / 1.3, max(everything) * 1.3)
        _log_x(axes, lambda value, _: _three(value), long=True)
    else:
        axes.set_xlim(left=min(0.0, *everything) if min(everything) < 0 else 0.0)
    axes.set_xlabel(f"{xlabel}, log scale" if log else xlabel)
    _title(axes, title)
    if before:
        _day_legend(axes, today="o" if groups else None)
    return describe(axes, f"{xlabel[:1].upper()}{xlabel[1:]}, one dot per value. {' '.join(words)}")


def _rows_axis(axes: Axes, names: Sequence[str]) -> None:
    """One row per name, the first at the top."""
    axes.set_yticks(range(len(names)), list(names))
    axes.set_ylim(len(names) - 0.5, -0.5)
    axes.tick_params(axis="y", length=0, pad=7)
    axes.grid(visible=False, axis="y")


def _draw_span(axes: Axes, row: int, name: str, values: Sequence[float]) -> str:
    """A recorded group: a line from lowest to highest, a tick at the median. Returns its words."""
    median = statistics.median(values)
    axes.plot(
        [min(values), max(values)],
        [row, row],
        **_RECORDED,
    )
    axes.plot([median, median], [row - 0.18, row + 0.18], color=INK, linewidth=2)
    return f"{name}, recorded: median {_three(median)}, {_three(min(values))} to {_three(max(values))}."


def _day_legend(axes: Axes, today: str | None) -> None:
    """What is a recorded line and what is a mark of today."""
    from matplotlib.lines import Line2D

    handles = [Line2D([], [], **_RECORDED)]
    labels = ["recorded"]
    if today is not None:
        look: dict[str, Any] = {"markerfacecolor": "none", "markeredgecolor": PALETTE["fixed"]}
        handles.append(Line2D([], [], linestyle="none", marker=today, markersize=6, **look))
        labels.append("today")
    _legend_below(axes, handles, labels, ncols=2)


def _draw_dots(axes: Axes, row: int, name: str, values: Sequence[float]) -> str:
    """One row: dots spread a little so that equal ones show, and the median. Returns its words."""
    median = statistics.median(values)
    lifts = [row + 0.07 * ((7 * nth) % 5 - 2) for nth in range(len(values))]
    axes.plot(
        values,
        lifts,
        linestyle="none",
        marker="o",
        markersize=5,
        markerfacecolor="none",
        markeredgecolor=PALETTE["fixed"],
        markeredgewidth=1.2,
        label=name,
    )
    axes.plot([median, median], [row - 0.3, row + 0.3], color=PALETTE["broken"], linewidth=2.4)
    return f"{name}: median {_three(median)}, {_three(min(values))} to {_three(max(values))}."


# -- rates side by side ----------------------------------------------------------------------------


@_styled
def rates(
    today: Mapping[str, Any],
    recorded: Mapping[str, Any] | None = None,
    *,
    per: str = "round",
    ax: Axes | None = None,
    title: str | None = None,
) -> Axes:
    """Draw failure rates side by side, one row each, on a log axis.

    Recorded: a thick line as long as the interval, with a tick at the estimate. Today: a mark, filled
    for broken and open for fixed, with its interval. Nothing failed: an arrow that leads down from the
    upper bound, because the rate is somewhere below it.

    Args:
        today: name of the row to a result, a `stats.Rate`, or None where nothing was run.
        recorded: the same from recorded runs. Names that only it has come last.
        per: what a rate is per, for results: ``"round"`` or ``"repetition"``.
        ax: where to draw; a new figure by default.
        title: above the Axes; none by default.

    Raises:
        ValueError: no rows, another `per`, or a result without a run; the message names the row.
    """
    if per not in ("round", "repetition"):
        raise ValueError(f"per is {per!r}: use 'round' or 'repetition'.")
    before = {name: _rate_of(name, one, per) for name, one in (recorded or {}).items()}
    now = {name: _rate_of(name, one, per) for name, one in today.items() if one is not None}
    names = list({**today, **before})
    drawn = [*before.values(), *now.values()]
    if not drawn:
        raise ValueError("rates: nothing to draw. Pass at least one name with a result.")
    lowest, highest = (f(rate.low or rate.high for rate in drawn) for f in (min, max))
    floor = lowest / max(4.0, (highest / lowest) ** 0.15)  # room for an arrow
    axes = _axes(ax, height_in=1.25 + 0.45 * len(names))
    words, kinds = [], []
    for row, name in enumerate(names):
        shift = 0.16 if name in before and name in now else 0.0
        if name in before:
            _draw_recorded_rate(axes, row + shift, before[name], floor)
            words.append(f"{name}, recorded: {before[name]}.")
        if name in now:
            broken = _looks_broken(name, today[name])
            _draw_rate(axes, row - shift, now[name], broken=broken)
            kinds.append(broken)
            stamp = " (widened)" if _is_widened(today[name]) else ""
            words.append(f"{name}, today{stamp}: {now[name]}.")
    _rows_axis(axes, names)
    axes.set_xlim(floor, min(2.0, 1.8 * max(rate.high for rate in drawn)))
    _log_x(axes, lambda value, _: _share_text(value) if value <= 1 else "", long=True)
    axes.set_xlabel(f"failures per {drawn[0].unit} (log scale)")
    _title(axes, title)
    _rates_legend(
        axes,
        kinds,
        recorded=bool(before),
        zero=any(r.failed == 0 for r in drawn),
        widened=any(_is_widened(one) for one in today.values()),
    )
    return describe(axes, f"Failure rates per {drawn[0].unit}. {' '.join(words)}")


def _rate_of(name: str, one: Any, per: str) -> stats.Rate:
    rate = one if isinstance(one, stats.Rate) else getattr(one, f"rate_per_{per}")
    if rate is None:
        raise ValueError(f"rates: {name!r} has no run, so there is no rate to draw.")
    return rate


def _is_widened(one: Any) -> bool:
    """Whether race points were held open: said beside the marks, because such rates compare with no others."""
    return bool(getattr(one, "widened", False))


def _looks_broken(name: str, one: Any) -> bool:
    """By the result's variant, else by the name of its row."""
    return not str(getattr(one, "variant", None) or name).startswith("fixed")


def _draw_recorded_rate(axes: Axes, row: float, rate: stats.Rate, floor: float) -> None:
    if rate.failed == 0:
        _draw_left_of(axes, rate.high, row, INK)
        return
    axes.plot(
        [max(rate.low, floor), rate.high],
        [row, row],
        **_RECORDED,
    )
    axes.plot([rate.estimate] * 2, [row - 0.13, row + 0.13], color=INK, linewidth=2)


def _draw_rate(axes: Axes, row: float, rate: stats.Rate, *, broken: bool) -> None:
    colour = PALETTE["broken" if broken else "fixed"]
    if rate.failed == 0:
        _draw_left_of(axes, rate.high, row, colour)
    else:
        axes.plot([rate.low, rate.high], [row, row], color=colour, linewidth=1.4)
    axes.plot([rate.estimate if rate.failed else rate.high], [row], **_rate_mark(broken=broken))


def _rate_mark(*, broken: bool) -> dict[str, Any]:
    """The mark of a rate of today: filled for broken, open for fixed."""
    colour = PALETTE["broken" if broken else "fixed"]
    return {
        "linestyle": "none",
        "marker": "o" if broken else "s",
        "markersize": 6.5,
        "color": colour,
        "markerfacecolor": colour if broken else "none",
    }


def _draw_left_of(axes: Axes, x: float, row: float, colour: str) -> None:
    """A bar at an upper bound and an arrow to the left of it."""
    axes.plot([x, x], [row - 0.13, row + 0.13], color=colour, linewidth=1.6)
    _draw_bound(axes, x, row, {"colour": colour}, towards=(-24, 0))


def _rates_legend(
    axes: Axes, kinds: Sequence[bool], *, recorded: bool, zero: bool, widened: bool
) -> None:
    """What is of today (`kinds`: whether broken, of each row), what was recorded, and what the arrows mean."""
    from matplotlib.lines import Line2D

    handles, labels = [], []
    if recorded:
        handles.append(Line2D([], [], **_RECORDED))
        labels.append("recorded")
    for broken in sorted(set(kinds), reverse=True):
        handles.append(Line2D([], [], **_rate_mark(broken=broken)))
        stamp = " (widened)" if widened else ""
        labels.append(f"{'broken' if broken else 'fixed'}, today{stamp}")
    if zero:
        arrow: dict[str, Any] = {"marker": r"$\leftarrow$", "markersize": 13, "markeredgewidth": 0}
        handles.append(Line2D([], [], linestyle="none", color=INK, **arrow))
        labels.append("none failed: below this")
    _legend_below(axes, handles, labels, ncols=2)


# -- against the number of threads ------------------------------------------------------------------


@_styled
def scaling(
    today: Mapping[str, Mapping[float, Sequence[float]]],
    recorded: Mapping[str, Mapping[float, Sequence[float]]] | None = None,
    *,
    xlabel: str = "threads",
    ylabel: str,
    log_y: bool | None = None,
    ax: Axes | None = None,
    title: str | None = None,
) -> Axes:
    """Draw how something grows with the number of threads: a line per way, its median at each number.

    Recorded medians are joined by a line; today's are marks with a bar from the lowest to the highest value.

    Args:
        today: name to {number of threads: measured values}.
        recorded: the same from a recorded run.
        xlabel, ylabel: what the numbers are, with the unit.
        log_y: logarithmic; by default where all values are above 0 and span a factor of 50 or more.
        ax: where to draw; a new figure by default.
        title: above the Axes; none by default.

    Raises:
        ValueError: nothing to draw, or a name without values; the message names it.
    """
    from matplotlib.ticker import NullLocator

    before = recorded or {}
    names = list({**today, **before})
    points = [
        (name, x, value)
        for some in (today, before)
        for name, by_x in some.items()
        for x, values in by_x.items()
        for value in values
    ]
    empty = [name for name in names if name not in {point[0] for point in points}]
    if not names or empty:
        raise ValueError(
            f"scaling: no values for {empty[0]!r}." if empty else "scaling: no values."
        )
    everything = [value for _, _, value in points]
    if log_y is None:
        log_y = min(everything) > 0 and max(everything) >= 50 * min(everything)
    axes = _axes(ax, height_in=3.8)
    words = []
    colours = (PALETTE["fixed"], PALETTE["broken"], PALETTE["good"], PALETTE["other"], INK)
    for nth, name in enumerate(names):
        look = {"color": colours[nth % 5], "marker": "os^Dv"[nth % 5], "markersize": 6}
        words += _draw_growth(axes, name, before.get(name, {}), today.get(name, {}), look)
    xs = sorted({x for _, x, _ in points})
    if min(xs) > 0 and max(xs) >= 4 * min(xs):
        axes.set_xscale("log", base=2)
    axes.set_xticks(xs, [_three(x) for x in xs])
    axes.xaxis.set_minor_locator(NullLocator())
    if log_y:
        axes.set_yscale("log")
        axes.yaxis.set_major_formatter(lambda value, _: _three(value))
    else:
        axes.set_ylim(bottom=0.0)
    axes.set(xlabel=xlabel, ylabel=f"{ylabel}, log scale" if log_y else ylabel)
    _title(axes, title)
    handles, labels = axes.get_legend_handles_labels()
    _legend_below(axes, handles, labels, ncols=2)
    return describe(axes, f"{ylabel} against {xlabel}. {' '.join(words)}")


def _draw_growth(
    axes: Axes,
    name: str,
    before: Mapping[float, Sequence[float]],
    now: Mapping[float, Sequence[float]],
    look: Mapping[str, Any],
) -> list[str]:
    """One way: its recorded line and today's marks. Returns their words."""
    words = []
    for kind, by_x in (("recorded", before), ("today", now)):
        if not by_x:
            continue
        xs = sorted(x for x in by_x if by_x[x])
        medians = [statistics.median(by_x[x]) for x in xs]
        line = {"linestyle": "-", "markersize": 3} if kind == "recorded" else {"linestyle": "none"}
        axes.plot(xs, medians, **{**look, **line}, label=f"{name}, {kind}")
        if kind == "today":
            for x in xs:
                axes.plot([x, x], [min(by_x[x]), max(by_x[x])], color=look["color"], linewidth=1.2)
        said = ", ".join(f"{_three(y)} at {_three(x)}" for x, y in zip(xs, medians, strict=True))
        words.append(f"{name}, {kind}: median {said}.")
    return words


# -- failures against count ------------------------------------------------------------------------


@dataclass(frozen=True)
class Series:
    """Runs in the order in which they were made, ready to be drawn against their count.

    Attributes:
        failures: one truth value per run; with `runs`, the number of failures in each process
            instead.
        variant: ``"broken"``, ``"broken_..."``, ``"fixed"`` or ``"fixed_..."``; decides marker and
            colour.
        label: in the legend; the variant by default.
        recorded: True for a recorded series (points joined), False for a run of today (points
            alone).
        runs: runs in each process, for rates per round; None where each entry of `failures` is one
            run.
        unit: what a run is.
    """

    failures: Sequence[int]
    variant: str = "broken"
    label: str = ""
    recorded: bool = False
    runs: Sequence[int] | None = None
    unit: str = "repetition"

    @classmethod
    def of(cls, result: Any, *, recorded: bool = False, per: str = "repetition") -> Series:
        """The series of a result: its repetitions in order, or its rounds process by process.

        Args:
            result: a racelab result (only ``ran``, ``variant`` and ``title`` are used).
            recorded: whether it was read from a file of recorded runs.
            per: ``"repetition"``: each repetition failed or not; ``"round"``: failed rounds of each.

        Raises:
            ValueError: another `per`.
        """
        label = result.title.replace("_", " ")
        if per == "repetition":
            flags = [bool(one.failed_rounds) for one in result.ran]
            return cls(flags, result.variant or "", label, recorded)
        if per != "round":
            raise ValueError(f"per is {per!r}: use 'repetition' or 'round'.")
        ran = [one for one in result.ran if one.rounds]
        failed = [min(one.failed_rounds, one.rounds) for one in ran]
        return cls(
            failed, result.variant or "", label, recorded, [one.rounds for one in ran], "round"
        )

    @property
    def name(self) -> str:
        """What the legend says, the day included: the two kinds of points are two kinds of
        evidence."""
        return f"{self.label or self.variant.replace('_', ' ')}, {'recorded' if self.recorded else 'today'}"


@_styled
def rate_vs_count(
    *series: Any,
    confidence: float = 0.95,
    ax: Axes | None = None,
    title: str | None = None,
    count: str = "racelab --count",
) -> Axes:
    """Draw the estimated failure rate after N runs, with its narrowing interval (Wilson), against
    N.

    Broken is drawn with filled circles, fixed with open squares; recorded points are joined,
    today's are not. As long as nothing has failed the point is the upper bound, with an arrow down.

    Args:
        series: `Series` or results, as arguments or in a list; a result stands for its repetitions
            (`Series.of`), run today.
        confidence: level of the intervals, in (0, 1).
        ax: where to draw; a new figure by default.
        title: above the Axes; none by default.
        count: what N is: ``"racelab --count"``, ``"pytest --count"`` or ``"rounds"``.

    Raises:
        ValueError: no series, or one without runs.
    """
    from matplotlib.ticker import NullLocator

    checked = _checked_series("rate_vs_count", series)
    paths = [[_rate_after(one, n, f, confidence) for n, f in _cumulative(one)] for one in checked]
    axes = _axes(ax, height_in=3.6)
    log = min(path[-1].estimate or path[-1].high for path in paths) < 0.01
    bottom = min(path[-1].low or path[-1].high / 4 for path in paths) / 1.5 if log else 0.0
    for one, path, look in zip(checked, paths, _looks(checked), strict=True):
        _draw_path(axes, one, path, look, bottom)
    _count_axis(axes, paths, count)
    if log:
        axes.set_ylim(bottom, 1.3 * max(rate.high for path in paths for rate in path))
    else:
        axes.set_ylim(0.0, 1.06 * min(1.0, max(_settled_high(path) for path in paths)))
    if log:
        axes.set_yscale("log")
        axes.yaxis.set_minor_locator(NullLocator())
    axes.yaxis.set_major_formatter(_share_text)
    axes.set_ylabel(f"failures per {checked[0].unit}")
    _title(axes, title)
    _series_legend(axes, [_BOUND] if _any_zero(paths) else [])
    final = "; ".join(f"{one.name}: {path[-1]}" for one, path in zip(checked, paths, strict=True))
    return describe(
        axes,
        f"Estimated failure rate against {count}, its interval narrowing to the right. {final}.",
    )


@_styled
def detection_vs_count(
    *series: Any,
    confidence: float = 0.95,
    ax: Axes | None = None,
    title: str | None = None,
    count: str = "racelab --count",
) -> Axes:
    """Draw the chance of at least one failure within N runs, against N.

    Points: how many batches of N runs had a failure, with their interval, as far as there are five
    batches. Line: what ``1 - (1 - p) ** N`` gives for the overall rate p, with a band for p's own
    interval; for a series without failures the dashed edge says that the chance is below it. Points
    off the line mean that runs are not independent.

    Args, Raises: as `rate_vs_count`; a `Series` with `runs` has no order of single runs, and is
        refused.
    """
    checked = _checked_series("detection_vs_count", series)
    for index, one in enumerate(checked):
        if one.runs is not None:
            raise ValueError(
                f"detection_vs_count: series[{index}] has failures per process, and single runs "
                "are needed; use rate_vs_count."
            )
    axes = _axes(ax, height_in=3.6)
    totals = [
        _rate_after(one, len(one.failures), sum(map(bool, one.failures)), confidence)
        for one in checked
    ]
    for one, total, look in zip(checked, totals, _looks(checked), strict=True):
        _draw_curve(axes, total, look)
        _draw_batches(axes, one, confidence, look)
    _count_axis(axes, [[total] for total in totals], count, start=1)
    axes.set_ylim(0.0, 1.04)
    axes.yaxis.set_major_formatter(_share_text)
    axes.set_ylabel("chance of a failure within N")
    _title(axes, title)
    extra = [_EXPECTED] if any(total.failed for total in totals) else []
    extra += [_BOUND] if not all(total.failed for total in totals) else []
    _series_legend(axes, extra)
    words = [f"{one.name}: {total}" for one, total in zip(checked, totals, strict=True)]
    return describe(
        axes,
        f"Chance of at least one failure within N runs against {count}, rising as 1-(1-p)^N. {'; '.join(words)}.",
    )


@_styled
def detection_by_process(
    today: Mapping[str, Sequence[Sequence[int]]],
    recorded: Mapping[str, Sequence[Sequence[int]]] | None = None,
    *,
    count: str = "pytest --count",
    confidence: float = 0.95,
    title: str | None = None,
) -> Axes:
    """Draw the share of processes that had a failure within their first N runs: a panel per name.

    Dotted: ``1 - (1 - p) ** N``, which it would be if every run of every process had the same chance, p
    being the share of all runs that failed (of the recorded ones, where there are any). Points off that
    line: the runs of a process are not alike.

    Args:
        today: name to processes, each of them one truth value per run in order; drawn as marks.
        recorded: the same from recorded runs; drawn as a line with its interval.
        count: what N is.
        confidence: level of the intervals (Wilson, over processes), in (0, 1).
        title: above the first panel; none by default.

    Returns:
        The first panel; all are in its ``figure.axes``.

    Raises:
        ValueError: nothing to draw, or a process without runs; the message names it.
    """
    import matplotlib.pyplot as plt

    before = recorded or {}
    names = list({**today, **before})
    for name in names:
        given = [*today.get(name, ()), *before.get(name, ())]
        if not given or not all(len(runs) for runs in given):
            raise ValueError(f"detection_by_process: {name!r} has no process, or one without runs.")
    if not names:
        raise ValueError("detection_by_process: nothing to draw. Pass at least one name.")
    figure, panels = plt.subplots(
        len(names),
        1,
        figsize=(WIDTH_IN, 0.9 + 1.55 * len(names)),
        layout="constrained",
        sharex=True,
        squeeze=False,
    )
    _mark_own(figure)
    longest = max(len(runs) for some in (today, before) for one in some.values() for runs in one)
    for axes, name in zip(panels[:, 0], names, strict=True):
        axes.set_xlim(1 / 1.18, longest * 1.18)
        axes.set_ylim(-0.03, 1.06)
        said = _draw_processes(axes, today.get(name, ()), before.get(name, ()), confidence)
        axes.set_title(name, fontsize=SMALL + 1)
        axes.set_yticks([0, 0.5, 1])
        axes.yaxis.set_major_formatter(_share_text)
        describe(axes, f"{name}: {said}")
    last = panels[-1, 0]
    _log_x(last, _count_text)
    last.set_xlabel(f"{count} (log scale)")
    figure.supylabel("processes with a failure", color=INK, fontsize=11)
    handles, labels = panels[0, 0].get_legend_handles_labels()
    _legend_below(last, handles, labels, ncols=1)
    first: Axes = panels[0, 0]
    if title:
        first.set_title(f"{textwrap.fill(title, 50)}\n{names[0]}")
    lead = f"Share of processes with a failure within N runs, against {count}, one panel each."
    return describe(first, f"{lead} {getattr(first, '_racelab_description', '')}")


def _draw_processes(
    axes: Axes,
    today: Sequence[Sequence[int]],
    recorded: Sequence[Sequence[int]],
    confidence: float,
) -> str:
    """One panel: the curve of equal chances, recorded line, today's marks. Returns its words."""
    colour = PALETTE["broken"]
    known = recorded or today
    runs = sum(map(len, known))
    rate = sum(bool(run) for one in known for run in one) / runs
    longest = max(map(len, known))
    counts = [round(10 ** (i / 24)) for i in range(round(24 * math.log10(max(2, longest))) + 1)]
    curve = stats.detection_curve(rate, counts)
    expected = "if all runs had one rate: 1-(1-p)^N"
    axes.plot(counts, curve, color=INK, linestyle=":", linewidth=1.8, label=expected)
    words = [f"{stats._rate_words(rate, rate)} of {runs:,} runs failed"]
    line: dict[str, Any] = {"linestyle": "-", "markersize": 3.5}
    marks: dict[str, Any] = {"linestyle": "none", "markersize": 7}
    for processes, look, name in ((recorded, line, "recorded"), (today, marks, "today")):
        if not processes:
            continue
        within = [n for n in _grid(max(map(len, processes))) if n <= min(map(len, processes))]
        seen = [stats.detection_by_process(processes, n, confidence) for n in within]
        shown = [one.estimate for one in seen]
        low, high = [one.low for one in seen], [one.high for one in seen]
        if name == "recorded":
            axes.fill_between(within, low, high, color=colour, alpha=0.18, linewidth=0)
        else:
            axes.vlines(within, low, high, color=colour, linewidth=1.0)
        label = f"{len(processes)} {'process' if len(processes) == 1 else 'processes'}, {name}"
        axes.plot(  # a mark on the edge, at 0 %, is drawn whole
            within,
            shown,
            color=colour,
            marker="o",
            linewidth=1.4,
            label=label,
            zorder=3,
            clip_on=False,
            **look,
        )
        words.append(f"{label}: {shown[0]:.0%} within 1 run, {shown[-1]:.0%} within {within[-1]}")
    return "; ".join(words) + "."


@_styled
def flagship(
    *series: Any, confidence: float = 0.95, title: str | None = None, count: str = "racelab --count"
) -> Axes:
    """Both figures against count in one: `detection_vs_count` above, `rate_vs_count` below, one N
    axis.

    Args, Raises: as `detection_vs_count`. Always makes a figure. Returns the upper Axes;
    both are in its ``figure.axes``.
    """
    import matplotlib.pyplot as plt

    figure, (top, below) = plt.subplots(
        2, 1, figsize=(WIDTH_IN, 5.8), layout="constrained", sharex=True
    )
    _mark_own(figure)
    detection_vs_count(*series, confidence=confidence, ax=top, title=title, count=count)
    rate_vs_count(*series, confidence=confidence, ax=below, count=count)
    below.set_xlim(left=1 / 1.18)
    top.set_xlabel("")
    legends = [axes.get_legend() for axes in (top, below)]
    said = {text.get_text() for one in legends if one is not None for text in one.get_texts()}
    _series_legend(below, [note for note in (_EXPECTED, _BOUND) if note[0] in said])
    if legends[0] is not None:
        legends[0].remove()
    return top


# What a legend says about lines and arrows, and how they are shown there.
_EXPECTED = ("expected: 1-(1-p)^N", "curve")
_BOUND = ("none failed: upper bound", "bound")


def _checked_series(where: str, given: Sequence[Any]) -> list[Series]:
    """Series, results or lists of them, as one list of series that can be drawn together."""
    flat = [one for some in given for one in (some if isinstance(some, (list, tuple)) else [some])]
    if not flat:
        raise ValueError(f"{where}: no series given. Pass at least one Series(failures).")
    series = [one if isinstance(one, Series) else Series.of(one) for one in flat]
    for index, one in enumerate(series):
        if len(one.failures) == 0:
            raise ValueError(
                f"{where}: series[{index}] ({one.variant}) has no runs, so there is nothing to draw."
            )
    units = {one.unit for one in series}
    if len(units) > 1:
        raise ValueError(
            f"{where}: series per {' and per '.join(sorted(units))} in one figure; draw one unit at a time."
        )
    return series


def _looks(series: Sequence[Series]) -> list[dict[str, Any]]:
    """Marker, fill and colour of each series: broken filled, fixed open, and no marker twice."""
    seen: dict[tuple[str, bool], int] = {}
    looks = []
    for one in series:
        kind = one.variant.partition("_")[0]
        nth = seen.get((kind, one.recorded), 0)
        seen[kind, one.recorded] = nth + 1
        colour = PALETTE.get(kind, INK)
        markers = {"broken": "oD^P", "fixed": "sdvX"}.get(kind, "*ph8")
        filled = kind != "fixed"
        looks.append(
            {"colour": colour, "marker": markers[nth % 4], "fill": colour if filled else "none"}
        )
    return looks


def _grid(n: int) -> list[int]:
    """Counts from 1 to n at which points are drawn: 1, 2, 5, 10, 20, ... and n."""
    steps = [m * 10**e for e in range(len(str(n))) for m in (1, 2, 5)]
    return sorted({*(step for step in steps if step < n), n})


def _cumulative(one: Series) -> list[tuple[int, int]]:
    """(runs so far, failures so far) at the counts that are drawn: from five runs on, or one
    process."""
    blocks = one.runs is not None
    each = [1] * len(one.failures) if one.runs is None else list(one.runs)
    if len(each) != len(one.failures):
        raise ValueError(
            f"series {one.name!r}: {len(one.failures)} processes have failures, {len(each)} have runs."
        )
    wanted = {n for n in _grid(len(each)) if blocks or n >= min(5, len(each))}
    path, n, f = [], 0, 0
    for nth, (failed, runs) in enumerate(zip(one.failures, each, strict=True), start=1):
        n, f = n + runs, f + (int(failed) if blocks else bool(failed))
        if nth in wanted:
            path.append((n, f))
    return path


def _any_zero(paths: Sequence[Sequence[stats.Rate]]) -> bool:
    return any(rate.failed == 0 for path in paths for rate in path)


def _rate_after(one: Series, runs: int, failed: int, confidence: float) -> stats.Rate:
    return stats._rate(failed, runs, confidence, one.unit, "wilson")


def _settled_high(path: Sequence[stats.Rate]) -> float:
    """Where the interval has calmed down: its upper end after the first fifth of the points."""
    return path[len(path) // 5].high


def _draw_path(
    axes: Axes, one: Series, path: Sequence[stats.Rate], look: Mapping[str, Any], bottom: float
) -> None:
    """Estimates, with their interval as a band (recorded) or as bars (today)."""
    counts = [rate.runs for rate in path]
    low, high = [max(rate.low, bottom) for rate in path], [rate.high for rate in path]
    if one.recorded:
        faint = 0.2 if path[-1].failed else 0.1
        band = axes.fill_between(counts, low, high, color=look["colour"], alpha=faint, linewidth=0)
        band.set_gid(f"band:{one.variant}")
    for rate in path:
        if rate.failed == 0:
            _draw_bound(axes, rate.runs, rate.high, look)
        elif not one.recorded:
            axes.plot(
                [rate.runs] * 2,
                [rate.low, rate.high],
                color=look["colour"],
                linewidth=1.2,
                zorder=2.5,
            )
    shown = [rate.estimate if rate.failed else rate.high for rate in path]
    _draw_points(axes, one, counts, shown, look)


def _draw_bound(
    axes: Axes,
    x: float,
    y: float,
    look: Mapping[str, Any],
    towards: tuple[float, float] = (0, -15),
) -> None:
    """An arrow away from an upper bound, by default down: the value is somewhere below."""
    arrow = {
        "arrowstyle": "<-",
        "color": look["colour"],
        "linewidth": 1.0,
        "shrinkA": 0,
        "shrinkB": 3,
    }
    note = axes.annotate("", (x, y), xytext=towards, textcoords="offset points", arrowprops=arrow)
    if note.arrow_patch is not None:
        note.arrow_patch.set_clip_path(axes.patch)  # near 0 it would reach into the tick labels


def _draw_points(
    axes: Axes, one: Series, x: Sequence[float], y: Sequence[float], look: Mapping[str, Any]
) -> None:
    """Recorded: joined by a thin line. Today: points alone, larger."""
    axes.plot(
        x,
        y,
        color=look["colour"],
        linestyle="-" if one.recorded else "none",
        linewidth=1.2,
        marker=look["marker"],
        markersize=5 if one.recorded else 7.5,
        markerfacecolor=look["fill"],
        markeredgecolor=look["colour"],
        markeredgewidth=1.4,
        label=one.name,
        zorder=3,
    )


def _draw_curve(axes: Axes, rate: stats.Rate, look: Mapping[str, Any]) -> None:
    """``1 - (1 - p)^N`` for a rate, with the band its interval gives."""
    counts = [round(10 ** (i / 24)) for i in range(round(24 * math.log10(max(2, rate.runs))) + 1)]
    low, middle, high = (
        stats.detection_curve(p, counts) for p in (rate.low, rate.estimate, rate.high)
    )
    colour = look["colour"]
    axes.fill_between(counts, low, high, color=colour, alpha=0.18, linewidth=0)
    if rate.failed:
        axes.plot(counts, middle, color=colour, linewidth=1.6, linestyle=":", zorder=2)
    else:
        axes.plot(counts, high, color=colour, linewidth=1.1, linestyle="--", zorder=2)


def _draw_batches(axes: Axes, one: Series, confidence: float, look: Mapping[str, Any]) -> None:
    """Observed shares with their intervals; a share of 0 is drawn as the bound below which it
    lies."""
    within = [n for n in _grid(len(one.failures)) if n * 5 <= len(one.failures)]
    shown = []
    for n in within:
        batch = stats.detection_observed(one.failures, n, confidence, unit=one.unit)
        shown.append(batch.estimate if batch.failed else batch.high)
        if batch.failed:
            axes.plot(
                [n, n], [batch.low, batch.high], color=look["colour"], linewidth=1.2, zorder=2.5
            )
        elif batch.high > 0.1:  # an arrow from lower down would point out of the Axes
            _draw_bound(axes, n, batch.high, look)
    _draw_points(axes, one, within, shown, look)


def _count_axis(
    axes: Axes, paths: Sequence[Sequence[stats.Rate]], count: str, start: int | None = None
) -> None:
    """A log axis over the counts of all paths."""
    first = start or min(path[0].runs for path in paths)
    last = max(path[-1].runs for path in paths)
    axes.set_xlim(first / 1.18, last * 1.18)
    _log_x(axes, _count_text)
    axes.set_xlabel(f"{count} (log scale)")


def _log_x(axes: Axes, text: Callable[[float, Any], str], *, long: bool = False) -> None:
    """A log x axis with plain words as labels: powers of ten, or 1-2-5 where those would be few.

    Args:
        long: the words are long: over more than four powers of ten, every second one.
    """
    from matplotlib.ticker import LogLocator, NullLocator

    left, right = axes.get_xlim()
    axes.set_xscale("log")
    axes.set_xlim(left, right)
    subs, base = (
        (1,) if right > 100 * left else (1, 2, 5),
        100 if long and right > 1e4 * left else 10,
    )
    axes.xaxis.set_major_locator(LogLocator(base=base, subs=subs))
    axes.xaxis.set_minor_locator(NullLocator())
    axes.xaxis.set_major_formatter(text)


def _count_text(value: float, _position: object = None) -> str:
    """Tick label of a count: 1, 10, ..., 10,000, then a power of ten."""
    if value < 1:
        return ""
    exponent = round(math.log10(value))
    if value <= 10_000 or not math.isclose(value, 10**exponent):
        return f"{value:,.0f}"
    return "10" + str(exponent).translate(str.maketrans("0123456789", "⁰¹²³⁴⁵⁶⁷⁸⁹"))


def _share_text(value: float, _position: object = None) -> str:
    """Tick label of a share: percent, per million, per billion, as in sentences."""
    if value == 0 or value >= 0.99e-4:
        return f"{100 * value:.6g} %"
    return f"{1e6 * value:.6g}/million" if value >= 0.99e-7 else f"{1e9 * value:.6g}/billion"


def _series_legend(axes: Axes, extra: Sequence[tuple[str, str]]) -> None:
    """The series, and what the lines and arrows mean that are drawn beside them."""
    from matplotlib.lines import Line2D

    handles, labels = axes.get_legend_handles_labels()
    looks: dict[str, dict[str, Any]] = {
        "curve": {"linestyle": ":", "linewidth": 1.4},
        "bound": {"linestyle": "none", "marker": 7, "markersize": 7},
    }
    handles = [*handles, *(Line2D([], [], color=INK, **looks[kind]) for _, kind in extra)]
    _legend_below(axes, handles, [*labels, *(text for text, _ in extra)], ncols=2)


# -- outcomes --------------------------------------------------------------------------------------

# grade -> (colour, hatch)
GRADES: dict[str, tuple[str, str]] = {
    "ACCEPTABLE": (PALETTE["fixed"], ""),
    "INTERESTING": (PALETTE["other"], "||"),
    "FORBIDDEN": (PALETTE["broken"], "////"),
    "NOT-RUN": (INK, "xxxx"),
}


@_styled
def outcomes(
    seen: Any, *, unit: str = "round", ax: Axes | None = None, title: str | None = None
) -> Axes:
    """Draw how often each outcome was seen: one bar each, its grade by hatch and in words.

    Args:
        seen: a result, or a mapping of outcome to ``{"count": int, "grade": str}`` in the order to
            be drawn, as in ``racelab race --json``; grades are ``"ACCEPTABLE"``, ``"INTERESTING"``,
            ``"FORBIDDEN"`` and ``"NOT-RUN"``. Declared outcomes that were never seen belong in it,
            with count 0. A row may say what it is a share of: ``"of": 200, "unit": "repetition"``
            (a result does so for its endings); otherwise it is a share of all counts without one.
        unit: what is counted where a row does not say.
        ax: where to draw; a new figure by default.
        title: above the Axes; none by default.

    Raises:
        ValueError: no outcomes, nothing counted, or an unknown grade; the message names the outcome.
    """
    rows = _outcome_rows(seen if isinstance(seen, Mapping) else _result_outcomes(seen), unit)
    axes = _axes(ax, height_in=0.85 + 0.68 * len(rows))
    for place, row in enumerate(rows):
        _draw_outcome(axes, place, row)
    axes.set_yticks([])
    axes.set_ylim(len(rows) - 0.7, -0.95)
    axes.set_xlim(0, 1)
    axes.xaxis.set_major_formatter(_share_text)
    wholes = list(
        dict.fromkeys(f"{row['of']:,} {stats._plural(row['unit'], row['of'])}" for row in rows)
    )
    axes.set_xlabel(f"share of {' or '.join(wholes)}")
    _title(axes, title)
    said = "; ".join(f"{row['name']} ({row['grade']}): {row['words']}" for row in rows)
    return describe(axes, f"Outcomes of {' and '.join(wholes)}. {said}.")


def _result_outcomes(result: Any) -> dict[str, dict[str, Any]]:
    """The rows of a result: labels are shares of its rounds, endings of its repetitions."""
    rows = {label: dict(row) for label, row in result.as_json()["outcomes"].items()}
    for label, row in rows.items():
        if label in result.endings:
            row.update(of=len(result.repetitions), unit="repetition")
    return rows


def _outcome_rows(seen: Mapping[str, Mapping[str, Any]], unit: str) -> list[dict[str, Any]]:
    """Rows with name, count, grade, of, unit and words; checked."""
    for name, row in seen.items():
        stats._whole(f"outcomes[{name!r}] count", row["count"], at_least=0)
        if row["grade"] not in GRADES:
            raise ValueError(
                f"outcomes[{name!r}] has grade {row['grade']!r}; use one of {', '.join(GRADES)}."
            )
    total = sum(row["count"] for row in seen.values() if "of" not in row)
    rows = [{"of": total, "unit": unit, **row, "name": name} for name, row in seen.items()]
    rows = [row for row in rows if row["of"]]  # nothing can be said about a share of nothing
    if not rows:
        raise ValueError("outcomes: nothing was counted, so there is nothing to draw.")
    mixed = len({row["unit"] for row in rows}) > 1
    for row in rows:
        row["words"] = _outcome_words(row["count"], row["of"], row["unit"] if mixed else "")
    return rows


def _outcome_words(count: int, of: int, unit: str) -> str:
    """A count and its share; for 0 the bound, for 0 of n is not 0."""
    counted = f"{count:,} of {of:,} {stats._plural(unit, of)}" if unit else f"{count:,}"
    if count == 0:
        bound = stats.zero_failure_bound(of)
        return f"{counted}, below {stats._rate_words(bound, bound, 'up')}"
    return f"{counted} ({stats._rate_words(count / of, count / of)})"


def _draw_outcome(axes: Axes, place: int, row: Mapping[str, Any]) -> None:
    colour, hatch = GRADES[str(row["grade"])]
    share = row["count"] / row["of"]
    axes.barh(place, share, height=0.3, color=colour, alpha=0.45, edgecolor="none", zorder=2)
    if share:
        outline: dict[str, Any] = {"facecolor": "none", "edgecolor": colour, "hatch": hatch}
        bar = axes.barh(place, share, height=0.3, linewidth=1.4, zorder=2.1, **outline)
        bar[0].set_gid(f"outcome:{row['grade']}")
    # Above the bar and not beside it: names are long and screens are narrow.
    name = textwrap.shorten(row["name"], 52, placeholder="...")
    words = f"{row['words']}, {str(row['grade']).lower()}"
    for text, lift, size in ((name, 14, None), (words, 2, SMALL)):
        axes.annotate(
            text,
            (0, place - 0.15),
            xytext=(3, lift),
            textcoords="offset points",
            fontsize=size,
            va="bottom",
        )


# -- release skew and offset scans -----------------------------------------------------------------


@_styled
def skew_histogram(skew_ns: Any, *, ax: Axes | None = None, title: str | None = None) -> Axes:
    """Draw how far apart the threads of a round were released: share of rounds against skew, log
    scale.

    Args:
        skew_ns: ``{"p50", "p95", "bins": [(from, to, rounds), ...]}`` in ns, or a result; or several
            such mappings by name (``{"barrier": ..., "tsc": ...}``), drawn with different lines.
        ax: where to draw; a new figure by default.
        title: above the Axes; none by default.

    Raises:
        ValueError: no rounds in the bins; the message names the histogram.
    """
    if not isinstance(skew_ns, Mapping):
        skew_ns = {**(skew_ns.skew_ns or {}), "bins": skew_ns.skew_bins}
    named: dict[str, Any] = {"release": skew_ns} if "bins" in skew_ns else dict(skew_ns)
    if not named:
        raise ValueError("skew_histogram: no histogram given.")
    axes = _axes(ax)
    styles = (
        (PALETTE["fixed"], "-"),
        (PALETTE["broken"], "--"),
        (PALETTE["good"], "-."),
        (PALETTE["other"], ":"),
    )
    words = []
    for nth, (name, skew) in enumerate(named.items()):
        rounds = sum(count for _, _, count in skew["bins"])
        if rounds == 0:
            raise ValueError(f"skew_histogram: {name!r} has no rounds in its bins.")
        said = f"p50 {duration(skew['p50'])}, p95 {duration(skew['p95'])}"
        colour, line = styles[nth % len(styles)]
        _draw_skew(axes, skew, rounds, colour, line, said if len(named) == 1 else f"{name}: {said}")
        words.append(f"{name}: {said}, {rounds:,} rounds")
    edges = [edge for skew in named.values() for row in skew["bins"] for edge in row[:2]]
    axes.set_xlim(max(min(edges), 0.5) / 1.1, max(edges) * 1.1)
    _log_x(axes, lambda value, _: duration(value))
    axes.set_ylim(bottom=0)
    axes.yaxis.set_major_formatter(_share_text)
    axes.set_xlabel("time between first and last thread released (log scale)")
    axes.set_ylabel("share of rounds")
    handles, labels = axes.get_legend_handles_labels()
    _legend_below(axes, handles, labels, ncols=1)
    _title(axes, title, pad=20)
    return describe(axes, f"Histogram of the release skew, log scale. {'; '.join(words)}.")


def _draw_skew(
    axes: Axes, skew: Mapping[str, Any], rounds: int, colour: str, line: str, label: str
) -> None:
    """Steps over the bins, and where half and 95 % of the rounds end."""
    bins = sorted(skew["bins"])
    edges = [max(start, 0.5) for start, _, _ in bins] + [max(bins[-1][1], 1.0)]
    shares = [count / rounds for _, _, count in bins]
    axes.stairs(shares, edges, color=colour, fill=True, alpha=0.18)
    axes.stairs(shares, edges, color=colour, linestyle=line, linewidth=1.6, label=label)
    for name in ("p50", "p95"):
        axes.axvline(max(skew[name], 0.5), color=colour, linestyle=line, linewidth=0.9, alpha=0.8)
        axes.annotate(
            name, (max(skew[name], 0.5), 1.0), xycoords=axes.get_xaxis_transform(), xytext=(0, 2),
            textcoords="offset points", ha="center", fontsize=SMALL, annotation_clip=False,
        )  # fmt: skip


@_styled
def scan(
    points: Iterable[Mapping[str, Any]],
    *,
    skew_ns: Mapping[str, float] | None = None,
    confidence: float = 0.95,
    ax: Axes | None = None,
    title: str | None = None,
) -> Axes:
    """Draw an offset scan: hit rate against the delay between two actors, with the harness's own
    skew above it.

    The window's width at half its height and the release skew are drawn as two bars on one scale: a
    peak that is not wider than the skew is the harness, not the race.

    Args:
        points: mappings with ``offset_ns`` (delay, ns, may be negative), ``hits`` and ``rounds``;
            any order.
        skew_ns: ``{"p50", "p95"}`` of the release skew during the scan, ns; without it no skew is
            drawn.
        confidence: level of the band (Wilson), in (0, 1).
        ax: where to draw; a new figure by default.
        title: above the Axes; none by default.

    Raises:
        ValueError: fewer than two points, or counts outside their range; the message names index
            and value.
    """
    rows = [_checked_point(index, point) for index, point in enumerate(points)]
    if len(rows) < 2:
        raise ValueError(f"scan: {len(rows)} point(s) given; a scan needs at least 2.")
    rows.sort(key=lambda row: row["offset_ns"])
    rates = [
        stats.rate_per_round(row["hits"], row["rounds"], confidence, method="wilson")
        for row in rows
    ]
    offsets = [float(row["offset_ns"]) for row in rows]
    axes = _axes(ax, height_in=3.5)
    high = [rate.high for rate in rates]
    axes.fill_between(
        offsets, [r.low for r in rates], high, color=PALETTE["broken"], alpha=0.18, linewidth=0
    )
    hit = [(x, r.estimate) for x, r in zip(offsets, rates, strict=True)]
    axes.plot(
        *zip(*hit, strict=True), color=PALETTE["broken"], marker="o", markersize=4, linewidth=1.2
    )
    window = stats.half_height(offsets, [r.estimate for r in rates])
    top = max(r.estimate for r in rates) or max(high)
    axes.set_ylim(0, top * 1.62)
    words = [
        f"Hit rate against offset from {offsets[0]:g} to {offsets[-1]:g} ns, at most {stats._rate_words(top, top)}."
    ]
    axes.set_xlim(offsets[0], offsets[-1])
    words += _draw_widths(axes, offsets, window, skew_ns)
    axes.set_yticks([tick for tick in axes.get_yticks() if 0 <= tick <= 1.05 * top])
    axes.yaxis.set_major_formatter(_share_text)
    axes.set_xlabel("offset between the actors (ns)")
    axes.set_ylabel("failures per round")
    _title(axes, title)
    return describe(axes, " ".join(words))


def _checked_point(index: int, point: Mapping[str, Any]) -> dict[str, Any]:
    """A point of a scan, or an error that says which one is wrong and how."""
    where = f"scan: points[{index}]"
    for key in ("offset_ns", "hits", "rounds"):
        if key not in point:
            raise ValueError(f"{where} has no {key!r}: {dict(point)!r}")
    rounds = stats._whole(f"{where} rounds", point["rounds"], at_least=1)
    hits = stats._whole(f"{where} hits", point["hits"], at_least=0)
    if hits > rounds:
        raise ValueError(f"{where} has {hits} hits: more than its {rounds} rounds.")
    return dict(point)


def _draw_widths(
    axes: Axes,
    offsets: Sequence[float],
    window: tuple[float, float] | None,
    skew_ns: Mapping[str, float] | None,
) -> list[str]:
    """Window and skew as bars, one above the other and centred alike, so that their widths
    compare."""
    words = []
    centre = sum(window) / 2 if window else (offsets[0] + offsets[-1]) / 2
    if window:
        words.append(f"Race window at half height: {duration(window[1] - window[0])}")
        _draw_width(axes, 0.78, centre, window[1] - window[0], words[-1], PALETTE["broken"], 5.0)
    if skew_ns:
        words.append(
            f"Release skew: p50 {duration(skew_ns['p50'])}, p95 {duration(skew_ns['p95'])}"
        )
        _draw_width(axes, 0.91, centre, skew_ns["p95"], words[-1], PALETTE["fixed"], 1.6)
        _draw_width(axes, 0.91, centre, skew_ns["p50"], "", PALETTE["fixed"], 5.0)
    if not window:
        words.append("No window: the peak's sides are not in the range scanned")
    return [f"{word}." for word in words]


def _draw_width(
    axes: Axes, height: float, centre: float, width: float, label: str, colour: str, thick: float
) -> None:
    """A bar as wide as something is in ns, its words above it."""
    axes.plot(
        [centre - width / 2, centre + width / 2],
        [height, height],
        transform=axes.get_xaxis_transform(),
        color=colour,
        linewidth=thick,
        solid_capstyle="butt",
        marker="|",
        markersize=8,
        markeredgewidth=1.4,
    )
    if label:
        left, right = axes.get_xlim()
        place = (centre - left) / (right - left)
        side = "left" if place < 0.3 else "right" if place > 0.7 else "center"
        axes.annotate(
            label,
            (centre, height),
            xycoords=axes.get_xaxis_transform(),
            xytext=(0, 5),
            textcoords="offset points",
            ha=side,
            fontsize=SMALL,
        )


# -- notebooks and the site ------------------------------------------------------------------------

_COUNT_REFERENCES = re.compile(r'(?:xlink:href="#|href="#|url\(#)([^")]+)')


def figure_html(figure: Figure) -> str:
    """A figure as HTML: an inline SVG in the page's own text colour and font, with its description.

    Inline, because an ``<img>`` sees neither the page's colours nor its fonts. The figure shrinks
    with the page and never grows beyond `GROW` times its natural width. The style rule takes away the
    light plate that the site's theme puts behind HTML outputs in dark mode. Ids are made unique by
    a hash of the drawing.
    """
    buffer = io.StringIO()
    words = description(figure)
    with _style():
        box: Any = None if figure.get_layout_engine() else "tight"
        blank = {"Date": None, "Creator": None}
        figure.savefig(buffer, format="svg", metadata=blank, bbox_inches=box)
    drawing = buffer.getvalue()
    drawing = drawing[drawing.index("<svg") :]
    drawing = re.sub(r"<metadata>.*?</metadata>\s*", "", drawing, flags=re.DOTALL)
    # A rule for "*" in an inline SVG would rule the whole page.
    drawing = re.sub(
        r"<defs>\s*<style[^>]*>.*?</style>\s*</defs>\s*", "", drawing, count=1, flags=re.DOTALL
    )
    drawing = drawing.replace(INK, "currentColor")
    drawing = re.sub(r"(font(?:-family)?:[^;\"]*?)'DejaVu Sans'[^;\"]*", r"\1inherit", drawing)
    key = "rl" + hashlib.sha256((drawing + words).encode()).hexdigest()[:8]
    drawing = _own_ids(drawing, key)
    label = html.escape(words, quote=True)
    opening, drawing = drawing.split(">", 1)
    return f'<div class="racelab-figure"><style>{_PAGE_CSS}</style>{_svg_tag(opening, label)}{drawing}</div>'


def _svg_tag(opening: str, label: str) -> str:
    """The opening tag for a page: width of the page up to a limit, a role and a label."""
    width, height = (
        float(re.findall(rf'{side}="([\d.]+)pt"', opening)[0]) for side in ("width", "height")
    )
    look = (
        f"display:block;width:100%;max-width:{width * GROW:.0f}pt;height:auto;stroke-linejoin:round"
    )
    names = 'xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink"'
    return f'<svg role="img" aria-label="{label}" style="{look}" viewBox="0 0 {width:g} {height:g}" {names}>'


_PAGE_CSS = (
    ".racelab-figure{background:transparent;color:inherit}"
    "html .text_html:has(>.racelab-figure)"
    "{background:transparent!important;color:inherit!important;padding:0!important}"
)


def _own_ids(drawing: str, key: str) -> str:
    """Drop ids that nothing refers to and make the others this figure's own: ids are shared by a
    whole page."""
    wanted = set(_COUNT_REFERENCES.findall(drawing))
    drawing = re.sub(
        r' id="([^"]+)"',
        lambda m: f' id="{key}-{m.group(1)}"' if m.group(1) in wanted else "",
        drawing,
    )
    return re.sub(r'(href="#|url\(#)', rf"\g<1>{key}-", drawing)


def _kernel_shell() -> Any:
    """The shell of a Jupyter kernel, if this process is one; else None."""
    shell = sys.modules["IPython"].get_ipython() if "IPython" in sys.modules else None
    return shell if hasattr(shell, "kernel") else None


def _hide_axes_text(shell: Any) -> None:
    """A cell that ends in a plot shows the figure; "<Axes: ...>" above it would help nobody."""
    from matplotlib.axes import Axes

    shell.display_formatter.ipython_display_formatter.for_type(Axes, lambda _: None)


def use_style() -> None:
    """Give all figures of this process the book's style; in IPython, show them as inline SVG.

    Sets Matplotlib's rcParams (transparent, mid-grey text, text as text in SVG). In IPython it also
    turns the inline backend's own PNG and SVG output off and shows every figure as `figure_html`.

    Alternative text on the site. An image in a myst-nb 1.4 page gets its ``alt`` only from the
    cell's metadata, ``mystnb: {image: {alt: "..."}}``, written by hand above the cell; nothing that
    a figure carries reaches it. HTML outputs are passed through as they are, and HTML comes before
    images in myst-nb's order of formats. So the description travels inside: ``role="img"`` and
    ``aria-label`` on the SVG. No metadata is needed. An ``<img>`` would also get a light plate and a
    filter from the theme in dark mode, and ``currentColor`` does not reach into it.
    """
    import matplotlib as mpl

    mpl.rcParams.update(_STYLE)
    shell = _kernel_shell()
    if shell is not None:
        # Imported first: on its first import it clears what is registered for figures.
        from matplotlib.figure import Figure
        from matplotlib_inline import backend_inline

        # No format of the backend's own: each would be drawn and stored beside the HTML.
        backend_inline.InlineBackend.instance().figure_formats = set()
        shell.display_formatter.formatters["text/html"].for_type(Figure, figure_html)
        _hide_axes_text(shell)
