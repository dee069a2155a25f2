"""Living figures: small pictures that a reader plays with, on a page of the site or in a notebook.

Each is one JavaScript module in `racelab/widgets`, written as anywidget wants it, and a state: numbers that were
recorded or have just been raced. In a notebook anywidget shows it. On the site the page carries the state, and
`mount.js` brings the same module to life: no kernel, no network, no widget manager. Where no JavaScript runs, on
paper or in a viewer, a still picture stands in its place.

    from racelab import living
    living.planner(p=0.001, speeds={"rounds": 1e6})
"""

from __future__ import annotations

import html
import json
import os
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from racelab.result import Result

__all__ = ["Living", "interleaver", "planner"]

WIDGETS = Path(__file__).with_name("widgets")
#: Set while the book is built: figures are then written for the site.
STATIC = "RACELAB_STATIC"


@dataclass(frozen=True, eq=False)
class Living:
    """A figure that lives where JavaScript runs; shown by a notebook as the last value of a cell.

    Attributes:
        kind: which module of `racelab/widgets`, e.g. "planner".
        state: what it shows; must be JSON.
        caption: one or two sentences below it.
        still: the picture for paper and for viewers without JavaScript, as HTML (an inline SVG).
        name: what links to a view of it are called; unique on a page. Default: the kind.
    """

    kind: str
    state: Mapping[str, Any]
    caption: str
    still: str
    name: str = ""

    def __repr__(self) -> str:
        return f"Living({self.kind!r})"

    def __str__(self) -> str:
        return f"{self.kind}: {self.caption}"

    def as_html(self) -> str:
        """The figure as the site carries it: a still picture, and the state for `mount.js`."""
        state = json.dumps(self.state, separators=(",", ":"), allow_nan=False).replace("</", "<\\/")
        return (
            f'<figure class="rl-figure" id="{html.escape(self.name or self.kind)}" data-living="{self.kind}">'
            f'<div class="rl-still">{self.still}</div>'
            f"<figcaption>{html.escape(self.caption)}</figcaption>"
            f'<script type="application/json">{state}</script></figure>'
        )

    def _repr_mimebundle_(self, **_: Any) -> dict[str, Any]:
        page = {"text/plain": str(self), "text/html": self.as_html()}
        widget = None if os.environ.get(STATIC) == "1" else _widget(self)
        if widget is None:
            return page
        shown = widget._repr_mimebundle_()
        bundle = shown[0] if isinstance(shown, tuple) else shown
        return {**page, **(bundle or {})}


def module_text(kind: str) -> str:
    """One module with what it imports from `base.js`, in one piece, as anywidget takes it.

    Raises:
        FileNotFoundError: there is no such module.
    """
    names = re.findall(r"^export const (\w+)", _text("base.js"), flags=re.MULTILINE)
    base = re.sub(r"^export (?=const )", "", _text("base.js"), flags=re.MULTILINE)
    # In a scope of its own: a figure may use names that base.js has and it did not import.
    whole = f"const base = (() => {{\n{base}\nreturn {{ {', '.join(names)} }};\n}})();\n"
    return whole + re.sub(
        r'^import (\{[^}]*\}) from "\./base\.js";$',
        r"const \1 = base;",
        _text(f"{kind}.js"),
        flags=re.M,
    )


@cache
def _text(name: str) -> str:
    return (WIDGETS / name).read_text(encoding="utf-8")


def style_text(kind: str) -> str:
    """The style of a figure: what all share, and its own where it has one."""
    own = WIDGETS / f"{kind}.css"
    return _text("base.css") + (_text(own.name) if own.is_file() else "")


