"""What every living figure is: a state, a caption and a still picture, shown by a notebook or carried by a page."""

from __future__ import annotations

import html
import json
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

WIDGETS = Path(__file__).parents[1] / "widgets"
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
        how: the part of the caption, word for word, that says how the figure is played or read; it is left out
            on paper and where no JavaScript runs, where there is only the still picture.

    Raises:
        ValueError: the caption does not have `how`.
    """

    kind: str
    state: Mapping[str, Any]
    caption: str
    still: str
    name: str = ""
    how: str = ""

    def __post_init__(self) -> None:
        if self.how not in self.caption:
            raise ValueError(
                f"{self.kind}: {self.how!r} is no part of the caption; give it as it stands there."
            )

    def __repr__(self) -> str:
        return f"Living({self.kind!r})"

    def __str__(self) -> str:
        return f"{self.kind}: {self.caption}"

    def as_html(self) -> str:
        """The figure as the site carries it: a still picture, and the state for `mount.js`."""
        # Without any "<": not only "</script>" ends or swallows a script element, "<!--<script>" does so, too.
        state = json.dumps(self.state, separators=(",", ":"), allow_nan=False)
        state = state.replace("<", "\\u003c")
        tall, narrow = _tall(self.kind, self.state)
        return (
            f'<figure class="rl-figure" id="{html.escape(self.name or self.kind)}" data-living="{self.kind}" '
            f'style="--rl-tall:{tall}px;--rl-narrow:{narrow}px">'
            f'<div class="rl-still">{self.still}</div>'
            f"<figcaption>{self._caption_html()}</figcaption>"
            f'<script type="application/json">{state}</script></figure>'
        )

    def _caption_html(self) -> str:
        if not self.how:
            return html.escape(self.caption)
        before, after = map(html.escape, self.caption.split(self.how, 1))
        return f'{before}<span class="rl-how">{html.escape(self.how)}</span>{after}'

    def _widget(self) -> Any:
        """What a notebook shows; None without anywidget. A figure that takes fresh data keeps hold of it."""
        return _widget(self)

    def _repr_mimebundle_(self, **_: Any) -> dict[str, Any]:
        page = {"text/plain": str(self), "text/html": self.as_html()}
        widget = None if os.environ.get(STATIC) == "1" else self._widget()
        if widget is None:
            return page
        shown = widget._repr_mimebundle_()
        bundle = shown[0] if isinstance(shown, tuple) else shown
        return {**page, **(bundle or {})}


def _tall(kind: str, state: Mapping[str, Any]) -> tuple[int, int]:
    """About how many px a figure needs, where there is room and on a phone: a page keeps its place until it is drawn."""
    many = {key: len(value) for key, value in state.items() if isinstance(value, list)}
    if kind == "planner":
        presets, speeds = min(1, many.get("presets", 0)), many.get("speeds", 0)
        return 590 + 36 * presets + 26 * speeds, 645 + 70 * presets + 66 * speeds
    if kind == "scan":
        return 790 + 46 * many.get("ways", 0), 1180 + 46 * many.get("ways", 0)
    if kind == "timeline":
        threads = max((len(one["threads"]) for one in state.get("traces", ())), default=0)
        return 545 + 46 * threads, 950 + 46 * threads
    if kind == "explorer":
        return 110 + 145 * many.get("variants", 0), 130 + 210 * many.get("variants", 0)
    return {"interleaver": (720, 860), "zoo": (1320, 4400)}.get(kind, (0, 0))


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


#: On a page of the site the caption stands in the figure's element; in a notebook it is drawn with the figure.
_CAPTIONED = """export default {
  async render({ model, el }) {
    const over = await render({ model, el });
    const caption = document.createElement("p");
    caption.className = "rl-caption";
    const say = () => { caption.textContent = model.get("caption"); };
    model.on("change:caption", say);
    say();
    el.append(caption);
    return over;
  },
};
"""


def _captioned(module: str) -> str:
    # anywidget takes an exported `render` before the default export: those that tests import stay inside.
    inside = re.sub(r"^export (?=const )", "", module, flags=re.MULTILINE)
    return inside.replace("export default { render };\n", _CAPTIONED)


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
            "_esm": _captioned(module_text(figure.kind)),
            "_css": style_text(figure.kind),
            "state": traitlets.Dict().tag(sync=True),
            "caption": traitlets.Unicode().tag(sync=True),
        },
    )
    return made(state=dict(figure.state), caption=figure.caption)
