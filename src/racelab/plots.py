"""The book's figures: plain Matplotlib, one function each, readable on light and on dark pages.

Every plot function takes ``ax=None`` (a new figure is made), returns the ``Axes``, and writes a description
for people who cannot see the figure; `describe` replaces it. Matplotlib is imported when a figure is asked for.

How light and dark are served. No colour at all reaches a contrast of 4.5:1 on white and on the theme's dark
background at once (the best grey reaches 4.3:1), so text and axes are drawn in that grey, `INK`, and turned into
``currentColor`` where a figure is shown as HTML: they take the colour of the page's own text. The data colours
keep 3:1, what graphics need, on both backgrounds. See `use_style` for notebooks and for the site.
"""

from __future__ import annotations

import functools
import hashlib
import html
import io
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, TypeVar, cast

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = ["PALETTE", "describe", "figure_html", "timeline", "use_style"]

INK = "#797979"  # the grey with the best contrast on white and on #121212 together
PALETTE = {
    "broken": "#d55e00",  # Okabe and Ito's vermilion and blue: apart for every common colour blindness
    "fixed": "#0072b2",
    "good": "#008f68",
    "other": "#b8639a",
    "neutral": INK,
}

WIDTH_IN = 5.2  # narrow on purpose: at a phone's 360 px the text must still be read
UNITS_NS = {"ns": 1, "us": 1_000, "ms": 1_000_000, "s": 1_000_000_000}

# state -> (fill, opacity of the fill, hatch, line style): four states apart without any colour
STATES: dict[str, tuple[str, float, str, str]] = {
    "attached": (PALETTE["fixed"], 0.85, "", "-"),
    "detached": (PALETTE["good"], 0.0, "..", "--"),
    "waiting": (PALETTE["broken"], 0.15, "////", "-"),
    "stopped": (PALETTE["other"], 0.30, "xxxx", "-"),
}

_STYLE: dict[str, Any] = {
    "figure.figsize": (WIDTH_IN, 3.2),
    "figure.facecolor": "none",
    "figure.dpi": 110,
    "savefig.facecolor": "auto",
    "savefig.edgecolor": "none",
    "axes.facecolor": "none",
    "axes.edgecolor": INK,
    "axes.labelcolor": INK,
    "axes.titlecolor": INK,
    "axes.titlesize": 10.5,
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
    "font.size": 10,
    "font.family": "sans-serif",
    "svg.fonttype": "none",  # text stays text: selectable, searchable, sharp
    "svg.hashsalt": "racelab",  # the same data give the same bytes
}

_Plot = TypeVar("_Plot", bound=Callable[..., Any])


def _styled(plot: _Plot) -> _Plot:
    """Draw with the book's style, and leave the reader's own rcParams as they are."""

    @functools.wraps(plot)
    def draw(*args: Any, **kwargs: Any) -> Any:
        import matplotlib as mpl

        with mpl.rc_context(_STYLE):
            return plot(*args, **kwargs)

    return cast("_Plot", draw)


def _axes(ax: Axes | None, height_in: float = 3.2) -> Axes:
    """The Axes to draw on: the caller's, or those of a new figure."""
    if ax is not None:
        return ax
    import matplotlib.pyplot as plt

    figure, ax = plt.subplots(figsize=(WIDTH_IN, height_in), layout="constrained")
    figure._racelab = True  # type: ignore[attr-defined]
    _register_html(only_own=True)
    return ax


def duration(ns: float) -> str:
    """A duration in the largest unit that leaves it at 1 or more, three significant digits: ``"12.3 ms"``."""
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


# -- descriptions and HTML ---------------------------------------------------------------------------------------


def describe(ax: Axes, text: str) -> Axes:
    """Say in words what a figure shows, for people who cannot see it. Returns the same Axes.

    The plot functions write a description of their own; call this to say it better. Where the figure is shown
    by `use_style` (a notebook, the site) the text becomes the ``aria-label`` of the SVG, which has the role ``img``, and
    its ``<desc>`` and `savefig` files get it as metadata. Several Axes in one figure: their texts are joined.

    Args:
        ax: any Axes, also one that racelab did not make.
        text: one to three sentences: what is on the axes, and the one thing to see. Not empty.

    Raises:
        ValueError: the text is empty.
    """
    if not text.strip():
        raise ValueError("describe: the text is empty. Say what the figure shows, in a sentence.")
    ax._racelab_description = " ".join(text.split())  # type: ignore[attr-defined]
    return ax


def description(figure: Figure) -> str:
    """The words written by `describe` for all Axes of a figure, else the titles, else ``"Figure"``."""
    said = [getattr(ax, "_racelab_description", "") for ax in figure.axes]
    said = [text for text in said if text]
    if not said:
        said = [ax.get_title(loc) for ax in figure.axes for loc in ("left", "center") if ax.get_title(loc)]
    return " ".join(said) or "Figure"


