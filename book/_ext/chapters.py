"""What every chapter page carries: how long it takes, and a notebook to download.

Both come from the chapter's own file: the minutes from its header (`racelab: {teach: 25, exercise: 15}`; those for
home are what its other exercises say that they take), the notebook by jupytext from the text itself, so it opens in plain Jupyter. (The notebooks that
myst-nb leaves behind have no outputs on a cache hit and raw MyST markup in their prose.)
"""

from __future__ import annotations

import re
import sys
from pathlib import Path
from typing import Any

import jupytext
import nbformat
import yaml
from docutils import nodes
from sphinx.application import Sphinx

SOURCES = Path(__file__).resolve().parents[2] / "src"
if str(SOURCES) not in sys.path:
    # The harness, which the book's environment does not install. Plans need nothing but the standard library.
    sys.path.insert(0, str(SOURCES))

NOTEBOOKS = "notebooks/"
NOTE = (
    "> A chapter of *Racing Without the GIL*. To run it, put it into the folder `notebooks/` of the book's "
    "repository and choose the kernel *Python 3.13t (racelab)*, which `make lab` makes."
)


def header(source: Path) -> dict[str, Any]:
    """The `racelab` part of a chapter's header; empty where there is none."""
    text = source.read_text(encoding="utf-8")
    match = re.match(r"---\n(.*?)\n---\n", text, flags=re.DOTALL)
    settings = yaml.safe_load(match[1]) if match else None
    return (settings or {}).get("racelab") or {}


def add_to_page(
    app: Sphinx, pagename: str, _template: str, context: dict[str, Any], _doctree: nodes.document
) -> None:
    """Put the minutes under a chapter's title and the notebook into its download menu."""
    if not pagename.startswith(NOTEBOOKS):
        return
    source = Path(app.env.doc2path(pagename))
    if "teach" in header(source) and "body" in context:
        line = time_needed(source)
        context["body"] = context["body"].replace("</h1>", f"</h1>\n{line}", 1)
    link = {
        "type": "link",
        "url": context["pathto"](f"_downloads/{pagename}.ipynb", 1),
        "text": ".ipynb",
        "icon": "fas fa-code",
        "tooltip": "Download this chapter as a notebook",
        "label": "download-notebook-button",
    }
    for button in context.get("header_buttons", []):
        if button.get("label") == "download-buttons":
            others = [b for b in button["buttons"] if b["label"] != link["label"]]
            for other in others:
                if other["label"] == "download-pdf-button":
                    other["text"] = "print"  # that is what it does
            button["buttons"] = [link, *others]


def time_needed(source: Path) -> str:
    """One line of HTML: minutes to read and run, minutes for the exercises, those for home by themselves."""
    from racelab.classroom.plan import home_minutes, read_chapter

    minutes = header(source)
    parts = [f"<span>{minutes['teach']} min to read and run</span>"]
    if minutes.get("exercise"):
        # A chapter that is still being written has no notes yet, and no exercises either.
        done = bool(minutes.get("exercises"))
        later = home_minutes(read_chapter(source), source.parents[1]) if done else 0
        more = f" in class, {later} more for home" if later else ""
        parts.append(f"<span>{minutes['exercise']} min exercise{more}</span>")
    return f'<p class="time-needed">{"".join(parts)}</p>'


def write_notebooks(app: Sphinx, exception: Exception | None) -> None:
    """Write each chapter as a notebook that needs nothing but Jupyter and the kernel."""
    if exception is not None or app.builder.format != "html":
        return
    for name in app.env.found_docs:
        if name.startswith(NOTEBOOKS):
            notebook = jupytext.read(app.env.doc2path(name))
            titles = {other: title.astext() for other, title in app.env.titles.items()}
            notebook.cells.insert(0, nbformat.v4.new_markdown_cell(NOTE, id="about"))
            for cell in notebook.cells:
                if cell.cell_type == "markdown":
                    cell.source = plain_markdown(cell.source, titles)
            place = Path(app.outdir) / "_downloads" / f"{name}.ipynb"
            place.parent.mkdir(parents=True, exist_ok=True)
            jupytext.write(notebook, place, fmt="ipynb")


def plain_markdown(text: str, titles: dict[str, str]) -> str:
    """MyST markup in the words of plain Markdown, which is all that Jupyter shows by itself.

    Labels vanish, roles keep their text, admonitions become block quotes with their title in bold.
    """
    text = re.sub(r"^\([\w-]+\)=\n", "", text, flags=re.MULTILINE)
    text = re.sub(r"\{(?:ref|doc|term|numref)\}`([^`<]+?)\s*<[^`>]+>`", r"*\1*", text)
    text = re.sub(r"\{doc\}`([^`]+)`", lambda m: f"*{titles.get(m[1].strip('/'), m[1])}*", text)
    text = re.sub(r"\{(?:ref|term|numref)\}`([^`]+)`", r"*\1*", text)
    return re.sub(
        r"^(?P<fence>:{3,}|`{3,})\{(?P<kind>[\w-]+)\}(?P<title>[^\n]*)\n(?P<body>.*?)\n(?P=fence)$",
        _quote,
        text,
        flags=re.MULTILINE | re.DOTALL,
    )


def _quote(match: re.Match[str]) -> str:
    options = re.compile(r"\A(?::[\w-]+:[^\n]*\n)+\n?")
    body = options.sub("", match["body"]).strip()
    title = match["title"].strip() or match["kind"].capitalize()
    lines = [f"**{title}**", "", *body.splitlines()]
    return "\n".join(f"> {line}".rstrip() for line in lines)


def setup(app: Sphinx) -> dict[str, Any]:
    """Sphinx entry point."""
    # After the theme has filled the header with its buttons (priority 501).
    app.connect("html-page-context", add_to_page, priority=900)
    app.connect("build-finished", write_notebooks)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
