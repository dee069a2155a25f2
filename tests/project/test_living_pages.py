"""Pages of the built site that have living figures: what they weigh, how soon they are drawn, what they leave out."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from urllib.parse import unquote

import _browser as web
import pytest
import yaml
from playwright.sync_api import Browser, Page

pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(web.CHROMIUM is None, reason=web.NO_CHROMIUM),
]

HEAVIEST = 1_500_000
"""Bytes of a page's own, before compression."""
SLOWEST_MS = 100.0
LOADS = 3
FEWEST_CHAPTERS = 9
PARTS = ("I", "II", "III", "IV")

FIGURE = re.compile(r'<figure\b[^>]*\bdata-living="(\w+)"')
MANAGER = re.compile(
    r"_static/vendor/(?:require|widget-paths|embed-amd|libembed-amd|anywidget)\.js"
)
WIDGET = "application/vnd.jupyter.widget-view+json"


def read(name: str) -> str:
    """A page of the site."""
    return (web.SITE / name).read_text(encoding="utf-8")


def pages() -> list[str]:
    """Every page of the site, as its address; none where there is no site."""
    found = (path.relative_to(web.SITE) for path in sorted(web.SITE.rglob("*.html")))
    return [str(path) for path in found if not path.parts[0].startswith(("_", "reports"))]


PAGES = pages()
LIVING = [name for name in PAGES if FIGURE.search(read(name))]


def own(path: str) -> bool:
    """Whether a file is the page's: not the theme's, Sphinx's, of the search, of the maths engine, or a font."""
    if path == "searchindex.js" or path.endswith((".woff2", ".woff", ".ttf")):
        return False
    if path.startswith("_static/vendor/"):
        return not path.startswith(("_static/vendor/mathjax/", "_static/vendor/fontawesome/"))
    if path.startswith("_static/"):
        return path.startswith("_static/living/") or (web.ROOT / "book" / path).is_file()
    return True


@dataclass
class Visit:
    """A page that was loaded some times and printed: all that the checks below ask about."""

    name: str
    files: set[str] = field(default_factory=set)
    ms: dict[str, list[float]] = field(default_factory=dict)
    problems: list[str] = field(default_factory=list)
    printed: dict[str, tuple[bool, bool]] = field(default_factory=dict)
    complaints: list[str] = field(default_factory=list)


@pytest.fixture(scope="module", params=LIVING)
def visit(request: pytest.FixtureRequest, browser: Browser, site: str) -> Visit:
    """Load the page three times, and look at it as it would be printed."""
    seen = Visit(request.param)
    with web.offline(browser, site) as (context, watch):
        requested: set[str] = set()
        context.on("request", lambda asked: requested.add(asked.url))
        page = context.new_page()
        for _ in range(LOADS):
            page.goto(f"{site}{seen.name}")
            page.wait_for_load_state("load")
            look(page, seen)
        requested |= set(
            page.evaluate(
                "() => [...document.images].map((one) => one.src).filter((src) => src.startsWith(location.origin))"
            )
        )
        page.emulate_media(media="print")
        seen.printed = {
            name: (still, alive)
            for name, still, alive in page.evaluate(
                """() => [...document.querySelectorAll('[data-living]')].map((one) => [one.id,
                  getComputedStyle(one.querySelector('.rl-still')).display !== 'none'
                    && one.querySelector('.rl-still').childElementCount > 0,
                  [...one.querySelectorAll('.rl-living')].some((e) => getComputedStyle(e).display !== 'none')])"""
            )
        }
    seen.files = {
        unquote(re.split(r"[?#]", url.removeprefix(site))[0])
        for url in requested
        if url.startswith(site)
    }
    seen.complaints = watch.outside + watch.failed + watch.messages
    return seen


