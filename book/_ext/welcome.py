"""The figure of the welcome page: one cell per trial, counted twice.

`{hook-figure}` draws `notebooks/recorded/welcome.jsonl` as inline SVG: as many cells as there were trials, the
failed ones large, first what the Barrier recipe saw of a broken object, then what racelab saw. All numbers come
from the file, which a command writes. The directive's text leads in to the figure. With the option `:if-recorded:`
a missing file leaves nothing, neither text nor figure, instead of stopping the build.
"""

from __future__ import annotations

import html
import json
from pathlib import Path
from typing import Any, ClassVar

from docutils import nodes
from docutils.parsers.rst import directives
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective

RECORD = "notebooks/recorded/welcome.jsonl"
SERIES = ("recipe", "racelab")
COLUMNS = 80
PITCH = 10
"""Side of a cell with its gap, in units of the drawing."""

NEEDED: dict[str, type | tuple[type, ...]] = {
    "label": str,
    "trials": int,
    "failed": int,
    "seconds": (int, float),
    "machine": str,
    "python": str,
    "date": str,
}


class RecordError(ValueError):
    """The recorded file cannot be drawn; the message says why and what to run."""


class HookFigure(SphinxDirective):
    """`{hook-figure}`: two blocks of cells, one cell per trial."""

    has_content = True
    option_spec: ClassVar[dict[str, Any]] = {"if-recorded": directives.flag}

    def run(self) -> list[nodes.Node]:
        """The figure as one raw HTML node, or nothing if it need not be there."""
        place = Path(self.env.srcdir) / RECORD
        self.env.note_dependency(str(place))
        if "if-recorded" in self.options and not place.exists():
            return []
        try:
            drawn = nodes.raw("", figure(read(place)), format="html")
        except RecordError as problem:
            raise self.error(str(problem)) from problem
        text = nodes.container()
        self.state.nested_parse(self.content, self.content_offset, text)
        return [*text.children, drawn]


def read(place: Path) -> list[dict[str, Any]]:
    """The two recorded series, in the order in which they are shown.

    Raises:
        RecordError: the file is missing, a line is not what it should be, or a count contradicts another.
    """
    if not place.exists():
        raise RecordError(f"{RECORD} is missing: run `make record`, which races and writes it.")
    found: dict[str, dict[str, Any]] = {}
    for number, line in enumerate(place.read_text(encoding="utf-8").splitlines(), start=1):
        if line.strip():
            series = _checked(line, f"{RECORD}, line {number}")
            found[series["series"]] = series
    missing = [name for name in SERIES if name not in found]
    if missing:
        raise RecordError(f"{RECORD} has no series {missing[0]!r}: run `make record`.")
    return [found[name] for name in SERIES]


def _checked(line: str, where: str) -> dict[str, Any]:
    try:
        series = json.loads(line)
    except json.JSONDecodeError as problem:
        raise RecordError(f"{where} is not JSON ({problem}): run `make record`.") from problem
    if not isinstance(series, dict) or series.get("series") not in SERIES:
        raise RecordError(
            f"{where}: series has to be one of {', '.join(SERIES)}: run `make record`."
        )
    for key, kind in NEEDED.items():
        if not isinstance(series.get(key), kind) or isinstance(series[key], bool):
            raise RecordError(f"{where}: {key} is {series.get(key)!r}: run `make record`.")
    if not 0 <= series["failed"] <= series["trials"] or series["trials"] < 1:
        raise RecordError(
            f"{where}: {series['failed']} failures of {series['trials']} trials cannot be: run `make record`."
        )
    if series["failed"] == 0 and not isinstance(series.get("bound"), float):
        raise RecordError(f"{where}: no failures, so it needs a bound: run `make record`.")
    return series


def figure(series: list[dict[str, Any]]) -> str:
    """The whole figure as HTML: a panel for each series, and a caption with where it was measured."""
    panels = "".join(panel(one, f"hook-{one['series']}") for one in series)
    here = series[-1]
    caption = (
        "One cell is one trial: threads call one method of a fresh object of the same broken type. "
        'Failed ones are large <span class="rl-key rl-key--failed" aria-hidden="true"></span> and sorted to the '
        'front, passed ones small <span class="rl-key" aria-hidden="true"></span>. '
        f"Recorded on {html.escape(here['machine'])}, {html.escape(here['python'])}, {html.escape(here['date'])}."
    )
    return (
        f'<figure class="rl-hook"><div class="rl-hook__panels">{panels}</div>'
        f"<figcaption>{caption}</figcaption></figure>"
    )


