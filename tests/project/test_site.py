"""The built site as files, the checker that reads it, and the welcome page's figure. Builds nothing."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[2]
SITE = ROOT / "_build/html"
RECORD = ROOT / "notebooks/recorded/welcome.jsonl"
sys.path.insert(0, str(ROOT / "tools"))

import links  # noqa: E402
import site_check  # noqa: E402


@pytest.fixture(scope="module")
def site() -> Path:
    """The built site."""
    if not (SITE / "index.html").exists():
        pytest.fail("there is no built site: run `make book` first")
    return SITE


def test_site_is_closed_in_itself(site: Path) -> None:
    assert site_check.problems(site) == []


def test_what_style_sheets_ask_for_is_there(site: Path) -> None:
    """Fonts and images that only some pages need: a browser asks for them late, or never."""
    missing = [
        f"{sheet.relative_to(site)}: {address}"
        for sheet in sorted((site / "_static").rglob("*.css"))
        for address in re.findall(r"url\(\s*['\"]?([^'\")]+)", sheet.read_text(encoding="utf-8"))
        if not address.startswith(("data:", "#", "%23"))
        and not (sheet.parent / address.split("?")[0].split("#")[0]).exists()
    ]
    assert missing == []


@pytest.fixture(scope="module")
def small_site(site: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The welcome page of the real site with all it loads; links to other pages taken out."""
    place = tmp_path_factory.mktemp("site")
    shutil.copytree(site / "_static", place / "_static")
    (place / "book").mkdir()
    for name in ("searchindex.js", "search.html", "genindex.html"):
        shutil.copy(site / name, place / name)
    for page in ("book/index.html", "search.html", "genindex.html"):
        text = (site / page).read_text(encoding="utf-8")
        (place / page).write_text(re.sub(r'<a [^>]*href="[^"]*"', "<a", text), encoding="utf-8")
    (place / "_sources").mkdir()
    assert site_check.problems(place) == []
    return place


