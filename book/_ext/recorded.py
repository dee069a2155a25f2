"""Show what was recorded, on pages that run no code: `{recorded-result}`, `{recorded-spread}` and `{erratum}`.

    ```{recorded-result} lost_update broken
    :threads: 2
    :only: per round
    ```

The first shows a recorded race as `racelab` shows it in a notebook, or one part of it; the second its repetitions as
dots; the third what a proof of the errata page did and what came out. All of it is read from
`notebooks/recorded/<slug>.jsonl`, which `racelab record` writes. What is missing stops the build, with the command.
"""

from __future__ import annotations

import html
import json
import math
import os
import re
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from docutils import nodes
from docutils.parsers.rst import directives
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective

if TYPE_CHECKING:
    from racelab.recording import Recorded
    from racelab.result import Result

#: The harness, which the book's environment does not install. Its tables need nothing but the standard library.
SOURCES = Path(__file__).resolve().parents[2] / "src"
ERRATA = "errata"
#: What `:only:` takes, beside the labels of a result's sentences.
TABLE, JSON, REPETITIONS, NOTE = "table", "json", "repetitions", "note"
SENTENCES = ("per round", "per repetition", "spread", "caution", "conditions", NOTE)
PARTS = (TABLE, JSON, REPETITIONS, *SENTENCES)
SHOWN_REPETITIONS = 5
#: So many verdicts stand in the line of a folded proof.
SUMMED_ROWS = 2


class NotRecorded(ValueError):
    """There is nothing to show; the message says what to run."""


def read(root: Path, slug: str) -> Recorded:
    """The recording of a slug in the book at `root`.

    Raises:
        NotRecorded: it is missing or damaged.
    """
    if str(SOURCES) not in sys.path:
        sys.path.insert(0, str(SOURCES))
    from racelab.recording import recorded

    with _book_at(root):
        try:
            return recorded(slug)
        except (FileNotFoundError, ValueError) as problem:
            raise NotRecorded(str(problem)) from problem


@contextmanager
def _book_at(root: Path) -> Iterator[None]:
    """Tell racelab where the book is, and nobody after it."""
    before = os.environ.get("RACELAB_BOOK")
    os.environ["RACELAB_BOOK"] = str(root)
    try:
        yield
    finally:
        if before is None:
            del os.environ["RACELAB_BOOK"]
        else:
            os.environ["RACELAB_BOOK"] = before


def find(seen: Recorded, variant: str, wanted: dict[str, Any]) -> Result:
    """The race that a directive names.

    Raises:
        NotRecorded: there is none such.
    """
    try:
        return seen.result(variant, **wanted)
    except LookupError as problem:
        said = str(problem.args[0])
        raise NotRecorded(f"{said} Run `racelab record {seen.slug}`.") from problem


def about(result: Result) -> str:
    """Where and when a race was recorded, as a sentence."""
    return (
        f"Recorded on {result.machine}, {result.cores:g} cores, Python {result.python}, "
        f"{result.date[:10]}."
    )


# ---------------------------------------------------------------------------------------------------
# A race
# ---------------------------------------------------------------------------------------------------


class _Directive(SphinxDirective):
    """What all three share: where the recording is, and what happens where there is none."""

    def recording(self, slug: str) -> Recorded:
        place = Path(self.env.srcdir) / "notebooks" / "recorded" / f"{slug}.jsonl"
        self.env.note_dependency(str(place))
        return read(Path(self.env.srcdir), slug)

    def run(self) -> list[nodes.Node]:
        """The nodes, or one clear error."""
        try:
            return self.drawn()
        except NotRecorded as problem:
            raise self.error(str(problem)) from problem

    def drawn(self) -> list[nodes.Node]:
        raise NotImplementedError


def _switch(text: str) -> bool:
    return directives.choice(text, ("on", "off")) == "on"


class _RaceDirective(_Directive):
    """Arguments and options that name one recorded race."""

    required_arguments = 2
    option_spec: ClassVar[dict[str, Any]] = {
        "lab": directives.unchanged_required,
        "threads": directives.positive_int,
        "gil": _switch,
        "widened": directives.flag,
    }

    def result(self) -> Result:
        slug, variant = self.arguments
        wanted = {k: self.options[k] for k in ("lab", "threads", "gil") if k in self.options}
        if "widened" in self.options:
            wanted["widened"] = True
        return find(self.recording(slug), variant, wanted)


class RecordedResult(_RaceDirective):
    """`{recorded-result} SLUG VARIANT`: a race's table and sentences, or one part of them."""

    option_spec: ClassVar[dict[str, Any]] = {
        **_RaceDirective.option_spec,
        "only": lambda text: directives.choice(text, PARTS),
    }

    def drawn(self) -> list[nodes.Node]:
        result = self.result()
        part = self.options.get("only")
        if part is None:
            return [_html(_output(result._repr_html_()) + _quiet(about(result)))]
        if part == JSON:
            return [_block(shortened_json(result), "json")]
        if part == TABLE:
            return [_html(_output(f'<div class="racelab-result">{_table(result)}</div>'))]
        if part == REPETITIONS:
            return [_html(_output(repetitions(result)))]
        return [_html(_output(sentences(result, part)))]


