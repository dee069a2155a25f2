"""Bring living figures to the site: their modules and styles, on the pages that have one and on no other."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

from docutils import nodes
from sphinx.application import Sphinx

WIDGETS = Path(__file__).resolve().parents[2] / "src/racelab/widgets"
PLACE = "_static/living"
MARK = "data-living="


def add_to_page(
    _app: Sphinx, _pagename: str, _template: str, context: dict[str, Any], _doctree: nodes.document
) -> None:
    """Load `mount.js` and the styles where a figure is; it fetches the modules that it meets."""
    if MARK not in context.get("body", ""):
        return
    kinds = sorted(path.stem for path in WIDGETS.glob("*.css"))
    used = [kind for kind in kinds if kind == "base" or f'{MARK}"{kind}"' in context["body"]]
    styles = "".join(
        f'<link rel="stylesheet" href="{context["pathto"](f"{PLACE}/{kind}.css", 1)}">'
        for kind in used
    )
    # What mount.js will ask for is fetched at once, not one after the other.
    modules = [path.stem for path in sorted(WIDGETS.glob("*.js")) if path.stem != "mount"]
    styles += "".join(
        f'<link rel="modulepreload" href="{context["pathto"](f"{PLACE}/{kind}.js", 1)}">'
        for kind in modules
        if kind == "base" or f'{MARK}"{kind}"' in context["body"]
    )
    script = f'<script type="module" src="{context["pathto"](f"{PLACE}/mount.js", 1)}"></script>'
    context["metatags"] = context.get("metatags", "") + styles + script


def copy(app: Sphinx, exception: Exception | None) -> None:
    """Copy the modules beside the site's static files."""
    if exception is None and app.builder.format == "html":
        shutil.copytree(WIDGETS, Path(app.outdir) / PLACE, dirs_exist_ok=True)


def setup(app: Sphinx) -> dict[str, Any]:
    """Sphinx entry point."""
    app.connect("html-page-context", add_to_page)
    app.connect("build-finished", copy)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
