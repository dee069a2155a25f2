"""Serve what browsers need from the site itself: fonts, maths, the widget manager.

`tools/assets.py` assembles `_build/vendor/site`; this copies it to `_static/vendor`. It is not a folder of
`html_static_path`, because the theme loads nothing from there by itself and neither should we: a page
asks for MathJax or the widget manager only if it has formulas or widgets.
"""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

from sphinx.application import Sphinx
from sphinx.errors import ConfigError

VENDOR = Path(__file__).resolve().parents[2] / "_build/vendor"


def copy_vendor(app: Sphinx, exception: Exception | None) -> None:
    """Copy the vendored folder beside the site's own static files, once a build."""
    if exception is None and app.builder.format == "html":
        place = Path(app.outdir) / "_static/vendor"
        stamp = place / ".stamp"
        wanted = (VENDOR / ".stamp").read_text()
        if not stamp.exists() or stamp.read_text() != wanted:
            # Beside what is there: the theme keeps files of its own in the same folder.
            shutil.copytree(VENDOR / "site", place, dirs_exist_ok=True)
            stamp.write_text(wanted)


def check(_app: Sphinx, _config: object) -> None:
    """Say what to do when the assets were not brought."""
    if not (VENDOR / ".stamp").exists():
        raise ConfigError("The site's assets are missing: run `make book`, which brings them.")


def setup(app: Sphinx) -> dict[str, Any]:
    """Sphinx entry point."""
    app.connect("config-inited", check)
    app.connect("build-finished", copy_vendor)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
