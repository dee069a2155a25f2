"""Check the links between the book's sources: `python3 tools/links.py`. Part of `make check`.

The strict build finds a link to a section that does not exist, too, but only after every chapter has run.
A section's name in a link is its heading's, as MyST makes it (`myst_heading_anchors` in `_config.yml`); a
label above the heading, `(label)=`, is for {ref} and for a link without a file.
"""

from __future__ import annotations

import os
import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from project import ROOT, say

FENCE = re.compile(r"^(`{3,}|~{3,}|:{3,}).*?^\1", re.MULTILINE | re.DOTALL)
HEADING = re.compile(r"^(#{1,3}) +(.+?)\s*#*$", re.MULTILINE)
LINK = re.compile(r"\]\(([^()\s:]+\.md)(?:#([^()\s]+))?\)")


def main() -> int:
    """Say which links lead nowhere; exit status 1 if any does."""
    found = problems(ROOT)
    say("\n".join(found) or "check: links between the book's pages")
    return 1 if found else 0


def problems(root: Path) -> list[str]:
    """One line for each link of the book's Markdown to a file or a section that is not there."""
    pages = [
        path for folder in ("book", "notebooks") for path in sorted((root / folder).glob("*.md"))
    ]
    return [line for page in pages for line in _dead(page, root)]


def _dead(page: Path, root: Path) -> Iterator[str]:
    text = page.read_text(encoding="utf-8")
    for link in LINK.finditer(text):
        file, section = link[1], link[2]
        target = Path(os.path.normpath(page.parent / file))
        where = f"{page.relative_to(root)}:{text.count(chr(10), 0, link.start()) + 1}"
        if not target.is_file():
            yield f"{where}: no file {file}"
        elif section and section not in sections(target.read_text(encoding="utf-8")):
            yield f"{where}: no heading in {target.name} is called #{section} in a link"


def sections(text: str) -> set[str]:
    """The names that a page's headings (up to the third level) have in links."""
    seen: Counter[str] = Counter()
    names = set()
    for heading in HEADING.finditer(FENCE.sub("", text)):
        plain = re.sub(r"\[([^\]]*)\]\([^)]*\)|\{\w+\}", r"\1", heading[2])
        name = re.sub(r"[^\w\- ]", "", plain.lower()).replace(" ", "-")
        names.add(f"{name}-{seen[name]}" if seen[name] else name)
        seen[name] += 1
    return names


if __name__ == "__main__":
    raise SystemExit(main())
