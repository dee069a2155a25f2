"""Pages of the built site that have living figures: what they weigh, how soon they are drawn, what they leave out."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import unquote

import _browser as web
import _figures
import pytest
import yaml
from playwright.sync_api import Browser, Page, expect

from racelab import living
from racelab.recording import recorded

pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(web.CHROMIUM is None, reason=web.NO_CHROMIUM),
]

HEAVIEST = 1_500_000
"""Bytes of a page's own, before compression."""
SLOWEST_MS = 100.0
LOADS, MOST_LOADS = 3, 12
"""How often a page is loaded; oftener only where a figure was slow each time, as others use this machine, too."""
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


def chapters(*parts: str) -> list[str]:
    """Pages of the parts with these numbers; of all parts, where none is given."""
    toc = yaml.safe_load((web.ROOT / "_toc.yml").read_text(encoding="utf-8"))
    return [
        f"{chapter['file']}.html"
        for part in toc["parts"]
        if not parts or part["caption"].split(" ")[0] in parts
        for chapter in part["chapters"]
    ]


WEIGHED = sorted({*LIVING, *chapters()})
PLAYED = {
    "explorer": ("button[aria-expanded]", "Enter"),
    "interleaver": ("button[aria-keyshortcuts='A']", "Enter"),
    "planner": ("input[type=range]", "ArrowRight"),
    "scan": ("input[type=range]", "ArrowRight"),
    "timeline": ("input[type=range]", "ArrowRight"),
    "zoo": ("input[type=radio]:checked", "ArrowRight"),
}
"""What a key does something to, in each kind of figure, and the key."""


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

    def slow(self) -> dict[str, float]:
        """Figures that were drawn too late each time, and the best time of each."""
        best = {name: min(times) for name, times in self.ms.items()}
        return {name: ms for name, ms in best.items() if not ms < SLOWEST_MS}


@pytest.fixture(scope="module")
def visit(request: pytest.FixtureRequest, browser: Browser, site: str) -> Visit:
    """Load the page some times, and look at it as it would be printed."""
    seen = Visit(request.param)
    with web.offline(browser, site) as (context, watch):
        requested: set[str] = set()
        context.on("request", lambda asked: requested.add(asked.url))
        page = context.new_page()
        for load in range(MOST_LOADS):
            if load >= LOADS and not seen.slow():
                break
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
    asked = chapters(*PARTS)
    assert len(asked) >= FEWEST_CHAPTERS, "the parts have other names?"
    alive = [name for name in asked if name in LIVING]
    still = sorted(set(asked) - set(alive))
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


@pytest.mark.parametrize("kind", PLAYED)
def test_a_figure_of_each_kind_takes_a_key(browser: Browser, site: str, kind: str) -> None:
    """Where it is first on the site, with the page's own styles and scripts around it."""
    name = next((name for name in LIVING if f'data-living="{kind}"' in read(name)), None)
    assert name, f"no page has a figure of the kind {kind}"
    with web.quiet(browser, site) as page:
        page.goto(f"{site}{name}")
        play(page, kind)


def test_all_kinds_are_played() -> None:
    modules = {path.stem for path in living.WIDGETS.glob("*.js")} - {"base", "mount"}
    assert set(PLAYED) == modules


def play(page: Page, kind: str) -> None:
    """Press a key in the first figure of a kind: what it shows changes."""
    figure = page.locator(f"figure[data-ms][data-living={kind}]").first
    figure.wait_for()
    shown = figure.locator(".rl-living")
    before = shown.text_content() or ""
    control, key = PLAYED[kind]
    figure.locator(control).first.focus()
    page.keyboard.press(key)
    expect(shown).not_to_have_text(before, use_inner_text=False)


# -- Each of its pages that has a figure -------------------------------------------------------------------------


@pytest.mark.parametrize("visit", WEIGHED, indirect=True)
def test_a_page_is_light(visit: Visit) -> None:
    """Every chapter, with figures or without."""
    weights = {
        path: (web.SITE / path).stat().st_size
        for path in visit.files
        if own(path) and (web.SITE / path).is_file()
    }
    assert visit.name in weights
    assert ("_static/living/base.js" in weights) == (visit.name in LIVING)
    heaviest = sorted(weights.items(), key=lambda one: -one[1])[:5]
    print(f"{visit.name}: {sum(weights.values()):,} bytes")
    assert sum(weights.values()) < HEAVIEST, f"{sum(weights.values()):,} bytes; most: {heaviest}"


@pytest.mark.parametrize("visit", LIVING, indirect=True)
def test_every_figure_is_drawn_soon(visit: Visit) -> None:
    """In the best of some loads."""
    print(f"{visit.name}: {visit.ms}")
    assert visit.ms
    assert visit.slow() == {}