def _widget(figure: Living) -> Any:
    """The figure as an anywidget; None where anywidget is not installed."""
    try:
        import anywidget
        import traitlets
    except ImportError:
        return None

    made = type(
        f"Living{figure.kind.capitalize()}",
        (anywidget.AnyWidget,),
        {
            "_esm": module_text(figure.kind),
            "_css": style_text(figure.kind),
            "state": traitlets.Dict().tag(sync=True),
        },
    )
    return made(state=dict(figure.state))


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
        presets: rates to choose from: dicts with "name" and "p".
        name: what links to a view are called; unique on a page.

    Raises:
        ValueError: a value outside its range.

    Example:
        >>> living.planner(0.001, unit="round", speeds={"rounds": 1_000_000})
        Living('planner')
    """
    if not 1e-7 <= p <= 0.9:
        raise ValueError(f"p={p}: give a rate between 1e-7 and 0.9.")
    if not 0.5 <= confidence <= 0.9999:
        raise ValueError(f"confidence={confidence}: give a chance between 0.5 and 0.9999.")
    state = {
        "p": p,
        "confidence": confidence,
        "unit": unit,
        "speeds": [{"name": key, "per_s": value} for key, value in (speeds or {}).items()],
        "presets": [{"name": one["name"], "p": one["p"]} for one in presets],
    }
    caption = f"How many {unit}s? Move the rate or the confidence, and the count follows; move the count, and the confidence does."
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
    words = (
        f"{n:,} {unit}s show a bug of rate {100 * p:g} % with a chance of {100 * confidence:g} %"
    )
    ticks = "".join(
        f'<text x="{40 + 55 * i}" y="218" text-anchor="middle" font-size="13" fill="currentColor">{label}</text>'
        for i, label in enumerate(["1", "10", "100", "1,000", "10⁴", "10⁵", "10⁶", "10⁷", "10⁸"])
    )
    return (
        f'<svg role="img" aria-label="{html.escape(words)}" viewBox="0 0 500 245" style="max-width:100%;width:500px">'
        f'<polyline points="{points}" fill="none" stroke="currentColor" stroke-width="2"/>{ticks}'
        f'<text x="260" y="240" text-anchor="middle" font-size="13" fill="currentColor">{html.escape(words)}</text></svg>'
    )


def interleaver(
    slug: str,
    variant: str = "broken",
    *,
    variants: Mapping[str, str] | None = None,
    races: Mapping[str, Result] | None = None,
    name: str = "interleaver",
) -> Living:
    """Who goes next? The threads of a lab step by step, in the order that the reader chooses.

    What the threads do is said by ``ext/<slug>/steps.js``; their lines are read from the C files here.

    Args:
        slug: a folder of `ext` with a steps.js, e.g. "lost_update".
        variant: the one it begins with.
        variants: those to choose from, each with what it is called. Default: `variant` and "fixed".
        races: variant to a result of `race`: how often each outcome was seen, beside the number of schedules.
            Default: what was recorded, the unwidened races without GIL.
        name: what links to a view are called; unique on a page.

    Raises:
        FileNotFoundError: no such lab or variant, or the lab has no steps.
        ValueError: steps.js does not know one of the variants.

    Example:
        >>> living.interleaver("lost_update", variants={"broken": "plain long", "fixed": "atomic"})
        Living('interleaver')
    """
    from racelab.show import find_ext, source_file

    path = find_ext() / slug / "steps.js"
    if not path.is_file():
        known = ", ".join(sorted(found.parent.name for found in path.parents[1].glob("*/steps.js")))
        raise FileNotFoundError(f"ext/{slug} has no steps.js; these have one: {known}.")
    steps = path.read_text(encoding="utf-8")
    chosen = dict(variants or {variant: variant, "fixed": "fixed"})
    unknown = [
        one for one in {variant: "", **chosen} if not re.search(rf"^    {one}: ", steps, re.M)
    ]
    if unknown or variant not in chosen:
        raise ValueError(
            f"{', '.join(unknown) or variant}: not a variant that ext/{slug}/steps.js plays and you chose."
        )
    # Every number that steps.js mentions: a few too many do no harm.
    wanted = sorted({int(n) for n in re.findall(r"\b\d+\b", steps)})
    lines = {}
    for one in chosen:
        text = source_file(slug, one).read_text(encoding="utf-8").splitlines()
        lines[one] = {n: _code(text[n - 1]) for n in wanted if 0 < n <= len(text)}
    seen, source = _seen(slug, chosen, races)
    state = {
        "steps": steps,
        "variant": variant,
        "variants": list(chosen.items()),
        "lines": lines,
        "grades": _grades(slug),
        "observed": seen,
        "source": source,
    }
    caption = (
        "Who goes next? Choose with the buttons; or, once you are in the figure, with the keys a, b and so on: "
        "each lets one thread go a step (u: undo, r: reset)."
    )
    return Living(
        "interleaver", state, caption, _interleaver_still(steps, variant, lines[variant]), name
    )


#: What steps.js says of a schedule for paper: a thread, the lines it runs, and what that does.
_STEP = re.compile(r'([ABC])([\d+]*)(?:"([^"]*)")?')


def _code(line: str) -> str:
    """A line of C without its comment, which says what the reader is to find."""
    return re.sub(r"\s*/\*.*?\*/", "", line).strip()


def _grades(slug: str) -> dict[str, tuple[bool, str]]:
    """Outcome to whether it is broken and why; empty where a folder has no lab, and steps.js says it itself."""
    from racelab.lab import FORBIDDEN, load_labs
    from racelab.show import find_ext

    file = find_ext() / slug / "lab.py"
    labs = [lab for lab in load_labs(file) if lab.name == slug] if file.is_file() else []
    return {
        label: (grade.name == FORBIDDEN.name, grade.text)
        for lab in labs
        for label, grade in lab.outcomes.items()
    }


def _seen(
    slug: str, variants: Iterable[str], races: Mapping[str, Result] | None
) -> tuple[dict[str, dict[str, int]], str]:
    """How often each outcome was seen, and in which races."""
    from racelab.recording import recorded

    source = "Seen in your races"
    if races is None:
        source = "Seen in recorded races"
        try:
            races = recorded(slug).results(gil=False, lab=slug)
        except FileNotFoundError:
            races = {}
    counts = {one: races[one].outcomes for one in variants if one in races}
    return {one: {k: n for k, n in seen.items() if n} for one, seen in counts.items()}, source


def _interleaver_still(steps: str, variant: str, lines: Mapping[int, str]) -> str:
    """A schedule that fails, as a table; without one, the lines that the variant runs."""
    listed = re.search(rf"^    {variant}: `(.*)`,$", steps, re.M)
    if listed is None:
        return f"<p>{html.escape(variant)}: none of the schedules fails.</p>"
    run = _STEP.findall(listed[1])
    threads = sorted({who for who, _, _ in run})
    rows = []
    for number, (who, numbers, note) in enumerate(run, start=1):
        code = " ".join(lines[int(n)] for n in numbers.split("+") if n)
        said = ": ".join(
            filter(None, (f"<code>{html.escape(code)}</code>" * bool(code), html.escape(note)))
        )
        cells = "".join(f"<td>{said if one == who else ''}</td>" for one in threads)
        rows.append(f"<tr><td>{number}</td>{cells}</tr>")
    heads = "".join(
        f'<th scope="col">{head}</th>' for head in ("step", *(f"thread {one}" for one in threads))
    )
    return (
        "<table><caption>A schedule that fails</caption>"
        f"<thead><tr>{heads}</tr></thead><tbody>{''.join(rows)}</tbody></table>"
    )
