"""Figures: what is drawn, in which shapes and colours, and what reaches a page.

Structure is read from the artists, colours from pixels (Agg), and the page's part from the SVG.
"""

from __future__ import annotations

import importlib
import itertools
import math
import re
import subprocess
import sys
import textwrap
import xml.etree.ElementTree as ET
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

matplotlib = pytest.importorskip("matplotlib")
matplotlib.use("Agg")

import numpy as np  # noqa: E402
from matplotlib import pyplot as plt  # noqa: E402
from matplotlib.collections import PolyCollection  # noqa: E402
from matplotlib.colors import to_hex, to_rgba  # noqa: E402

from racelab import stats  # noqa: E402

plots: Any = importlib.import_module("racelab.plots")  # Any: what it returns is taken apart below

MS = 1_000_000
WHITE, BOOK_DARK, THEME_DARK = "#ffffff", "#121212", "#14181e"
SVG = "{http://www.w3.org/2000/svg}"


@pytest.fixture(autouse=True)
def _close_figures() -> Iterator[None]:
    yield
    plt.close("all")


def span(thread: str, state: str, start: float, end: float, label: str = "") -> dict[str, Any]:
    """A span in milliseconds."""
    return {
        "thread": thread,
        "state": state,
        "start_ns": int(start * MS),
        "end_ns": int(end * MS),
        "label": label,
    }


def event(label: str, start: float, end: float) -> dict[str, Any]:
    return {"label": label, "start_ns": int(start * MS), "end_ns": int(end * MS)}


SPANS = [
    span("main", "attached", 10, 20, "sets up"),
    span("main", "waiting", 20, 70),
    span("worker", "attached", 15, 70, "C code"),
    span("worker", "stopped", 70, 72),
    span("idle", "detached", 10, 110),
]
EVERY_TENTH = [n % 10 == 9 for n in range(1000)]


def texts(axes: Any) -> list[str]:
    """Everything written in the Axes, legend and ticks included."""
    axes.figure.canvas.draw()
    return [t.get_text() for t in axes.findobj(matplotlib.text.Text) if t.get_text()]


def legend(axes: Any) -> list[str]:
    return [text.get_text() for text in axes.get_legend().get_texts()]


def points(axes: Any) -> dict[str, Any]:
    """The marker lines by their label."""
    return {
        line.get_label(): line for line in axes.get_lines() if not line.get_label().startswith("_")
    }


def pixel(axes: Any, x: float, y: float) -> tuple[float, ...]:
    """RGBA at data coordinates, as drawn by Agg."""
    axes.figure.canvas.draw()
    buffer = np.asarray(axes.figure.canvas.buffer_rgba())
    column, row = axes.transData.transform((x, y))
    return tuple(float(v) / 255 for v in buffer[len(buffer) - 1 - round(row), round(column)])


def page(axes: Any) -> ET.Element:
    """The figure's HTML, parsed: it must be well-formed."""
    return ET.fromstring(plots.figure_html(axes.figure))


ALL = {
    "timeline": lambda: plots.timeline(SPANS, events=[event("gc.collect", 20, 70)], title="T"),
    "rate": lambda: plots.rate_vs_count(
        plots.Series(EVERY_TENTH, recorded=True), plots.Series([0] * 1000, "fixed", recorded=True)
    ),
    "detection": lambda: plots.detection_vs_count(
        plots.Series(EVERY_TENTH), plots.Series([0] * 200, "fixed")
    ),
    "detection by process": lambda: plots.detection_by_process(
        {"a": [[1, 0], [0, 0]], "b": [[0, 1]]}, {"a": [[0] * 99 + [1]] * 20}, title="T"
    ),
    "flagship": lambda: plots.flagship(plots.Series(EVERY_TENTH, recorded=True)),
    "outcomes": lambda: plots.outcomes(
        {
            "a <tag>": {"count": 5, "grade": "FORBIDDEN"},
            "well": {"count": 95, "grade": "ACCEPTABLE"},
        }
    ),
    "skew": lambda: plots.skew_histogram(
        {"p50": 20, "p95": 60, "bins": [(16, 32, 7), (32, 64, 3)]}
    ),
    "scan": lambda: plots.scan(
        [{"offset_ns": o, "hits": max(0, 50 - abs(o)), "rounds": 100} for o in range(-90, 91, 10)],
        skew_ns={"p50": 10, "p95": 30},
    ),
    "dots": lambda: plots.dots({"one": [1, 2, 4], "two": [100.0, 300.0]}, xlabel="time (ms)"),
    "dots, recorded": lambda: plots.dots({"one": [1, 2]}, recorded={"two": [3, 4]}, xlabel="time"),
    "rates": lambda: plots.rates(
        {"plain": rate(30, 100), "fixed, with a lock": rate(0, 1000)},
        {"plain": rate(300, 1000), "volatile": rate(290, 1000)},
        title="T",
    ),
    "scaling": lambda: plots.scaling(
        {"atomic": {1: [5.0, 6.0], 2: [20.0]}}, {"PyMutex": {1: [9.0], 8: [700.0]}}, ylabel="ns"
    ),
}


def rate(failed: int, runs: int) -> Any:
    return stats.rate_per_round(failed, runs)


# -- colours ---------------------------------------------------------------------------------------


def luminance(colour: str) -> float:
    """Relative luminance, WCAG 2."""
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in to_rgba(colour)]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(one: str, other: str) -> float:
    dark, light = sorted((luminance(one), luminance(other)))
    return (light + 0.05) / (dark + 0.05)


