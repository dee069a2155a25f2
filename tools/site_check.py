"""Check a built site as files: `python3 tools/site_check.py [FOLDER]`.

Every page's links and resources must lead to a file (and an anchor) of the site itself. Addresses
elsewhere are for `<a href>` alone: nothing a page needs in order to be shown may come from the network.
What scripts fetch while they run is the browser tests' business.
"""

from __future__ import annotations

import re
import sys
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urldefrag, urlsplit

from project import SITE, say

LOADED = {
    "script": ("src",),
    "img": ("src", "srcset"),
    "link": ("href",),
    "iframe": ("src",),
    "source": ("src", "srcset"),
    "video": ("src", "poster"),
    "audio": ("src",),
    "object": ("data",),
    "embed": ("src",),
}
NOT_LOADED_LINKS = {"canonical", "next", "prev", "search", "index", "author", "license", "edit"}


class Page(HTMLParser):
    """The ids of a page, what it loads and where it links to."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.ids: set[str] = set()
        self.loads: list[str] = []
        self.links: list[str] = []
        self.images_without_alt: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Note ids, links and resources of one tag."""
        values = {key: value or "" for key, value in attrs}
        for key in ("id", "name"):
            if key in values:
                self.ids.add(values[key])
        if tag == "a" and "href" in values:
            self.links.append(values["href"])
        if tag == "img" and "alt" not in values:
            self.images_without_alt.append(values.get("src", "?")[:60])
        if tag == "link" and NOT_LOADED_LINKS & set(values.get("rel", "").split()):
            return
        for key in LOADED.get(tag, ()):
            if values.get(key):
                parts = [values[key]]
                if key == "srcset":
                    parts = [part.split()[0] for part in values[key].split(",")]
                self.loads.extend(parts)


def problems(site: Path) -> list[str]:
    """One line for each link or resource that leads nowhere or off the site."""
    pages = {
        path: Page(path.read_text(encoding="utf-8", errors="replace"))
        for path in sorted(site.rglob("*.html"))
        if "_static" not in path.relative_to(site).parts
    }
    found = []
    for path, page in pages.items():
        name = path.relative_to(site)
        found += [f"{name}: image without alt text: {src}" for src in page.images_without_alt]
        for address in page.loads:
            if _is_outside(address):
                found.append(f"{name}: loads {address} from the network")
            else:
                found += _dead(site, path, address, pages, name)
        for address in page.links:
            if not _is_outside(address):
                found += _dead(site, path, address, pages, name)
    for sheet in sorted(site.rglob("*.css")):
        for address in re.findall(r"url\(\s*['\"]?([^'\")]+)", sheet.read_text(errors="replace")):
            if urlsplit(address).scheme in ("http", "https") or address.startswith("//"):
                found.append(f"{sheet.relative_to(site)}: loads {address} from the network")
    return found


def _is_outside(address: str) -> bool:
    parts = urlsplit(address)
    return bool(parts.netloc) or parts.scheme in ("http", "https", "mailto", "javascript")


def _dead(site: Path, path: Path, address: str, pages: dict[Path, Page], name: Path) -> list[str]:
    if urlsplit(address).scheme == "data":
        return []
    plain, fragment = urldefrag(address)
    plain = unquote(urlsplit(plain).path)
    target = (path.parent / plain).resolve() if plain else path
    if plain.startswith("/"):
        return [f"{name}: {address} is an absolute path; the site may be served from a folder"]
    if target.is_dir():
        target = target / "index.html"
    if not target.exists():
        return [f"{name}: {address} leads nowhere"]
    known = pages.get(target) or pages.get(site / target.name)
    if fragment and fragment not in ("", "top") and known and unquote(fragment) not in known.ids:
        return [f"{name}: {address}: no such anchor"]
    return []


def main() -> int:
    """Print what is wrong with the site; exit status 1 if anything is."""
    site = Path(sys.argv[1]) if len(sys.argv) > 1 else SITE
    if not (site / "index.html").exists():
        say(f"{site} has no index.html: build the site first with `make book`.")
        return 2
    found = problems(site.resolve())
    for line in found:
        say(line)
    return 1 if found else 0


if __name__ == "__main__":
    raise SystemExit(main())