# -- the timeline ------------------------------------------------------------------------------------------------


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
        spans: mappings with ``thread`` (str), ``state`` (``"attached"``, ``"detached"``, ``"waiting"`` or
            ``"stopped"``), ``start_ns``, ``end_ns`` (numbers on one clock) and, if wanted, ``label`` (written
            above the box where there is room). Lanes come in the order in which threads first appear.
        events: mappings with ``label``, ``start_ns``, ``end_ns``: a band over all lanes, such as a
            stop-the-world pause or a ``gc.collect()``; its duration is written on it.
        ax: where to draw; a new figure by default.
        title: above the Axes; none by default.
        unit: unit of the time axis: ``"ns"``, ``"us"``, ``"ms"`` or ``"s"``. Time 0 is the earliest start.

    Raises:
        ValueError: no spans, an unknown state or unit, a missing key, an end before its start; the message
            names the index and the value.
    """
    if unit not in UNITS_NS:
        raise ValueError(f"timeline: unit is {unit!r}; use one of {', '.join(UNITS_NS)}.")
    boxes = [_checked_span("spans", index, span, ("thread", "state")) for index, span in enumerate(spans)]
    bands = [_checked_span("events", index, event, ("label",)) for index, event in enumerate(events)]
    if not boxes:
        raise ValueError("timeline: spans is empty. Give at least one span with thread, state, start_ns, end_ns.")

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
    if title:
        axes.set_title(title, pad=6 + 14 * _band_rows(bands, zero, scale, width))
    return describe(axes, _timeline_words(boxes, bands, lanes, last - zero))


def _checked_span(what: str, index: int, span: Mapping[str, Any], keys: Sequence[str]) -> dict[str, Any]:
    """One span or event with everything a drawing needs, or an error that says which one is wrong and how."""
    where = f"timeline: {what}[{index}]"
    for key in (*keys, "start_ns", "end_ns"):
        if key not in span:
            raise ValueError(f"{where} has no {key!r}: {dict(span)!r}")
    if "state" in keys and span["state"] not in STATES:
        raise ValueError(f"{where} has state {span['state']!r}; use one of {', '.join(STATES)}.")
    if span["end_ns"] < span["start_ns"]:
        raise ValueError(f"{where} ends at {span['end_ns']} ns, before its start at {span['start_ns']} ns.")
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
        text = axes.annotate(label, at, xytext=(2, 2), textcoords="offset points", fontsize=8.5, va="bottom")
        if _text_width(axes, text) > right - left:
            text.remove()


def _state_looks(state: str) -> list[dict[str, Any]]:
    """Patch properties of a state: its fill, then its hatch. Two patches, as an SVG hatch takes the fill's opacity."""
    from matplotlib.colors import to_rgba

    fill, opacity, hatch, line = STATES[state]
    base = {"facecolor": to_rgba(fill, opacity), "edgecolor": fill, "linestyle": line, "linewidth": 1.2}
    over = {"facecolor": "none", "edgecolor": fill, "linewidth": 0.0, "hatch": hatch}
    return [base, over] if hatch else [base]


def _text_width(axes: Axes, text: Any) -> float:
    """Width of a text in the units of the x axis, measured before the layout has settled (so: roughly)."""
    pixels = text.get_window_extent(axes.figure.canvas.get_renderer()).width
    span = axes.get_xlim()[1] - axes.get_xlim()[0]
    return float(pixels / axes.get_window_extent().width * span)


def _band_words(band: Mapping[str, Any]) -> str:
    return f"{band['label']}: {duration(band['end_ns'] - band['start_ns'])}"


def _draw_bands(axes: Axes, bands: list[dict[str, Any]], zero: int, scale: int, width: float) -> None:
    """Events as bands over all lanes, with dashed borders so that the narrowest is still seen."""
    for band, row in zip(bands, _band_row_of(bands, zero, scale, width), strict=True):
        left, right = (band["start_ns"] - zero) / scale, (band["end_ns"] - zero) / scale
        axes.axvspan(left, right, facecolor=INK, alpha=0.22, linewidth=0, zorder=0.5).set_gid("event")
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
            fontsize=9,
            annotation_clip=False,
        )