def test_no_single_colour_can_be_text_on_both_backgrounds_so_ink_is_the_best_grey() -> None:
    """Contrast depends on luminance alone, and greys have every luminance: no colour does better."""
    greys = [f"#{v:02x}{v:02x}{v:02x}" for v in range(256)]
    worst = {grey: min(contrast(grey, WHITE), contrast(grey, BOOK_DARK)) for grey in greys}

    assert max(worst.values()) < 4.5
    assert worst[plots.INK] == max(worst.values())
    assert worst[plots.INK] > 4.3


@pytest.mark.parametrize("name", plots.PALETTE)
@pytest.mark.parametrize("background", [WHITE, BOOK_DARK, THEME_DARK])
def test_data_colours_have_the_contrast_that_graphics_need(name: str, background: str) -> None:
    assert contrast(plots.PALETTE[name], background) >= 3.0


# What the theme gives to text in light and dark: the colours that currentColor becomes.
@pytest.mark.parametrize(
    ("text", "background"), [("#222832", WHITE), ("#ced6dd", BOOK_DARK), ("#ced6dd", THEME_DARK)]
)
def test_text_of_the_page_has_the_contrast_that_text_needs(text: str, background: str) -> None:
    assert contrast(text, background) >= 4.5


# Machado, Oliveira and Fernandes (2009), severity 1, on linear RGB.
BLINDNESS = {
    "none": ((1, 0, 0), (0, 1, 0), (0, 0, 1)),
    "protan": (
        (0.152286, 1.052583, -0.204868),
        (0.114503, 0.786281, 0.099216),
        (-0.003882, -0.048116, 1.051998),
    ),
    "deutan": (
        (0.367322, 0.860646, -0.227968),
        (0.280085, 0.672501, 0.047413),
        (-0.011820, 0.042940, 0.968881),
    ),
    "tritan": (
        (1.255528, -0.076749, -0.178779),
        (-0.078411, 0.930809, 0.147602),
        (0.004733, 0.691367, 0.303900),
    ),
}


def lab(colour: str, kind: str) -> tuple[float, float, float]:
    """CIELAB of a colour as somebody with this colour blindness sees it."""
    linear = [
        c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in to_rgba(colour)[:3]
    ]
    seen = [
        max(0.0, sum(m * c for m, c in zip(row, linear, strict=True))) for row in BLINDNESS[kind]
    ]
    to_xyz = ((0.4124, 0.3576, 0.1805), (0.2126, 0.7152, 0.0722), (0.0193, 0.1192, 0.9505))
    xyz = [sum(m * c for m, c in zip(row, seen, strict=True)) for row in to_xyz]
    f = [
        v ** (1 / 3) if v > 0.008856 else 7.787 * v + 16 / 116
        for v in (w / n for w, n in zip(xyz, (0.9505, 1.0, 1.089), strict=True))
    ]
    return 116 * f[1] - 16, 500 * (f[0] - f[1]), 200 * (f[1] - f[2])


@pytest.mark.parametrize("kind", BLINDNESS)
def test_broken_and_fixed_look_different_to_everybody(kind: str) -> None:
    """A distance of 2.3 in CIELAB is just noticeable; this asks for far more."""
    assert math.dist(lab(plots.PALETTE["broken"], kind), lab(plots.PALETTE["fixed"], kind)) > 40
    for one, other in itertools.combinations(plots.PALETTE.values(), 2):
        assert math.dist(lab(one, kind), lab(other, kind)) > 8, f"{one} and {other}"


# -- every figure ----------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ALL)
def test_figure_is_transparent_and_leaves_rcparams_alone(name: str) -> None:
    before = dict(matplotlib.rcParams)

    axes = ALL[name]()

    assert dict(matplotlib.rcParams) == before
    axes.figure.canvas.draw()
    assert np.asarray(axes.figure.canvas.buffer_rgba())[0, 0, 3] == 0


@pytest.mark.parametrize("name", ALL)
def test_text_takes_the_pages_colour_and_font_and_stays_text(name: str) -> None:
    root = page(ALL[name]())

    written = list(root.iter(f"{SVG}text"))
    assert len(written) >= 5
    for text in written:
        assert "fill: currentColor" in text.get("style", "")
        assert "font-family: inherit" in text.get("style", "")
    html = ET.tostring(root, encoding="unicode")
    assert plots.INK not in html
    assert not re.search(r"(fill|stroke): (#000000|#ffffff|black|white)", html)


@pytest.mark.parametrize("name", ALL)
def test_figure_says_what_it_shows(name: str) -> None:
    axes = ALL[name]()

    svg = page(axes).find(f"{SVG}svg")

    assert svg is not None
    assert svg.get("role") == "img"
    assert svg.get("aria-label") == plots.description(axes.figure)
    assert len(plots.description(axes.figure)) > 40


@pytest.mark.parametrize("name", ALL)
def test_page_asks_for_nothing_and_rules_only_itself(name: str) -> None:
    html = plots.figure_html(ALL[name]().figure)

    assert not re.search(r"(href|src)=\"(?!#)", html)
    assert "@import" not in html
    assert "<?xml" not in html
    for selector in re.findall(
        r"([^{}<>]+)\{[^}]*\}", "".join(re.findall("<style>(.*?)</style>", html))
    ):
        assert ".racelab-figure" in selector
    assert len(re.findall("<style", html)) == 1


@pytest.mark.parametrize("name", ALL)
def test_text_can_be_read_on_a_phone(name: str) -> None:
    """At 360 px the figure gets some 328 px."""
    root = page(ALL[name]())
    svg = root.find(f"{SVG}svg")
    assert svg is not None
    width = float(svg.get("viewBox", "").split()[2])

    sizes = [
        float(re.findall(r"font-size: ([\d.]+)px", text.get("style", ""))[0])
        for text in root.iter(f"{SVG}text")
    ]

    assert min(sizes) * 328 / width >= 8