def sentences(result: Result, label: str) -> str:
    """The sentences of a result that begin with a label, as HTML.

    Raises:
        NotRecorded: it says nothing of the kind.
    """
    from racelab.result import _sentence_html

    found = [text for text in result.sentences() if text.startswith(f"{label:<16}")]
    if not found and label == "spread" and result.spread is not None:
        found = [f"{label:<16}The {len(result.ran)} processes differ no more than chance allows."]
    if not found:
        raise NotRecorded(
            f"The recorded race {result.title} says nothing of {label!r}: ask for another race, or record it anew."
        )
    said = "".join(map(_sentence_html, found))
    return f'<div class="racelab-result" style="margin-bottom:1.1rem">{said}</div>'


def shortened_json(result: Result) -> str:
    """The object of `racelab race --json`, as it is printed, indented."""
    return json.dumps(result.as_json(), indent=2)


def repetitions(result: Result) -> str:
    """The first repetitions of a race as an HTML table, one row per child process."""
    rows = [
        (f"{r.rounds:,}", f"{r.failed_rounds:,}", r.ending, f"{r.seconds:.2f} s")
        for r in result.repetitions[:SHOWN_REPETITIONS]
    ]
    head = ("rounds", "failed rounds", "ending", "took")
    right = "text-align:right;font-variant-numeric:tabular-nums;padding:.2em .8em .2em 0"
    cells = "".join(f'<th scope="col" style="{right}">{text}</th>' for text in head)
    body = "".join(
        "<tr>" + "".join(f'<td style="{right}">{html.escape(text)}</td>' for text in row) + "</tr>"
        for row in rows
    )
    total = len(result.repetitions)
    caption = f"{html.escape(result.title)}: the first {len(rows)} of {total} repetitions"
    return (
        '<table class="racelab-table" style="border-collapse:collapse"><caption style="text-align:left">'
        f"{caption}</caption><thead><tr>{cells}</tr></thead><tbody>{body}</tbody></table>"
    )


def _table(result: Result) -> str:
    """The outcomes alone: the table in what the result shows."""
    whole = result._repr_html_()
    return whole[whole.index("<table") : whole.index("</table>") + len("</table>")]


# ---------------------------------------------------------------------------------------------------
# The repetitions of a race as dots
# ---------------------------------------------------------------------------------------------------

WIDTH, LEFT, RIGHT, PITCH = 400, 18, 382, 9
"""Of the drawing, in its own units; the pitch is a dot's width with its gap."""


class RecordedSpread(_RaceDirective):
    """`{recorded-spread} SLUG VARIANT`: the rate of every repetition, one dot each, on one axis."""

    def drawn(self) -> list[nodes.Node]:
        result = self.result()
        return [_html(spread_figure(result))]


def spread_figure(result: Result) -> str:
    """A strip of dots as inline SVG: each child process at its own rate per round, in percent.

    Raises:
        NotRecorded: fewer than two repetitions finished a round.
    """
    rates = [100 * r.failed_rounds / r.rounds for r in result.ran if r.rounds]
    if len(rates) < 2:
        raise NotRecorded(
            f"{result.title}: fewer than two repetitions with a rate; nothing to compare."
        )
    low, high, ticks = _axis(rates)

    def x(rate: float) -> float:
        return LEFT + (RIGHT - LEFT) * (rate - low) / (high - low)

    stacked: dict[int, int] = {}
    places = []
    for rate in sorted(rates):
        column = round(x(rate) / PITCH)
        stacked[column] = stacked.get(column, 0) + 1
        places.append((x(rate), PITCH * stacked[column] - 2))
    ground = PITCH * max(stacked.values()) + 6
    dots = "".join(f'<circle cx="{at:.1f}" cy="{ground - up:.1f}" r="4"/>' for at, up in places)
    marks = "".join(
        f'<path d="M{x(at):.1f} {ground}v5" stroke="currentColor"/>'
        f'<text x="{x(at):.1f}" y="{ground + 20}" text-anchor="middle">{at:g} %</text>'
        for at in ticks
    )
    title = f"{result.title}: failed rounds in each of {len(rates)} repetitions"
    described = f"{len(rates)} dots between {min(rates):.3g} % and {max(rates):.3g} %."
    name = f"spread-{result.lab}-{result.variant}-{result.threads}"
    return (
        f'<figure class="racelab-figure" style="margin:1.2rem 0"><svg role="img" viewBox="0 0 {WIDTH} {ground + 26}" '
        f'aria-labelledby="{name}-t {name}-d" style="width:100%;max-width:30rem;height:auto;font-size:14px" '
        f'fill="currentColor"><title id="{name}-t">{html.escape(title)}</title><desc id="{name}-d">{described}</desc>'
        f'<path d="M{LEFT} {ground}H{RIGHT}" stroke="currentColor"/>{marks}'
        f'<g style="fill:var(--rl-mark,currentColor)">{dots}</g></svg>'
        f'<figcaption style="color:var(--rl-quiet,inherit);font-size:.875rem;text-align:left;margin:.2rem 0 0;padding:0">'
        f"Each dot is one repetition of {html.escape(result.title)}, at the share of its rounds that failed. "
        "Dots at the same place are stacked. "
        f"{html.escape(about(result))}</figcaption></figure>"
    )