@pytest.mark.parametrize("visit", LIVING, indirect=True)
def test_no_figure_has_a_problem(visit: Visit) -> None:
    assert visit.problems == []
    assert visit.complaints == []


@pytest.mark.parametrize("visit", LIVING, indirect=True)
def test_no_widget_manager_is_fetched_without_widgets(visit: Visit) -> None:
    if WIDGET not in read(visit.name):
        assert [path for path in visit.files if MANAGER.search(path)] == []


@pytest.mark.parametrize("visit", LIVING, indirect=True)
def test_paper_gets_the_still_pictures(visit: Visit) -> None:
    assert visit.printed.keys() == visit.ms.keys()
    assert {name: one for name, one in visit.printed.items() if one != (True, False)} == {}


# -- What figures of one page have to do with each other, and with the page: on small pages of their own ---------


def three() -> list[living.Living]:
    """Figures that draw later, at once, and with a picture that is taller than the figure."""
    spans = [{"thread": "A", "state": "attached", "start_ns": 0, "end_ns": 5_000_000}]
    return [
        living.timeline({"one": spans, "two": spans}, name="first"),
        living.planner(0.01, name="second"),
        living.planner(0.001, unit="round", name="third"),
    ]


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A page with three figures, far apart; and one whose state wants to be markup."""
    folder = tmp_path_factory.mktemp("small")
    names = ("<!--<script>", "</script><b>bold</b>", "a ]]> b")
    rates = [{"name": name, "p": 0.1} for name in names]
    figures = {"index": three(), "markup": living.planner(presets=rates)}
    with _figures.pages(
        folder, figures, more="padding-bottom: 1200px; & .text_html > p { margin-bottom: 1200px; }"
    ) as address:
        yield address


def drawn(page: Page, figures: int) -> None:
    """Wait until all figures of a page are there."""
    expect(page.locator("figure[data-ms]")).to_have_count(figures)


def test_no_name_swallows_the_page(browser: Browser, small: str) -> None:
    with web.quiet(browser, small) as page:
        page.goto(f"{small}markup.html")
        drawn(page, 1)
        options = page.get_by_role("combobox", name="Recorded").locator("option")
        expect(options).to_have_text(
            [
                "a rate of your own",
                "<!--<script>: 10\u00a0%",
                "</script><b>bold</b>: 10\u00a0%",
                "a ]]> b: 10\u00a0%",
            ]
        )
        expect(page.locator("b")).to_have_count(0)


def test_a_link_leads_to_its_figure_when_that_is_drawn(browser: Browser, small: str) -> None:
    with web.quiet(browser, small) as page:
        page.goto(f"{small}index.html#third=0.01,0.9,229")
        drawn(page, 3)
        third = page.locator("#third .rl-drawn svg")
        expect(third).to_be_in_viewport(ratio=1)
        assert in_the_middle(page, "third")
        expect(page.locator("#first .rl-tl-drawn svg")).not_to_be_in_viewport()
        page.evaluate("() => { location.hash = 'first=two.1000.0.5000'; }")
        expect(page.locator("#first .rl-tl-drawn svg")).to_be_in_viewport(ratio=1)


def in_the_middle(page: Page, name: str) -> bool:
    """Whether a figure stands in the middle of the window, as far as it fits, and stays."""
    page.wait_for_timeout(200)
    return bool(
        page.evaluate(
            """(name) => {
              const { top, bottom } = document.getElementById(name).getBoundingClientRect();
              return Math.abs((top + bottom) / 2 - innerHeight / 2) < 3;
            }""",
            name,
        )
    )


def test_a_link_keeps_what_others_of_the_page_show(browser: Browser, small: str) -> None:
    with web.quiet(browser, small) as page:
        page.goto(f"{small}index.html#a-heading")
        drawn(page, 3)
        page.locator("#first").get_by_role("radio", name="two").check()
        page.locator("#first").get_by_role("button", name="Link to this").click()
        page.locator("#third").get_by_role("slider", name="Number of rounds").press("Home")
        page.locator("#third").get_by_role("button", name="Link to this").click()
        address = page.url
        assert re.search(r"#third=[^&]*&first=two[^&]*$", address)
        page.goto("about:blank")
        page.goto(address)
        drawn(page, 3)
        expect(page.locator("#first").get_by_role("radio", name="two")).to_be_checked()
        number = page.locator("#third").get_by_role("slider", name="Number of rounds")
        expect(number).to_have_attribute("aria-valuetext", "1")
        assert in_the_middle(page, "third")


def test_the_time_to_draw_has_the_first_picture_in_it(browser: Browser, small: str) -> None:
    """A figure says that it is drawn when its picture is there, not a frame before."""
    with web.quiet(browser, small) as page:
        page.add_init_script(
            """new MutationObserver((all) => all.forEach(({ target, attributeName }) => {
                 if (attributeName === 'data-ms') target.dataset.pictures = target.querySelectorAll('.rl-living svg[role]').length;
               })).observe(document, { attributes: true, subtree: true, attributeFilter: ['data-ms'] });
               window.requestAnimationFrame = (ask => (draw) => setTimeout(() => ask(draw), 500))(requestAnimationFrame);"""
        )
        page.goto(f"{small}index.html")
        drawn(page, 3)
        for name in ("first", "second", "third"):
            expect(page.locator(f"#{name}")).to_have_attribute("data-pictures", "1")


def test_a_figure_that_breaks_leaves_its_picture_and_the_others(
    browser: Browser, tmp_path: Path
) -> None:
    broken = living.Living("planner", {}, "It has no state.", "<svg></svg><p>still</p>", "broken")
    missing = living.Living("no_such", {}, "It has no module.", "<p>still, too</p>", "missing")
    shown = {"index": [broken, missing, living.planner()]}
    with (
        _figures.pages(tmp_path / "pages", shown) as base,
        web.offline(browser, base) as (context, _),
    ):
        page = context.new_page()
        page.goto(base)
        drawn(page, 1)
        expect(page.locator("figure[data-problem]")).to_have_count(2)
        expect(page.get_by_text("still", exact=True)).to_be_visible()
        expect(page.get_by_text("still, too")).to_be_visible()
        expect(page.locator(".rl-living")).to_have_count(1)


SHIFTS = """() => new Promise((go) => {
  let sum = 0;
  new PerformanceObserver((all) => all.getEntries().forEach(({ value }) => { sum += value; }))
    .observe({ type: 'layout-shift', buffered: true });
  setTimeout(() => go(sum), 300);
})"""
MOST_SHIFT = 0.05
"""What readers hardly notice: the sum of the browser's own layout-shift scores; a picture replaced by a taller figure has more."""


