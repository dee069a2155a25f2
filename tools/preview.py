"""Build one page as it will look in the book, executed anew: `make preview CH=06_lost_update`.

For whoever writes a chapter: seconds, not minutes, and a chapter of somebody else's that fails is not in the way.
Links to other pages lead nowhere here; the real build (`make book`) checks them.
"""

from __future__ import annotations

import argparse
import os
import re
import subprocess
import sys
import time
from pathlib import Path

import assets
from project import BUILD, ROOT, fail, only_one, python_of, remove, say

from book import SHOWN, environment

FOLDERS = ("notebooks", "book")


def main(arguments: list[str] | None = None) -> int:
    """Execute and build the page; say how long its cells took, and what failed."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("page", help="file stem of a page in notebooks/ or book/")
    parser.add_argument("--cores", help="run pinned to these, e.g. 0 (as taskset -c)")
    chosen = parser.parse_args(arguments)
    page = found(chosen.page)
    if chosen.cores:
        os.sched_setaffinity(0, {int(core) for core in chosen.cores.split(",")})
    assets.main()
    place = BUILD / "preview" / page.stem
    with only_one(f"preview-{page.stem}"):
        remove(place / "cache")
        remove(place / "_build")
        place.mkdir(parents=True, exist_ok=True)
        config, toc = place / "_config.yml", place / "_toc.yml"
        text = (ROOT / "_config.yml").read_text(encoding="utf-8")
        cache = (place / "cache").relative_to(ROOT)
        config.write_text(text.replace("_build/.jupyter_cache", str(cache)), encoding="utf-8")
        name = page.relative_to(ROOT).with_suffix("")
        toc.write_text(f"format: jb-book\nroot: {name}\n", encoding="utf-8")
        status, seconds = build(place, config, toc)
    html = place / "_build/html" / name.with_suffix(".html")
    if status != 0 or not html.exists():
        show_reports(place)
        fail(f"{page.name} was not built (above).")
    failed = show_reports(place)
    say(f"{html.relative_to(ROOT)}: {seconds:.1f} s in all")
    return 1 if failed else 0


def found(stem: str) -> Path:
    """The page's file; where there is none, the sentence names those that are there."""
    pages = {path.stem: path for folder in FOLDERS for path in (ROOT / folder).glob("*.md")}
    if Path(stem).stem not in pages:
        fail(f"there is no page {stem!r}; there are: {', '.join(sorted(pages))}.")
    return pages[Path(stem).stem]


def build(place: Path, config: Path, toc: Path) -> tuple[int, float]:
    """Run jupyter-book on this page alone; show its warnings but for links that lead to other pages."""
    begin = time.monotonic()
    command = [str(python_of("book").with_name("jupyter-book")), "build", str(ROOT)]
    command += ["--config", str(config), "--toc", str(toc), "--path-output", str(place)]
    done = subprocess.run(
        command,
        cwd=ROOT,
        env={**environment(), "PYTHONPATH": str(ROOT / "book/_ext")},
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        start_new_session=True,
    )
    elsewhere = re.compile(
        r"cross-reference target not found|undefined label|unknown document|nonexisting document|Unknown source document|term not in glossary"
    )
    for line in done.stdout.splitlines():
        plain = re.sub(r"\x1b\[[0-9;]*[mK]", "", line)
        if SHOWN.search(plain) and not elsewhere.search(plain):
            say(f"  {plain.replace(str(ROOT) + '/', '')}")
    (place / "build.log").write_text(done.stdout, encoding="utf-8")
    return done.returncode, time.monotonic() - begin


def show_reports(place: Path) -> bool:
    """Print the traceback of a cell that failed; whether there was one."""
    reports = list((place / "_build/html/reports").rglob("*.err.log"))
    for report in reports:
        say(report.read_text(encoding="utf-8")[-4000:])
    return bool(reports)


if __name__ == "__main__":
    sys.exit(main())