def look(page: Page, seen: Visit) -> None:
    """Wait until every figure is drawn, or has said why not; note how long it took."""
    figures = page.locator("[data-living]")
    page.wait_for_function(
        "() => [...document.querySelectorAll('[data-living]')].every((one) => one.dataset.ms || one.dataset.problem)"
    )
    for one in figures.all():
        name = one.get_attribute("id") or "a figure without a name"
        if problem := one.get_attribute("data-problem"):
            seen.problems.append(f"{name}: {problem}")
        seen.ms.setdefault(name, []).append(float(one.get_attribute("data-ms") or "inf"))


# -- The site ----------------------------------------------------------------------------------------------------


@pytest.mark.usefixtures("site")
def test_nine_chapters_are_played_with() -> None:
    toc = yaml.safe_load((web.ROOT / "_toc.yml").read_text(encoding="utf-8"))
    chapters = [
        f"{chapter['file']}.html"
        for part in toc["parts"]
        if part["caption"].split(" ")[0] in PARTS
        for chapter in part["chapters"]
    ]
    assert len(chapters) >= FEWEST_CHAPTERS, "the parts have other names?"
    alive = [name for name in chapters if name in LIVING]
    still = sorted(set(chapters) - set(alive))
    assert len(alive) >= FEWEST_CHAPTERS, f"no living figure in {', '.join(still)}"


@pytest.mark.usefixtures("site")
def test_modules_are_loaded_where_a_figure_is_and_nowhere_else() -> None:
    loaded = [name for name in PAGES if "_static/living/mount.js" in read(name)]
    assert loaded == LIVING


@pytest.mark.usefixtures("site")
def test_styles_and_modules_are_those_of_the_figures_there() -> None:
    """A page asks for those that it needs, and each is there."""
    for name in LIVING:
        kinds = set(FIGURE.findall(read(name)))
        asked = set(re.findall(r'_static/living/(\w+)\.(?:js|css)"', read(name)))
        assert kinds <= asked <= kinds | {"base", "mount"}, name
        for kind in asked:
            assert (web.SITE / f"_static/living/{kind}.js").is_file(), name


@pytest.mark.usefixtures("site")
def test_the_widget_manager_comes_with_widgets_only() -> None:
    """It weighs more than all the rest of a page."""
    managed = [name for name in PAGES if MANAGER.search(read(name))]
    assert [name for name in managed if WIDGET not in read(name)] == []


@pytest.mark.usefixtures("site")
def test_names_of_figures_are_unique_on_their_page() -> None:
    """Links to a view, and the times below, go by them."""
    for name in LIVING:
        figures = re.findall(r'<figure\b[^>]*\bid="([^"]+)"[^>]*\bdata-living=', read(name))
        assert len(figures) == len(set(figures)) == len(FIGURE.findall(read(name))), name


# -- Each of its pages that has a figure -------------------------------------------------------------------------


def test_a_page_is_light(visit: Visit) -> None:
    weights = {
        path: (web.SITE / path).stat().st_size
        for path in visit.files
        if own(path) and (web.SITE / path).is_file()
    }
    assert visit.name in weights
    assert "_static/living/base.js" in weights
    heaviest = sorted(weights.items(), key=lambda one: -one[1])[:5]
    print(f"{visit.name}: {sum(weights.values()):,} bytes")
    assert sum(weights.values()) < HEAVIEST, f"{sum(weights.values()):,} bytes; most: {heaviest}"


def test_every_figure_is_drawn_soon(visit: Visit) -> None:
    """The best of three, as others use this machine, too."""
    best = {name: min(times) for name, times in visit.ms.items()}
    print(f"{visit.name}: {best}")
    assert best
    assert {name: ms for name, ms in best.items() if not ms < SLOWEST_MS} == {}


def test_no_figure_has_a_problem(visit: Visit) -> None:
    assert visit.problems == []
    assert visit.complaints == []


def test_no_widget_manager_is_fetched_without_widgets(visit: Visit) -> None:
    if WIDGET not in read(visit.name):
        assert [path for path in visit.files if MANAGER.search(path)] == []


def test_paper_gets_the_still_pictures(visit: Visit) -> None:
    assert visit.printed.keys() == visit.ms.keys()
    assert {name: one for name, one in visit.printed.items() if one != (True, False)} == {}