def panel(series: dict[str, Any], name: str) -> str:
    """One series: its label, its block of cells, and the counts below in words."""
    trials, failed = series["trials"], series["failed"]
    words = f"{failed:,} of {trials:,} trials failed"
    said = f'<b class="rl-failed">{words}</b>' if failed else f"<b>{words}</b>"
    numbers = f"{said} in {duration(series['seconds'])}."
    if failed == 0:
        bound = percent(series["bound"])
        numbers += f" Even if trials are independent, that says no more than: below {bound} (95&nbsp;% sure)."
    return (
        f'<div class="rl-hook__panel"><p class="rl-hook__label">{html.escape(series["label"])}</p>'
        f"{block(trials, failed, series['label'], name)}"
        f'<p class="rl-hook__numbers">{numbers}</p></div>'
    )


def block(trials: int, failed: int, label: str, name: str) -> str:
    """The cells as SVG: two patterns, each over the cells of its kind (the failed ones come first)."""
    rows = -(-trials // COLUMNS)
    width, height = COLUMNS * PITCH, rows * PITCH
    title = f"{label}: {failed:,} of {trials:,} cells are large"
    described = f"A block of {trials:,} small cells, one per trial. " + (
        f"The first {failed:,} are large: they failed." if failed else "All are small: none failed."
    )
    return (
        f'<svg role="img" aria-labelledby="{name}-title {name}-desc" viewBox="0 0 {width} {height}">'
        f'<title id="{name}-title">{html.escape(title)}</title>'
        f'<desc id="{name}-desc">{html.escape(described)}</desc>'
        f"<defs>{_pattern(name, 'passed')}{_pattern(name, 'failed')}</defs>"
        f'<path fill="url(#{name}-passed)" d="{region(failed, trials)}"/>'
        f'<path fill="url(#{name}-failed)" d="{region(0, failed)}"/></svg>'
    )


def _pattern(name: str, kind: str) -> str:
    inset, side = (2.5, 5) if kind == "passed" else (0.5, 9)
    return (
        f'<pattern id="{name}-{kind}" width="{PITCH}" height="{PITCH}" patternUnits="userSpaceOnUse">'
        f'<rect class="rl-cell-{kind}" x="{inset}" y="{inset}" width="{side}" height="{side}"/></pattern>'
    )


def region(start: int, stop: int) -> str:
    """The outline of cells `start` to `stop` (excluded), counted row by row, as SVG path data."""
    parts = []
    while start < stop:
        row, column = divmod(start, COLUMNS)
        # Whole rows at once; else the rest of this row.
        whole = (stop - start) // COLUMNS if column == 0 else 0
        cells = COLUMNS if whole else min(stop - start, COLUMNS - column)
        high = max(whole, 1)
        parts.append(
            f"M{column * PITCH} {row * PITCH}h{cells * PITCH}v{high * PITCH}h{-cells * PITCH}z"
        )
        start += cells * high
    return "".join(parts) or "M0 0"


def duration(seconds: float) -> str:
    """Seconds in the unit that reads best, three digits at most: `11.3 s`, `0.9 ms`, `900 µs`."""
    units = [("s", 1.0), ("ms", 1e-3), ("µs", 1e-6)]
    unit, size = next((one for one in units if seconds >= one[1]), units[-1])
    value = seconds / size
    return f"{value:.0f}&nbsp;{unit}" if value >= 100 else f"{float(f'{value:.3g}'):g}&nbsp;{unit}"


def percent(rate: float) -> str:
    """A rate in percent, two digits: `0.15 %`."""
    return f"{float(f'{100 * rate:.2g}'):g}&nbsp;%"


def setup(app: Sphinx) -> dict[str, Any]:
    """Sphinx entry point."""
    app.add_directive("hook-figure", HookFigure)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