FAULTS = {
    "dead link": ('<a href="nowhere.html">x</a>', "nowhere.html leads nowhere"),
    "dead anchor": ('<a href="../search.html#nothing">x</a>', "no such anchor"),
    "absolute path": ('<a href="/book/index.html">x</a>', "absolute path"),
    "script from the network": (
        '<script src="https://example.org/x.js"></script>',
        "loads https://example.org/x.js from the network",
    ),
    "style without a scheme": (
        '<link rel="stylesheet" href="//example.org/x.css">',
        "loads //example.org/x.css from the network",
    ),
    "image without words": ('<img src="../_static/logo.svg">', "image without alt text"),
    "missing image": ('<img src="gone.svg" alt="a figure">', "gone.svg leads nowhere"),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_checker_finds_a_planted_fault(small_site: Path, fault: str) -> None:
    planted, said = FAULTS[fault]
    page = small_site / "book/index.html"
    sound = page.read_text(encoding="utf-8")
    page.write_text(sound.replace("</body>", f"{planted}</body>"), encoding="utf-8")
    try:
        found = site_check.problems(small_site)
    finally:
        page.write_text(sound, encoding="utf-8")

    assert len(found) == 1
    assert said in found[0]
    assert found[0].startswith("book/index.html")


def test_checker_finds_a_style_sheet_that_asks_the_network(small_site: Path) -> None:
    sheet = small_site / "_static/planted.css"
    sheet.write_text("@font-face { src: url(https://example.org/font.woff2) }")
    try:
        found = site_check.problems(small_site)
    finally:
        sheet.unlink()

    assert found == ["_static/planted.css: loads https://example.org/font.woff2 from the network"]


def test_welcome_page_has_its_figure_exactly_if_it_was_recorded(site: Path) -> None:
    text = (site / "book/index.html").read_text(encoding="utf-8")

    assert ('class="rl-hook"' in text) == RECORD.exists()


DRAW = """
import sys
from pathlib import Path
sys.path.insert(0, sys.argv[1])
import welcome
try:
    print(welcome.figure(welcome.read(Path(sys.argv[2]))))
except welcome.RecordError as problem:
    print(problem, file=sys.stderr)
    raise SystemExit(3)
"""
Draw = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture
def draw(tmp_path: Path) -> Draw:
    """Draw the figure of the welcome page from two records, on the interpreter that builds the book."""
    python = ROOT / ".venv-book/bin/python"
    if not python.exists():
        pytest.fail("there is no book environment: run `make book` first")

    def run(*records: dict[str, Any]) -> subprocess.CompletedProcess[str]:
        place = tmp_path / "welcome.jsonl"
        if records:
            place.write_text("".join(json.dumps(one) + "\n" for one in records))
        command = [str(python), "-c", DRAW, str(ROOT / "book/_ext"), str(place)]
        return subprocess.run(command, capture_output=True, text=True, timeout=60)

    return run


def record(series: str, failed: int, trials: int = 2000, **others: Any) -> dict[str, Any]:
    """A record with made-up numbers, for the drawing alone."""
    made_up = {"label": f"<{series}>", "machine": "a & b", "python": "3.13", "date": "2026-01-02"}
    return {
        "series": series, "trials": trials, "failed": failed, "seconds": 0.0009, "bound": 0.0015,
        **made_up, **others,
    }  # fmt: skip


@pytest.mark.parametrize(
    ("trials", "failed"), [(2000, 431), (2000, 2000), (1999, 1), (81, 80), (7, 3)]
)
def test_figure_has_one_cell_per_trial(draw: Draw, trials: int, failed: int) -> None:
    done = draw(record("recipe", 0, trials), record("racelab", failed, trials))
    assert done.returncode == 0, done.stderr
    second = done.stdout.split("rl-hook__panel")[3]

    assert cells(second, "racelab-failed") == failed
    assert cells(second, "racelab-passed") == trials - failed
    assert f"{failed:,} of {trials:,} trials failed" in second


def cells(drawing: str, kind: str) -> int:
    """How many cells the region of one kind covers (10 by 10 units each)."""
    path = re.search(rf'fill="url\(#hook-{kind}\)" d="([^"]*)"', drawing)
    assert path is not None
    return sum(int(w) * int(h) for w, h in re.findall(r"h(\d+)v(\d+)", path[1])) // 100


def test_figure_says_what_zero_means_and_escapes_what_it_is_given(draw: Draw) -> None:
    done = draw(record("racelab", 431), record("recipe", 0))

    assert "0 of 2,000 trials failed" in done.stdout
    assert "below 0.15&nbsp;%" in done.stdout
    assert "&lt;recipe&gt;" in done.stdout
    assert "<recipe>" not in done.stdout
    assert done.stdout.index("hook-recipe") < done.stdout.index("hook-racelab")


@pytest.mark.parametrize(
    ("records", "said"),
    [
        ([], "is missing: run `make record`"),
        ([record("recipe", 0)], "no series 'racelab'"),
        ([record("recipe", 2001)], "2001 failures of 2000 trials"),
        ([record("recipe", 0, bound=None)], "needs a bound"),
        ([record("recipe", 0, machine=None)], "machine is None"),
        ([record("other", 0)], "series has to be one of recipe, racelab"),
    ],
    ids=["missing", "one-series", "more-than-all", "no-bound", "no-machine", "unknown"],
)
def test_bad_record_is_one_sentence(draw: Draw, records: list[dict[str, Any]], said: str) -> None:
    done = draw(*records)

    assert done.returncode == 3
    assert said in done.stderr
    assert "make record" in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1


def test_links_between_sources_lead_to_files_and_headings() -> None:
    assert links.problems(ROOT) == []


def test_a_link_that_leads_nowhere_is_named_before_anything_is_built(tmp_path: Path) -> None:
    for folder in ("book", "notebooks"):
        (tmp_path / folder).mkdir()
    (tmp_path / "book/map.md").write_text(
        "(zoo)=\n## The bug `zoo`, and why?\n\n```c\n# not a heading\n```\n## Twice\n## Twice\n"
        "[right](map.md#twice-1) [out](https://example.org/x.md#y)\n",
        encoding="utf-8",
    )
    (tmp_path / "notebooks/01_a.md").write_text(
        "# A\n[a](../book/map.md#the-bug-zoo-and-why) [b](../book/map.md#zoo)\n"
        "[c](../book/gone.md) [d](../book/map.md#not-a-heading)\n[e](01_a.md#a)\n",
        encoding="utf-8",
    )

    assert links.problems(tmp_path) == [
        "notebooks/01_a.md:2: no heading in map.md is called #zoo in a link",
        "notebooks/01_a.md:3: no file ../book/gone.md",
        "notebooks/01_a.md:3: no heading in map.md is called #not-a-heading in a link",
    ]