def _band_row_of(bands: list[dict[str, Any]], zero: int, scale: int, width: float) -> list[int]:
    """The row of each band's words above the Axes, so that no two run into each other."""
    taken: list[list[tuple[float, float]]] = []
    rows = []
    for band in bands:
        left, right = (band["start_ns"] - zero) / scale, (band["end_ns"] - zero) / scale
        length = len(_band_words(band)) * width / 62  # about 62 letters of this size fit in a line
        start = right - length if (left + right) / 2 > 0.6 * width else left
        row = next(
            (i for i, used in enumerate(taken) if all(start + length < a or start > b for a, b in used)), len(taken)
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
    axes.legend(
        handles,
        shown,
        loc="upper left",
        bbox_to_anchor=(-0.02, -0.32 if len(axes.get_yticks()) < 3 else -0.22),
        ncols=4,
        handlelength=2.2,
        columnspacing=1.2,
        fontsize=9,
        borderaxespad=0,
    )


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
        said.append(f"{lane}: " + ", ".join(f"{state} {duration(ns)}" for state, ns in totals.items()) + ".")
    said += [f"{_band_words(band)}." for band in bands]
    return " ".join(said)


# -- notebooks and the site --------------------------------------------------------------------------------------

_COUNT_REFERENCES = re.compile(r'(?:xlink:href="#|href="#|url\(#)([^")]+)')


def figure_html(figure: Figure) -> str:
    """A figure as HTML: an inline SVG in the page's own text colour and font, with its description.

    Inline, because an ``<img>`` sees neither the page's colours nor its fonts. The figure shrinks with the page and never
    grows beyond 1.35 times its natural width. The style rule takes away the light plate that the site's theme
    puts behind HTML outputs in dark mode. Ids are made unique by a hash of the drawing.
    """
    import matplotlib as mpl

    buffer = io.StringIO()
    words = description(figure)
    with mpl.rc_context(_STYLE):
        figure.savefig(buffer, format="svg", metadata={"Date": None, "Creator": None})
    drawing = buffer.getvalue()
    drawing = drawing[drawing.index("<svg") :]
    drawing = re.sub(r"<metadata>.*?</metadata>\s*", "", drawing, flags=re.DOTALL)
    # A rule for "*" in an inline SVG would rule the whole page.
    drawing = re.sub(r"<defs>\s*<style[^>]*>.*?</style>\s*</defs>\s*", "", drawing, count=1, flags=re.DOTALL)
    drawing = drawing.replace(INK, "currentColor")
    drawing = re.sub(r"(font(?:-family)?:[^;\"]*?)'DejaVu Sans'[^;\"]*", r"\1inherit", drawing)
    key = "rl" + hashlib.sha256((drawing + words).encode()).hexdigest()[:8]
    drawing = _own_ids(drawing, key)
    label = html.escape(words, quote=True)
    match = re.search(r'<svg[^>]*?width="([\d.]+)pt"', drawing)
    natural_pt = float(match.group(1)) if match else 0.0
    head = (
        f'<svg role="img" aria-label="{label}" style="width:100%;max-width:{natural_pt * 1.35:.0f}pt;height:auto;'
        f'stroke-linejoin:round;stroke-linecap:butt" '
        f'viewBox="{_view_box(drawing)}" xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink">'
        f"<desc>{html.escape(words)}</desc>"
    )
    drawing = head + drawing[drawing.index(">") + 1 :]
    return f'<div class="racelab-figure"><style>{_PAGE_CSS}</style>{drawing}</div>'


_PAGE_CSS = (
    ".racelab-figure{background:transparent;color:inherit}"
    "html .text_html:has(>.racelab-figure){background:transparent!important;color:inherit!important;padding:0!important}"
)


def _view_box(drawing: str) -> str:
    match = re.search(r'viewBox="([^"]+)"', drawing)
    return match.group(1) if match else "0 0 100 100"


def _own_ids(drawing: str, key: str) -> str:
    """Drop ids that nothing refers to and make the others this figure's own: ids are shared by a whole page."""
    wanted = set(_COUNT_REFERENCES.findall(drawing))
    drawing = re.sub(
        r' id="([^"]+)"', lambda m: f' id="{key}-{m.group(1)}"' if m.group(1) in wanted else "", drawing
    )
    return re.sub(r'(href="#|url\(#)', rf"\g<1>{key}-", drawing)


def _register_html(only_own: bool) -> bool:
    """In IPython, show figures as `figure_html`; only those made here, or all of them. Returns: is this IPython?"""
    try:
        from IPython.core.getipython import get_ipython
    except ImportError:
        return False
    shell = get_ipython()
    if shell is None:
        return False
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    def show(figure: Figure) -> str | None:
        global _all_figures
        return figure_html(figure) if _all_figures or getattr(figure, "_racelab", False) else None

    global _all_figures
    _all_figures = _all_figures or not only_own
    shell.display_formatter.formatters["text/html"].for_type(Figure, show)
    # A cell that ends in a plot shows the figure; "<Axes: ...>" above it would help nobody.
    shell.display_formatter.ipython_display_formatter.for_type(Axes, lambda _: None)
    return True


_all_figures = False


def use_style() -> None:
    """Give all figures of this process the book's style; in IPython, show them as inline SVG.

    Sets Matplotlib's rcParams (transparent, mid-grey text, text as text in SVG). In IPython it also turns the
    inline backend's own PNG and SVG output off and shows every figure as `figure_html`.

    Alternative text on the site. An image in a myst-nb 1.4 page gets its ``alt`` only from the cell's metadata,
    ``mystnb: {image: {alt: "..."}}``, written by hand above the cell; nothing a figure carries reaches it. HTML outputs are
    passed through as they are, and HTML comes before images in myst-nb's order of formats. So the description
    travels inside: ``role="img"`` and ``aria-label`` on the SVG. No metadata is needed.
    """
    import matplotlib as mpl

    mpl.rcParams.update(_STYLE)
    if _register_html(only_own=False):
        from IPython.core.getipython import get_ipython
        from matplotlib.figure import Figure

        formatters = get_ipython().display_formatter.formatters
        for mime in ("image/png", "image/svg+xml", "image/jpeg", "application/pdf"):
            formatters[mime].pop(Figure, None)