@pytest.fixture(scope="module")
def every(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A page for each of some figures, with text below."""
    rows = recorded("attached").rows("traces")
    ways = ("stays attached", "detaches", "GIL on")
    traces = {way: [row for row in rows if row["way"] == way] for way in ways}
    rates = {"presets": [{"name": "x", "p": 0.1}], "speeds": {"runs": 10, "rounds": 1e6}}
    shown = {
        "planner": living.planner(**rates),
        "scan": living.scan(),
        "timeline": living.timeline(traces, notes=dict.fromkeys(traces, "How it was made. " * 4)),
        "explorer": living.explorer("borrowed_ref"),
        "interleaver": living.interleaver("lazy_slot"),
        "zoo": living.zoo(),
    }
    after = living.planner(name="after")
    pages = {name: [figure, after] for name, figure in shown.items()}
    style = "max-width: 760px; & .text_html > p { margin: 0; height: 600px; }"
    with _figures.pages(tmp_path_factory.mktemp("every"), pages, more=style) as address:
        yield address


@pytest.mark.parametrize("width", web.WIDTHS)
@pytest.mark.parametrize("kind", PLAYED)
def test_a_figure_does_not_push_the_page_when_it_comes(
    browser: Browser, every: str, kind: str, width: int
) -> None:
    """However late: the page was painted before."""
    with web.offline(browser, every, width=width) as (context, _):
        page = context.new_page()
        page.set_viewport_size({"width": width, "height": 1500})
        late(page, 400)
        page.goto(f"{every}{kind}.html")
        drawn(page, 2)
        assert page.evaluate(SHIFTS) < MOST_SHIFT


def late(page: Page, ms: int) -> None:
    """Hold mount.js back, so that the page is painted without it."""
    page.route("**/mount.js", lambda route: (time.sleep(ms / 1000), route.fallback()))


@pytest.mark.parametrize("kind", PLAYED)
def test_a_figure_takes_a_key(browser: Browser, every: str, kind: str) -> None:
    with web.quiet(browser, every) as page:
        page.goto(f"{every}{kind}.html")
        play(page, kind)


def test_the_still_picture_is_not_seen_before_the_figure(browser: Browser, every: str) -> None:
    """There is no flash; but where no module comes, it is seen after a while."""
    with web.offline(browser, every) as (context, _):
        page = context.new_page()
        page.add_init_script(
            """const look = () => {
                 const still = document.querySelector('.rl-still');
                 if (still?.checkVisibility({ visibilityProperty: true })) window.flashed = true;
                 requestAnimationFrame(look);
               };
               look();"""
        )
        late(page, 400)
        page.goto(f"{every}planner.html")
        drawn(page, 2)
        assert page.evaluate("() => window.flashed") is None

        page.unroute("**/mount.js")
        page.route("**/mount.js", lambda route: route.abort())
        page.goto(f"{every}planner.html")
        expect(page.locator(".rl-still svg").first).to_be_visible()