def _axis(values: Sequence[float]) -> tuple[float, float, list[float]]:
    """Ends of an axis from 0 that holds all values, and round places on it."""
    top = max(values) or 1.0
    step = 10.0 ** math.floor(math.log10(top))
    if top / step < 2:
        step /= 4
    elif top / step < 5:
        step /= 2
    last = math.ceil(top / step - 1e-9)
    return 0.0, last * step, [round(n * step, 12) for n in range(last + 1)]


# ---------------------------------------------------------------------------------------------------
# The proofs of the errata page
# ---------------------------------------------------------------------------------------------------


class Erratum(_Directive):
    """`{erratum} E1`: what was done to prove it, and what came out, case by case; folded, but for `:open:`."""

    required_arguments = 1
    option_spec: ClassVar[dict[str, Any]] = {"open": directives.flag}

    def drawn(self) -> list[nodes.Node]:
        name = self.arguments[0]
        seen = self.recording(ERRATA)
        if name not in seen.measurements:
            known = ", ".join(seen.measurements)
            raise NotRecorded(
                f"{name} is not recorded ({ERRATA}.jsonl has {known}): run `racelab record {ERRATA} --only {name}`."
            )
        one = seen.measurements[name]
        state = " open" if "open" in self.options else ""
        found: list[nodes.Node] = [
            _html(f'<details class="proof"{state}><summary>{summary(name, one.rows)}</summary>')
        ]
        for row in one.rows:
            found += case(row)
        said = f"Done on {one.machine}, Python {one.python}, {one.date[:10]}."
        return [*found, _html(_quiet(said) + "</details>")]


def summary(name: str, rows: Sequence[dict[str, Any]]) -> str:
    """The line that is there when a proof is folded: what came out, where that is short and says something."""
    runs = [row for row in rows if row.get("status") is not None or row.get("said")]
    came = f"{len(runs)} runs"
    if len(rows) <= SUMMED_ROWS and all(row["verdict"] != "measured" for row in rows):
        came = "; ".join(f"{row['case']}: {row['verdict']}" for row in rows)
    return html.escape(f"Proof of {name} ({came})")


def case(row: dict[str, Any]) -> list[nodes.Node]:
    """One row: a line with the verdict, the code, and the command with what it said."""
    status, command, said = row.get("status"), row.get("command", ""), row.get("said", "")
    line = nodes.paragraph(support_smartquotes=False)  # "--capture" has two hyphens
    if row["case"]:
        line += nodes.strong(text=row["case"])
        line += nodes.Text(": ")
    ended = f" (exit status {status})" if isinstance(status, int) and status else ""
    line += nodes.Text(f"{row['verdict']}{ended}.")
    if command and not said:  # nothing to show but what was done
        line += nodes.Text(" ")
        line += nodes.literal(text=command)
    found: list[nodes.Node] = [line]
    if row.get("code"):
        found.append(_block(row["code"], row.get("language", "text")))
    if said:
        text = f"$ {command}\n{said}" if command else said
        found.append(_block(text, "console" if command else "text", "recorded-said"))
    return found


# ---------------------------------------------------------------------------------------------------
# Nodes
# ---------------------------------------------------------------------------------------------------


def _html(text: str) -> nodes.Node:
    return nodes.raw("", text, format="html")


def _output(text: str) -> str:
    """HTML in the clothes that a notebook's output wears on a page."""
    return (
        '<div class="cell_output docutils container"><div class="output text_html">'
        f"{text}</div></div>"
    )


def _quiet(text: str) -> str:
    """A sentence about a recording, with its date in one piece."""
    whole = re.sub(
        r"\d{4}-\d\d-\d\d", r'<span style="white-space:nowrap">\g<0></span>', html.escape(text)
    )
    return f'<p style="color:var(--rl-quiet,inherit);font-size:.875rem">{whole}</p>'


def _block(text: str, language: str, kind: str = "") -> nodes.Node:
    """A code block; what does not fit its language is no reason to stop a build."""
    block = nodes.literal_block(text, text, language=language, force=True)
    if kind:
        block["classes"].append(kind)
    return block


def setup(app: Sphinx) -> dict[str, Any]:
    """Sphinx entry point."""
    app.add_directive("recorded-result", RecordedResult)
    app.add_directive("recorded-spread", RecordedSpread)
    app.add_directive("erratum", Erratum)
    app.add_css_file("recorded.css")
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