@pytest.mark.parametrize("name", ALL)
def test_everything_stays_inside_the_figure(name: str) -> None:
    figure = ALL[name]().figure
    figure.canvas.draw()

    box = figure.get_tightbbox()

    assert box.x0 >= -0.01
    assert box.y0 >= -0.01
    assert box.x1 <= figure.get_figwidth() + 0.01
    assert box.y1 <= figure.get_figheight() + 0.01


def test_two_figures_on_a_page_share_no_id_and_equal_ones_are_equal() -> None:
    ids, html = [], []
    for count in (3, 4, 4):
        axes = plots.dots({"one": list(range(1, count))}, xlabel="x")
        html.append(plots.figure_html(axes.figure))
        ids.append(set(re.findall(r' id="([^"]+)"', html[-1])))

    assert ids[0]
    assert not ids[0] & ids[1]
    assert html[1] == html[2]
    for text, known in zip(html, ids, strict=True):
        used = set(re.findall(r'(?:href="#|url\(#)([^")]+)', text))
        assert used == known


@pytest.mark.parametrize("name", sorted(set(ALL) - {"flagship", "detection by process"}))
def test_caller_may_bring_the_axes(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    figure, mine = plt.subplots()
    monkeypatch.setattr(plots, "_axes", lambda ax, **_: ax if ax is not None else mine)

    assert ALL[name]() is mine
    assert plt.get_fignums() == [figure.number]


def test_axes_argument_is_used() -> None:
    _, mine = plt.subplots()

    assert plots.dots({"one": [1.0]}, xlabel="x", ax=mine) is mine


@pytest.mark.parametrize("format", ["png", "svg"])
def test_savefig_works_in_both_backends(tmp_path: Path, format: str) -> None:
    axes = ALL["timeline"]()

    axes.figure.savefig(tmp_path / f"figure.{format}")

    assert (tmp_path / f"figure.{format}").stat().st_size > 5_000


# -- descriptions ----------------------------------------------------------------------------------


def test_describe_replaces_and_escapes() -> None:
    _, axes = plt.subplots()

    assert plots.describe(axes, 'x < y & "so"\n  on') is axes
    assert plots.description(axes.figure) == 'x < y & "so" on'
    svg = page(axes).find(f"{SVG}svg")
    assert svg is not None
    assert svg.get("aria-label") == 'x < y & "so" on'


def test_description_falls_back_to_titles() -> None:
    figure, axes = plt.subplots()
    assert plots.description(figure) == "Figure"
    axes.set_title("A title")
    assert plots.description(figure) == "A title"
    with pytest.raises(ValueError, match="text is empty"):
        plots.describe(axes, "  ")


# -- timeline --------------------------------------------------------------------------------------


def boxes(axes: Any, prefix: str = "span:") -> list[Any]:
    return [p for p in axes.patches if (p.get_gid() or "").startswith(prefix)]


def test_timeline_draws_every_span_in_its_lane_and_unit() -> None:
    axes = plots.timeline(SPANS, title="Who waits")

    drawn = [p for p in boxes(axes) if p.get_linewidth() > 0]
    seen = [(round(p.get_x(), 6), round(p.get_width(), 6), round(p.get_y() + 0.2)) for p in drawn]
    assert seen == [(0, 10, 0), (10, 50, 0), (5, 55, 1), (60, 2, 1), (0, 100, 2)]
    assert [t.get_text() for t in axes.get_yticklabels()] == ["main", "worker", "idle"]
    assert axes.get_ylim()[0] > axes.get_ylim()[1]  # first thread on top
    assert axes.get_xlabel() == "time (ms)"
    assert axes.get_title("left") == "Who waits"


@pytest.mark.parametrize(("unit", "width"), [("ns", 1e7), ("us", 1e4), ("ms", 10), ("s", 0.01)])
def test_timeline_units(unit: str, width: float) -> None:
    axes = plots.timeline(SPANS[:1], unit=unit)

    assert boxes(axes)[0].get_width() == pytest.approx(width)
    assert axes.get_xlabel() == f"time ({unit})"


def test_timeline_states_differ_without_colour() -> None:
    """Hatch, fill and line together: no two states alike in black and white."""
    axes = plots.timeline([span("t", state, i, i + 1) for i, state in enumerate(plots.STATES)])

    looks: dict[str, list[Any]] = {}
    for patch in boxes(axes):
        state = patch.get_gid().split(":")[2]
        filled = round(patch.get_facecolor()[3], 2) > 0.5
        looks.setdefault(state, []).append((patch.get_hatch(), filled))
    assert len({str(look) for look in looks.values()}) == len(plots.STATES) == 4
    assert legend(axes) == list(plots.STATES)


def test_timeline_legend_names_only_what_is_drawn() -> None:
    assert legend(plots.timeline(SPANS[:2])) == ["attached", "waiting"]


def test_timeline_bands_carry_their_duration() -> None:
    axes = plots.timeline(
        SPANS, events=[event("gc.collect", 20, 70), event("stop-the-world", 70, 70.0123)]
    )

    bands = boxes(axes, "event")
    assert [(round(b.get_x(), 4), round(b.get_width(), 4)) for b in bands] == [
        (10, 50),
        (60, 0.0123),
    ]
    assert [b.get_height() for b in bands] == [1, 1]  # of the Axes: over all lanes
    assert {"gc.collect: 50 ms", "stop-the-world: 12.3 us"} <= set(texts(axes))
    edges = [line for line in axes.get_lines() if line.get_linestyle() == "--" or line.is_dashed()]
    assert len(edges) == 4  # borders show even a band narrower than a pixel


def test_timeline_band_words_do_not_overlap() -> None:
    events = [event("gc.collect", i * 9, i * 9 + 3) for i in range(6)]
    axes = plots.timeline(SPANS, events=events)
    axes.figure.canvas.draw()

    words = [t for t in axes.texts if t.get_text().startswith("gc.collect")]

    assert len(words) == 6
    for one, other in itertools.combinations(words, 2):
        assert not one.get_window_extent().overlaps(other.get_window_extent())


def test_timeline_writes_labels_only_where_they_fit() -> None:
    wide, narrow = (
        span("t", "attached", 0, 90, "fits well"),
        span("t", "waiting", 90, 91, "does not"),
    )

    written = texts(plots.timeline([wide, narrow]))

    assert "fits well" in written
    assert "does not" not in written


def test_timeline_description_adds_up() -> None:
    axes = plots.timeline(SPANS, events=[event("gc.collect", 20, 70)])

    assert plots.description(axes.figure) == (
        "Timeline of 3 threads over 100 ms. main: attached 10 ms, waiting 50 ms. "
        "worker: attached 55 ms, stopped 2 ms. idle: detached 100 ms. gc.collect: 50 ms."
    )


@pytest.mark.parametrize(
    ("spans", "keywords", "message"),
    [
        ([], {}, "spans is empty"),
        (
            [SPANS[0], {**SPANS[1], "state": "asleep"}],
            {},
            "spans[1] has state 'asleep'; use one of",
        ),
        ([{"thread": "t", "state": "attached", "start_ns": 1}], {}, "spans[0] has no 'end_ns'"),
        (
            [span("t", "attached", 2, 1)],
            {},
            "spans[0] ends at 1000000 ns, before its start at 2000000",
        ),
        (SPANS, {"unit": "min"}, "unit is 'min'; use one of ns, us, ms, s."),
        (SPANS, {"events": [{"start_ns": 0, "end_ns": 1}]}, "events[0] has no 'label'"),
    ],
)
def test_timeline_errors_name_index_and_value(
    spans: list[dict[str, Any]], keywords: dict[str, Any], message: str
) -> None:
    with pytest.raises(ValueError, match=re.escape(message)):
        plots.timeline(spans, **keywords)
    assert not plt.get_fignums()


# -- rates and detection against count -------------------------------------------------------------


def test_markers_tell_broken_from_fixed_and_lines_recorded_from_today() -> None:
    axes = plots.rate_vs_count(
        plots.Series(EVERY_TENTH, "broken", recorded=True),
        plots.Series([0] * 1000, "fixed", recorded=True),
        plots.Series(EVERY_TENTH[:200], "broken"),
        plots.Series([0] * 200, "fixed_lock"),
    )

    drawn = {
        label: (
            line.get_marker(),
            to_hex(line.get_markerfacecolor(), keep_alpha=True),
            line.get_linestyle(),
        )
        for label, line in points(axes).items()
    }
    solid, hollow = plots.PALETTE["broken"] + "ff", "#00000000"
    assert drawn == {
        "broken, recorded": ("o", solid, "-"),
        "fixed, recorded": ("s", hollow, "-"),
        "broken, today": ("o", solid, "None"),
        "fixed lock, today": ("s", hollow, "None"),
    }


def test_pixels_of_a_broken_point_are_filled_and_of_a_fixed_one_are_not() -> None:
    axes = plots.rate_vs_count(
        plots.Series([1, 0] * 50, "broken"), plots.Series([1, 0, 0, 0, 0] * 20, "fixed")
    )

    inside = pixel(axes, 100, 0.5)
    assert inside[:3] == pytest.approx(to_rgba(plots.PALETTE["broken"])[:3], abs=0.03)
    assert inside[3] == pytest.approx(1.0)
    line = points(axes)["fixed, today"]
    assert line.get_markeredgecolor() == plots.PALETTE["fixed"]


def test_two_broken_series_get_two_markers() -> None:
    axes = plots.rate_vs_count(
        plots.Series([1, 0, 0, 0, 0], "broken_a"), plots.Series([1] * 5, "broken_b")
    )

    assert len({line.get_marker() for line in points(axes).values()}) == 2


def band(axes: Any, variant: str) -> dict[float, tuple[float, float]]:
    """x -> (low, high) of a drawn band."""
    (found,) = [
        c
        for c in axes.collections
        if isinstance(c, PolyCollection) and c.get_gid() == f"band:{variant}"
    ]
    sides: dict[float, list[float]] = {}
    for x, y in np.asarray(found.get_paths()[0].vertices):
        sides.setdefault(float(x), []).append(float(y))
    return {x: (min(ys), max(ys)) for x, ys in sides.items()}


def test_band_is_wilsons_and_narrows() -> None:
    axes = plots.rate_vs_count(plots.Series([1, 0] * 500, "broken", recorded=True))

    drawn = band(axes, "broken")
    assert sorted(drawn) == [5, 10, 20, 50, 100, 200, 500, 1000]
    for n, ends in drawn.items():
        assert ends == pytest.approx(stats.wilson(math.ceil(n / 2), int(n)), rel=1e-9)
    widths = [high - low for low, high in (drawn[n] for n in sorted(drawn))]
    assert widths == sorted(widths, reverse=True)
    assert list(points(axes)["broken, recorded"].get_ydata()) == [0.6] + [0.5] * 7


def test_series_without_failure_is_drawn_as_its_falling_bound() -> None:
    axes = plots.rate_vs_count(plots.Series([0] * 1000, "fixed", recorded=True))

    line = points(axes)["fixed, recorded"]
    bounds = [stats.zero_failure_bound(int(n)) for n in line.get_xdata()]
    assert list(line.get_ydata()) == pytest.approx(bounds, rel=1e-12)
    assert [high for _, high in band(axes, "fixed").values()] == pytest.approx(bounds, rel=1e-9)
    arrows = [t for t in axes.texts if t.arrow_patch is not None]
    assert len(arrows) == len(bounds)
    assert "none failed: upper bound" in legend(axes)
    assert axes.get_yscale() == "log"
    assert "95 % sure the rate is below 0.30 %" in plots.description(axes.figure)


def test_rates_per_round_come_process_by_process() -> None:
    axes = plots.rate_vs_count(
        plots.Series([3, 0, 1, 4], "broken", recorded=True, runs=[1_000] * 4, unit="round"),
        count="rounds",
    )

    line = points(axes)["broken, recorded"]
    assert list(line.get_xdata()) == [1_000, 2_000, 4_000]
    assert list(line.get_ydata()) == pytest.approx([0.003, 0.0015, 0.002])
    assert axes.get_ylabel() == "failures per round"
    assert axes.get_xlabel() == "rounds (log scale)"


def test_detection_points_and_curve() -> None:
    axes = plots.detection_vs_count(plots.Series(EVERY_TENTH, "broken", recorded=True))

    line = points(axes)["broken, recorded"]
    expected = {1: 0.1, 2: 0.2, 5: 0.5, 10: 1.0, 20: 1.0, 50: 1.0, 100: 1.0, 200: 1.0}
    assert dict(zip(line.get_xdata(), line.get_ydata(), strict=True)) == pytest.approx(expected)
    (curve,) = [c for c in axes.get_lines() if c.get_linestyle() == ":"]
    for n, share in zip(curve.get_xdata(), curve.get_ydata(), strict=True):
        assert share == pytest.approx(1 - 0.9**n, abs=1e-12)
    assert curve.get_xdata()[-1] == 1000
    assert "expected: 1-(1-p)^N" in legend(axes)


def test_detection_without_failure_is_dashed_and_below() -> None:
    axes = plots.detection_vs_count(plots.Series([0] * 100, "fixed"))

    (edge,) = [c for c in axes.get_lines() if c.get_linestyle() == "--"]
    bound = stats.zero_failure_bound(100)
    assert list(edge.get_ydata()) == pytest.approx(
        [stats.detection(bound, n) for n in edge.get_xdata()]
    )
    assert min(points(axes)["fixed, today"].get_ydata()) > 0  # 0 of n is a bound, not a 0
    assert "none failed: upper bound" in legend(axes)


def test_detection_by_process_has_a_panel_for_each_name() -> None:
    first = plots.detection_by_process({"a": [[1, 0], [0, 0]], "b": [[0, 1]]})

    assert [title for axes in first.figure.axes for title in texts(axes) if title in "ab"] == [
        "a",
        "b",
    ]
    above, below = first.figure.axes
    assert above is first
    assert list(points(above)["2 processes, today"].get_ydata()) == [0.5, 0.5]
    assert list(points(below)["1 process, today"].get_ydata()) == [0.0, 1.0]
    assert below.get_xlabel() == "pytest --count (log scale)"
    words = plots.description(first.figure)
    assert (
        "a: 25.0 % of 4 runs failed; 2 processes, today: 50% within 1 run, 50% within 2." in words
    )
    assert "b: 50.0 % of 2 runs failed; 1 process, today: 0% within 1 run, 100% within 2." in words


def test_detection_by_process_takes_the_curve_from_what_was_recorded() -> None:
    axes = plots.detection_by_process({"a": [[1, 1]]}, {"a": [[0, 0, 1, 0], [0, 0, 0, 0]]})

    (curve,) = [c for c in axes.get_lines() if c.get_linestyle() == ":"]
    assert list(curve.get_ydata()) == pytest.approx([1 - 0.875**n for n in curve.get_xdata()])
    assert points(axes)["2 processes, recorded"].get_linestyle() == "-"
    assert points(axes)["1 process, today"].get_linestyle() == "None"


def test_detection_by_process_errors() -> None:
    with pytest.raises(ValueError, match="'b' has no process, or one without runs"):
        plots.detection_by_process({"a": [[1, 0]], "b": [[0, 1], []]})
    with pytest.raises(ValueError, match="'a' has no process"):
        plots.detection_by_process({"a": []})
    with pytest.raises(ValueError, match="nothing to draw"):
        plots.detection_by_process({})


def test_flagship_has_both_on_one_axis() -> None:
    top = plots.flagship(plots.Series(EVERY_TENTH, recorded=True), title="Both")

    upper, lower = top.figure.axes
    assert upper is top
    assert upper.get_ylabel() == "chance of a failure within N"
    assert lower.get_ylabel() == "failures per repetition"
    assert upper.get_xlim() == lower.get_xlim()
    assert upper.get_legend() is None
    assert legend(lower) == ["broken, recorded", "expected: 1-(1-p)^N", "none failed: upper bound"]
    words = plots.description(top.figure)
    assert "Chance of at least one failure" in words
    assert "Estimated failure rate" in words


def fake_result(failed: list[int], rounds: int, variant: str = "broken") -> Any:
    """What the plots use of a result."""
    ran = [SimpleNamespace(failed_rounds=f, rounds=rounds) for f in failed]
    return SimpleNamespace(ran=ran, variant=variant, title=f"lost_update, {variant}")


def test_results_are_drawn_as_they_are() -> None:
    broken, fixed = fake_result([2, 0, 1] * 4, 50), fake_result([0] * 12, 50, "fixed")

    axes = plots.rate_vs_count([broken, fixed])

    assert list(points(axes)) == ["lost update, broken, today", "lost update, fixed, today"]
    assert points(axes)["lost update, broken, today"].get_ydata()[-1] == pytest.approx(8 / 12)
    per_round = plots.Series.of(broken, per="round", recorded=True)
    assert (list(per_round.failures[:3]), per_round.runs) == ([2, 0, 1], [50] * 12)
    with pytest.raises(ValueError, match="per is 'hour'"):
        plots.Series.of(broken, per="hour")


@pytest.mark.parametrize(
    ("plot", "series", "message"),
    [
        ("rate_vs_count", [], "no series given"),
        ("rate_vs_count", [plots.Series([])], "series[0] (broken) has no runs"),
        (
            "rate_vs_count",
            [plots.Series([1]), plots.Series([1], unit="round")],
            "series per repetition and per round in one figure",
        ),
        (
            "rate_vs_count",
            [plots.Series([1, 2], runs=[5])],
            "2 processes have failures, 1 have runs",
        ),
        ("rate_vs_count", [plots.Series([9, 2], runs=[5, 5])], "failed is 9: more than the 5 runs"),
        ("detection_vs_count", [plots.Series([1], runs=[5])], "series[0] has failures per process"),
    ],
)
def test_series_errors(plot: str, series: list[Any], message: str) -> None:
    with pytest.raises(ValueError, match=re.escape(message)):
        getattr(plots, plot)(*series)


@pytest.mark.parametrize("failures", [[0], [1], [1, 0, 0], [0, 0, 0, 1]])
def test_very_short_series_can_be_drawn(failures: list[int]) -> None:
    for plot in (plots.rate_vs_count, plots.detection_vs_count):
        plot(plots.Series(failures)).figure.canvas.draw()


# -- outcomes --------------------------------------------------------------------------------------

OUTCOMES = {
    "items intact": {"count": 181, "grade": "ACCEPTABLE"},
    "odd": {"count": 3, "grade": "INTERESTING"},
    "crash(SIGSEGV)": {"count": 16, "grade": "FORBIDDEN"},
    "hang": {"count": 0, "grade": "FORBIDDEN"},
}


def test_outcomes_show_shares_grades_and_bounds() -> None:
    axes = plots.outcomes(OUTCOMES, unit="repetition")

    bars = {p.get_gid(): p for p in axes.patches if p.get_gid()}
    widths = {gid: round(bar.get_width(), 6) for gid, bar in bars.items()}
    assert widths == {
        "outcome:ACCEPTABLE": 0.905,
        "outcome:INTERESTING": 0.015,
        "outcome:FORBIDDEN": 0.08,
    }
    assert len({bar.get_hatch() for bar in bars.values()}) == 3
    written = texts(axes)
    for text in ("181 (90.5 %), acceptable", "16 (8.0 %), forbidden", "0, below 1.5 %, forbidden"):
        assert text in written
    assert [t for t in written if t in OUTCOMES] == list(OUTCOMES)
    assert axes.get_xlabel() == "share of 200 repetitions"


def test_outcomes_of_a_result_keep_rounds_and_repetitions_apart() -> None:
    result = SimpleNamespace(
        as_json=lambda: {
            "outcomes": {
                "crash(SIGSEGV)": {"count": 19, "grade": "FORBIDDEN"},
                "intact": {"count": 5_000, "grade": "ACCEPTABLE"},
                "not-run": {"count": 0, "grade": "NOT-RUN"},
            }
        },
        endings=("crash(SIGSEGV)", "hang"),
        repetitions=[None] * 200,
    )

    written = texts(plots.outcomes(result))

    assert "19 of 200 repetitions (9.5 %), forbidden" in written
    assert "5,000 of 5,000 rounds (100 %), acceptable" in written
    assert "share of 200 repetitions or 5,000 rounds" in written


def test_outcomes_errors() -> None:
    with pytest.raises(ValueError, match="nothing was counted"):
        plots.outcomes({"a": {"count": 0, "grade": "ACCEPTABLE"}})
    with pytest.raises(ValueError, match=re.escape("outcomes['a'] has grade 'BAD'; use one of")):
        plots.outcomes({"a": {"count": 1, "grade": "BAD"}})
    with pytest.raises(ValueError, match=re.escape("outcomes['a'] count is -1")):
        plots.outcomes({"a": {"count": -1, "grade": "ACCEPTABLE"}})


# -- skew, scan, dots ------------------------------------------------------------------------------

BINS = [(8, 16, 100), (16, 32, 700), (32, 64, 200)]


def test_skew_histogram_shares_and_marks() -> None:
    axes = plots.skew_histogram({"p50": 22, "p95": 50, "max": 61, "bins": BINS[::-1]})

    steps = axes.patches[-1].get_data()
    assert list(steps.values) == pytest.approx([0.1, 0.7, 0.2])
    assert list(steps.edges) == [8, 16, 32, 64]
    assert axes.get_xscale() == "log"
    marks = sorted(line.get_xdata()[0] for line in axes.get_lines())
    assert marks == [22, 50]
    assert legend(axes) == ["p50 22 ns, p95 50 ns"]


def test_skew_histograms_differ_by_line() -> None:
    skew = {"p50": 22, "p95": 50, "bins": BINS}
    axes = plots.skew_histogram({"barrier": skew, "tsc": skew})

    outlines = [p for p in axes.patches if not p.get_fill()]
    assert len({p.get_linestyle() for p in outlines}) == 2
    assert legend(axes)[1] == "tsc: p50 22 ns, p95 50 ns"


def test_skew_of_a_result() -> None:
    result = SimpleNamespace(skew_ns={"p50": 22, "p95": 50}, skew_bins=tuple(BINS))

    assert legend(plots.skew_histogram(result)) == ["p50 22 ns, p95 50 ns"]


def test_skew_errors() -> None:
    with pytest.raises(ValueError, match="'release' has no rounds"):
        plots.skew_histogram({"p50": 1, "p95": 1, "bins": []})
    with pytest.raises(ValueError, match="no histogram given"):
        plots.skew_histogram({})


def triangle(low: int, high: int) -> list[dict[str, int]]:
    """Hit rate 40 % at 20 ns, falling to 0 within 100 ns on either side."""
    return [
        {"offset_ns": o, "hits": max(0, 400 - 4 * abs(o - 20)), "rounds": 1_000}
        for o in range(low, high, 10)
    ]


def test_scan_draws_window_and_skew_on_one_scale() -> None:
    axes = plots.scan(triangle(-200, 210)[::-1], skew_ns={"p50": 12, "p95": 30})

    curve, *bars = [line for line in axes.get_lines() if len(line.get_xdata()) > 1]
    assert list(curve.get_xdata()) == sorted(curve.get_xdata())
    assert max(curve.get_ydata()) == 0.4
    spans = [tuple(bar.get_xdata()) for bar in bars]
    assert spans == [(-30, 70), (5, 35), (14, 26)]  # window, p95 and p50, one centre
    assert {"Race window at half height: 100 ns", "Release skew: p50 12 ns, p95 30 ns"} <= set(
        texts(axes)
    )


def test_scan_without_both_sides_claims_no_window() -> None:
    axes = plots.scan(triangle(20, 100))

    assert not any("half height" in text for text in texts(axes))
    assert "No window" in plots.description(axes.figure)


def test_scan_without_hits_can_be_drawn() -> None:
    axes = plots.scan([{"offset_ns": o, "hits": 0, "rounds": 100} for o in (0, 5, 9)])

    assert axes.get_ylim()[1] > stats.zero_failure_bound(100)


def test_scan_errors() -> None:
    with pytest.raises(ValueError, match="at least 2"):
        plots.scan(triangle(0, 10))
    with pytest.raises(
        ValueError, match=re.escape("scan: points[0] has 7 hits: more than its 5 rounds.")
    ):
        plots.scan([{"offset_ns": o, "hits": 7, "rounds": 5} for o in (0, 1)])


def test_dots_show_every_value_and_the_median() -> None:
    axes = plots.dots({"quick": [3.0, 1.0, 8.0], "slow": [500.0, 100.0]}, xlabel="time (ms)")

    rows = points(axes)
    assert list(rows["quick"].get_xdata()) == [3.0, 1.0, 8.0]
    medians = [line.get_xdata()[0] for line in axes.get_lines() if line.get_linestyle() == "-"]
    assert medians == [3.0, 300.0]
    assert axes.get_xscale() == "log"
    assert axes.get_xlabel() == "time (ms), log scale"
    assert plots.dots({"a": [1.0, 5.0]}, xlabel="x").get_xscale() == "linear"


def test_dots_errors() -> None:
    for groups, message in (
        ({}, "no groups given"),
        ({"a": []}, "group 'a' has no values"),
        ({"a": [1.0, math.nan]}, "'a'[1] is nan"),
    ):
        with pytest.raises(ValueError, match=re.escape(message)):
            plots.dots(groups, xlabel="x")
    with pytest.raises(ValueError, match=re.escape("'a'[0] is 0.0, which this axis cannot show")):
        plots.dots({"a": [0.0]}, xlabel="x", log=True)


@pytest.mark.parametrize(
    ("ns", "words"),
    [(0, "0 ns"), (7.26, "7.26 ns"), (999.9, "1 us"), (12_345_678, "12.3 ms"), (9e10, "90 s")],
)
def test_durations(ns: float, words: str) -> None:
    assert plots.duration(ns) == words


def test_recorded_dots_are_a_line_with_its_median() -> None:
    axes = plots.dots({"a": [1.0]}, recorded={"a": [2.0, 3.0, 9.0], "b": [4.0]}, xlabel="x")

    spans = [line for line in axes.get_lines() if line.get_linewidth() == 6]
    assert [list(line.get_xdata()) for line in spans] == [[2.0, 9.0], [4.0, 4.0]]
    assert [text.get_text() for text in axes.get_yticklabels()] == ["a", "b"]
    assert legend(axes) == ["recorded", "today"]
    assert "a, recorded: median 3, 2 to 9." in plots.description(axes.figure)
    assert legend(plots.dots({}, recorded={"b": [4.0]}, xlabel="x")) == ["recorded"]


def test_rates_are_intervals_recorded_and_marks_today() -> None:
    axes = plots.rates(
        {"plain": rate(30, 100), "fixed": rate(0, 1000)}, {"plain": rate(3000, 10_000)}
    )

    marks = [line for line in axes.get_lines() if line.get_marker() in ("o", "s")]
    assert [line.get_marker() for line in marks] == ["o", "s"]
    assert [float(line.get_xdata()[0]) for line in marks] == [0.3, rate(0, 1000).high]
    thick = [line for line in axes.get_lines() if line.get_linewidth() == 6]
    assert [tuple(line.get_xdata()) for line in thick] == [
        (rate(3000, 10_000).low, rate(3000, 10_000).high)
    ]
    assert marks[0].get_ydata()[0] < thick[0].get_ydata()[0]
    assert len(axes.texts) == 1, "one arrow, for the row in which nothing failed"
    assert axes.texts[0].xy == (rate(0, 1000).high, 1)
    assert axes.texts[0].xyann == (-24, 0)
    assert legend(axes) == [
        "recorded",
        "broken, today",
        "fixed, today",
        "none failed: below this",
    ]
    assert axes.get_xscale() == "log"
    assert "fixed, today: 0 of 1,000 rounds failed" in plots.description(axes.figure)


def test_rates_take_results_and_know_their_half() -> None:
    seen = fake_result([3, 4], 100, variant="fixed_late")
    seen.rate_per_round = rate(7, 200)
    seen.rate_per_repetition = stats.rate_per_repetition(2, 2)

    (mark,) = [line for line in plots.rates({"x": seen}).get_lines() if line.get_marker() == "s"]
    assert mark.get_xdata()[0] == pytest.approx(7 / 200)
    axes = plots.rates({"x": seen}, per="repetition")
    assert axes.get_xlabel() == "failures per repetition (log scale)"


def test_rates_say_what_was_widened() -> None:
    """A rate with its window held open must not be taken for one without."""
    seen = fake_result([3, 4], 100, variant="broken")
    seen.rate_per_round = rate(7, 200)
    seen.widened = True

    axes = plots.rates({"x": seen}, {"x": rate(3, 1000)})

    assert legend(axes) == ["recorded", "broken, today (widened)"]
    assert "x, today (widened): 7 of 200" in plots.description(axes.figure)
    assert "x, recorded: 3 of" in plots.description(axes.figure)


def test_rates_errors() -> None:
    with pytest.raises(ValueError, match="nothing to draw"):
        plots.rates({"plain": None})
    with pytest.raises(ValueError, match="per is 'call'"):
        plots.rates({"plain": rate(1, 2)}, per="call")
    with pytest.raises(ValueError, match="'plain' has no run"):
        plots.rates({"plain": SimpleNamespace(rate_per_round=None, variant="broken")})


def test_scaling_joins_recorded_medians_only() -> None:
    axes = plots.scaling(
        {"atomic": {1: [5.0, 9.0], 2: [20.0]}}, {"atomic": {1: [6.0], 4: [40.0]}}, ylabel="ns"
    )

    lines = points(axes)
    assert list(lines["atomic, recorded"].get_ydata()) == [6.0, 40.0]
    assert lines["atomic, recorded"].get_linestyle() == "-"
    assert list(lines["atomic, today"].get_ydata()) == [7.0, 20.0]
    assert lines["atomic, today"].get_linestyle() == "None"
    assert lines["atomic, today"].get_color() == lines["atomic, recorded"].get_color()
    assert [text.get_text() for text in axes.get_xticklabels()] == ["1", "2", "4"]


def test_scaling_errors() -> None:
    with pytest.raises(ValueError, match="no values for 'a'"):
        plots.scaling({"a": {}, "b": {1: [2.0]}}, ylabel="ns")
    with pytest.raises(ValueError, match="scaling: no values"):
        plots.scaling({}, ylabel="ns")


# -- kernels ---------------------------------------------------------------------------------------


def test_import_leaves_matplotlib_alone() -> None:
    code = "import sys, racelab.plots; print('matplotlib' in sys.modules, 'numpy' in sys.modules)"

    out = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True
    ).stdout

    assert out.split() == ["False", "False"]


def run_cells(cells: list[str]) -> list[list[set[str]]]:
    """Run cells in a real kernel; for each, the sets of formats it displayed."""
    pytest.importorskip("ipykernel")
    pytest.importorskip("matplotlib_inline")
    client = pytest.importorskip("jupyter_client")
    kernel = client.KernelManager()
    kernel.kernel_spec  # noqa: B018  (made here, so that it can be pointed at this interpreter)
    kernel.kernel_spec.argv = [
        sys.executable,
        "-m",
        "ipykernel_launcher",
        "-f",
        "{connection_file}",
    ]
    kernel.start_kernel()
    channel = kernel.client()
    channel.start_channels()
    try:
        channel.wait_for_ready(timeout=60)
        return [_formats(channel, cell) for cell in cells]
    finally:
        channel.stop_channels()
        kernel.shutdown_kernel(now=True)


def _formats(channel: Any, cell: str) -> list[set[str]]:
    shown: list[set[str]] = []

    def keep(message: Any) -> None:
        if message["msg_type"] in ("display_data", "execute_result"):
            shown.append(set(message["content"]["data"]))

    reply = channel.execute_interactive(textwrap.dedent(cell), output_hook=keep, timeout=60)
    assert reply["content"]["status"] == "ok", reply["content"]
    return shown


FOREIGN = "import matplotlib.pyplot as plt\nfig, ax = plt.subplots()\nax.plot([1, 2])\n"
OWN = "plots.dots({'one': [1.0, 2.0]}, xlabel='x')"


@pytest.mark.filterwarnings("ignore")
def test_kernel_shows_figures_as_html_and_no_text_of_axes() -> None:
    shown = run_cells(
        ["from racelab import plots\nplots.use_style()", OWN, FOREIGN + "ax", FOREIGN + "1"]
    )

    html = {"text/html", "text/plain"}
    assert shown == [[], [html], [html], [{"text/plain"}, html]]


@pytest.mark.filterwarnings("ignore")
def test_kernel_without_use_style_still_shows_ours_as_html_and_others_as_before() -> None:
    shown = run_cells(["from racelab import plots", OWN, FOREIGN + "None"])

    assert len(shown[1]) == 1
    assert "text/html" in shown[1][0]
    assert shown[2] == [{"image/png", "text/plain"}]


def test_style_does_not_undo_what_a_backend_sets() -> None:
    """The inline backend turns interactive mode on while the first figure is drawn: it must stay on."""
    matplotlib.interactive(False)
    try:

        @plots._styled
        def draw() -> None:
            matplotlib.interactive(True)

        draw()
        assert matplotlib.is_interactive()
    finally:
        matplotlib.interactive(False)
