"""The built site in a browser that reaches nothing but the site: what readers see, hear and can do."""

from __future__ import annotations

import functools
import json
import re
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import _browser as web
import nbformat
import pytest
import yaml
from playwright.sync_api import Browser, Page, expect

pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(web.CHROMIUM is None, reason=web.NO_CHROMIUM),
]

CONFIG = yaml.safe_load((web.ROOT / "_config.yml").read_text(encoding="utf-8"))
TOC = yaml.safe_load((web.ROOT / "_toc.yml").read_text(encoding="utf-8"))


def entries(node: Any) -> Iterator[str]:
    """Every `file` and `root` of the table of contents, in its order."""
    if isinstance(node, dict):
        for key, value in node.items():
            if key in ("file", "root"):
                yield value
            else:
                yield from entries(value)
    elif isinstance(node, list):
        for one in node:
            yield from entries(one)


FILES = list(entries(TOC))
PAGES = [*FILES, "search", "genindex"]
BACKGROUND = "() => getComputedStyle(document.body).backgroundColor"
CHAPTERS = [name for name in FILES if name.startswith("notebooks/")]


@pytest.fixture
def page(browser: Browser, site: str) -> Iterator[Page]:
    """A page in a context of its own; what it asks of the network fails the test."""
    with web.offline(browser, site) as (context, watch):
        yield context.new_page()
    assert watch.outside == []
    assert watch.failed == []
    assert watch.messages == []


@dataclass
class Visit:
    """One page of the site, seen in both modes and at every width: all that the checks below ask about."""

    name: str
    watch: web.Watch
    title: str = ""
    fonts: list[str] = field(default_factory=list)
    without_size: list[str] = field(default_factory=list)
    overflow: dict[int, list[str]] = field(default_factory=dict)
    violations: dict[tuple[str, int], list[str]] = field(default_factory=dict)
    background: dict[str, str] = field(default_factory=dict)


@pytest.fixture(scope="module", params=PAGES)
def visit(request: pytest.FixtureRequest, browser: Browser, site: str) -> Visit:
    """Load a page once, look at it in both modes and at every width."""
    name = request.param
    with web.offline(browser, site) as (context, watch):
        page = context.new_page()
        page.goto(f"{site}{name}.html")
        web.settle(page)
        seen = Visit(name, watch, title=page.title(), without_size=web.without_size(page))
        seen.fonts = page.evaluate(
            "() => [...document.fonts].filter((f) => f.status === 'loaded').map((f) => f.family)"
        )
        for width, height in web.WIDTHS.items():
            page.set_viewport_size({"width": width, "height": height})
            page.wait_for_timeout(400)  # the theme looks for what scrolls a moment after a resize
            seen.overflow[width] = web.overflow(page)
            for mode in web.MODES:
                page.emulate_media(color_scheme=mode)  # type: ignore[arg-type]
                page.wait_for_function(
                    "(mode) => document.documentElement.dataset.theme === mode", arg=mode
                )
                seen.background[mode] = page.evaluate(BACKGROUND)
                # Colours are all that a mode changes, and axe takes seconds for a long page.
                seen.violations[mode, width] = web.violations(page, colours_only=mode == "dark")
                web.picture(page, f"{name.replace('/', '-')}-{mode}-{width}")
    return seen


def test_no_request_leaves_the_site(visit: Visit) -> None:
    assert visit.watch.outside == []


def test_nothing_is_missing(visit: Visit) -> None:
    assert visit.watch.failed == []


def test_console_is_silent(visit: Visit) -> None:
    assert visit.watch.messages == []


def test_page_has_a_title_and_our_fonts(visit: Visit) -> None:
    assert CONFIG["title"] in visit.title
    assert any("Plex Sans" in family for family in visit.fonts)


def test_images_have_size(visit: Visit) -> None:
    assert visit.without_size == []


@pytest.mark.parametrize("width", web.WIDTHS)
def test_page_does_not_scroll_sideways(visit: Visit, width: int) -> None:
    assert visit.overflow[width] == []


@pytest.mark.parametrize("width", web.WIDTHS)
@pytest.mark.parametrize("mode", web.MODES)
def test_axe_finds_nothing(visit: Visit, mode: str, width: int) -> None:
    """Contrast, names, roles, landmarks, order: in both modes, on a desktop and on a phone."""
    assert visit.violations[mode, width] == []


def test_mode_of_the_system_is_taken(visit: Visit) -> None:
    brightness = {
        mode: sum(int(part) for part in colour.strip("rgb()").split(","))
        for mode, colour in visit.background.items()
    }
    assert brightness["light"] > 600 > 200 > brightness["dark"]


def test_front_page_leads_to_the_welcome_page(page: Page, site: str) -> None:
    page.goto(f"{site}index.html")
    page.wait_for_url(f"**/{TOC['root']}.html")


@pytest.mark.parametrize("name", PAGES)
def test_keyboard_reaches_everything(page: Page, site: str, name: str) -> None:
    """Tab goes to every control and link that is shown, in view and with a ring round it."""
    page.goto(f"{site}{name}.html")
    web.settle(page)
    # The theme's search page puts the cursor into its field: start from the top all the same.
    page.evaluate(
        "() => { document.activeElement.blur(); getSelection().collapse(document.body, 0); }"
    )

    seen = web.tab_through(page)

    assert seen, "Tab reaches nothing"
    assert "Skip to main content" in seen[0]["html"]
    assert [one["html"] for one in seen if not one["ring"]] == []
    assert [one["html"] for one in seen if not one["size"] or not one["onScreen"]] == []
    assert missed_by_keyboard(page) == []


def missed_by_keyboard(page: Page) -> list[str]:
    """Links and controls that are shown and had no turn."""
    missed: list[str] = page.evaluate(
        """() => [...document.querySelectorAll('a[href], button, input, summary, select, textarea')]
          .filter((e) => e.checkVisibility({visibilityProperty: true, opacityProperty: true}))
          .filter((e) => e.getBoundingClientRect().width > 1 && !e.disabled)
          // One member of a group of radio buttons has a turn; arrows do the rest.
          .filter((e) => e.type !== 'radio' || e.checked)
          // So does one of the zoo's bugs; its own tests go through the others by arrow keys.
          .filter((e) => e.tabIndex >= 0 || !e.closest('.rl-zoo')?.querySelector('a[tabindex="0"]'))
          .filter((e) => !e.dataset.seenByKeyboard && e.id !== 'pst-back-to-top')
          .map((e) => e.outerHTML.slice(0, 120))"""
    )
    return missed


def test_skip_link_skips(page: Page, site: str) -> None:
    page.goto(f"{site}{FILES[0]}.html")
    web.settle(page)
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    page.keyboard.press("Tab")

    assert page.evaluate("() => Boolean(document.activeElement.closest('main'))")


@pytest.mark.parametrize("mode", web.MODES)
def test_skip_link_can_be_read(browser: Browser, site: str, mode: str) -> None:
    """It is out of the window until it has the focus, and axe does not look at it there."""
    with web.quiet(browser, site, mode) as page:
        page.goto(f"{site}{FILES[0]}.html")
        web.settle(page)
        page.keyboard.press("Tab")
        expect(page.locator(".skip-link a")).to_be_focused()
        expect(page.locator(".skip-link a")).to_be_in_viewport(ratio=1)
        assert web.violations(page, colours_only=True) == []


def test_sidebar_opens_on_a_phone_by_keyboard(browser: Browser, site: str) -> None:
    with web.offline(browser, site, width=360) as (context, watch):
        page = context.new_page()
        page.goto(f"{site}{FILES[0]}.html")
        web.settle(page)
        link = page.locator(f"nav.bd-links a[href$='{FILES[1].split('/')[-1]}.html']").first
        assert not link.is_visible()
        page.locator("button.primary-toggle").focus()
        page.keyboard.press("Enter")
        link.wait_for(state="visible")
        assert web.violations(page) == []
        link.focus()
        page.keyboard.press("Enter")
        page.wait_for_url(f"**/{FILES[1]}.html")
    assert watch.outside == watch.failed == watch.messages == []


def test_contents_of_a_page_get_out_of_the_way_on_a_phone(browser: Browser, site: str) -> None:
    """Choosing a place in them shows that place, not the contents on top of it."""
    with web.offline(browser, site, width=360) as (context, _):
        page = context.new_page()
        page.goto(f"{site}{CHAPTERS[0]}.html")
        page.click("button.secondary-toggle")
        contents = page.locator("#pst-secondary-sidebar-modal")
        assert contents.is_visible()
        contents.get_by_role("link", name="Repair").click()
        assert not contents.is_visible()
        assert page.locator("h2", has_text="Repair").bounding_box()["y"] < 780


def test_theme_switch_changes_colours_and_is_remembered(page: Page, site: str) -> None:
    page.goto(f"{site}{FILES[0]}.html")
    web.settle(page)
    switch = page.locator(".theme-switch-button:visible").first
    seen = {}
    for _ in range(3):
        switch.press("Enter")
        mode = page.evaluate("() => document.documentElement.dataset.mode")
        seen[mode] = page.evaluate(BACKGROUND)
        spoken = switch.get_attribute("aria-label") or ""
        assert ("as the system" if mode == "auto" else mode) in spoken
    assert set(seen) == {"light", "dark", "auto"}
    assert seen["light"] != seen["dark"]

    while page.evaluate("() => document.documentElement.dataset.mode") != "dark":
        switch.press("Enter")
    page.reload()
    assert page.evaluate(BACKGROUND) == seen["dark"]


@pytest.mark.skipif(not CHAPTERS, reason="the book has no chapter yet")
def test_search_finds_a_chapter(page: Page, site: str) -> None:
    """By keyboard from the welcome page: open the search, type a word of a title, Enter."""
    page.goto(f"{site}{CHAPTERS[0]}.html")
    title = page.locator("article h1").first.inner_text().rstrip("#")
    word = max(title.replace("-", " ").split(), key=len)
    page.goto(f"{site}{FILES[0]}.html")
    web.settle(page)

    page.keyboard.press("Control+k")
    page.keyboard.type(word)
    page.keyboard.press("Enter")

    page.wait_for_url("**/search.html?q=*")
    found = page.locator(f"#search-results a[href*='{CHAPTERS[0]}.html']").first
    found.wait_for(state="visible")
    found.press("Enter")
    page.wait_for_url(f"**/{CHAPTERS[0]}.html*")


@pytest.mark.parametrize("name", CHAPTERS)
def test_chapter_says_its_minutes_and_comes_as_a_notebook(
    page: Page, site: str, name: str, tmp_path: Path
) -> None:
    page.goto(f"{site}{name}.html")
    web.settle(page)
    said = page.locator("article .time-needed").all_inner_texts()
    chapter = (
        re.match(r"notebooks/\d\d_", name) is not None
    )  # pages without a number take no class time
    assert ["min" in text for text in said] == [True] * chapter
    page.locator(".dropdown-download-buttons > button").press("Enter")
    link = page.locator(".dropdown-download-buttons a[href$='.ipynb']")
    link.wait_for(state="visible")
    with page.expect_download() as started:
        link.press("Enter")
    kept = tmp_path / "chapter.ipynb"
    started.value.save_as(kept)

    notebook = nbformat.read(kept, as_version=4)
    nbformat.validate(notebook)
    assert notebook.metadata.kernelspec.name == "racelab"
    assert any(cell.cell_type == "code" for cell in notebook.cells)


@pytest.mark.parametrize("name", CHAPTERS[:1] or FILES[:1])
def test_buttons_that_need_an_address_are_there_only_with_one(
    page: Page, site: str, name: str
) -> None:
    page.goto(f"{site}{name}.html")
    shown = page.locator(
        ".dropdown-launch-buttons, .dropdown-source-buttons, [class*=btn-source], [class*=btn-launch]"
    ).count()
    known = bool((CONFIG.get("repository") or {}).get("url"))
    assert bool(shown) == known


def test_printed_page_has_no_frame(page: Page, site: str) -> None:
    page.goto(f"{site}{FILES[0]}.html")
    page.emulate_media(media="print")
    for part in ("#pst-primary-sidebar", ".bd-header-article", ".prev-next-footer"):
        assert not page.locator(part).first.is_visible(), part
    assert page.locator("article h1").first.is_visible()


WIDGETS = """
import json
import anywidget, ipywidgets, traitlets
from ipywidgets.embed import embed_data

class Squares(anywidget.AnyWidget):
    _esm = '''
    export default { render({ model, el }) {
      const draw = () => { el.innerHTML = `<output id="squares">${model.get("value") ** 2}</output>`; };
      model.on("change:value", draw);
      draw();
    } }'''
    value = traitlets.Int(3).tag(sync=True)

a = ipywidgets.IntSlider(value=3, description="first")
b = ipywidgets.IntSlider(value=3, description="second")
c = Squares()
ipywidgets.jslink((a, "value"), (b, "value"))
ipywidgets.jslink((a, "value"), (c, "value"))
data = embed_data(views=[a, b, c], drop_defaults=False)  # as a notebook stores it
print(json.dumps([data["manager_state"], data["view_specs"]]))
"""


@functools.cache
def widget_page() -> str:
    """A page with two linked sliders and an anywidget, in the form in which the site embeds widgets."""
    python = web.ROOT / ".venv-ft/bin/python"
    if not python.exists():
        pytest.fail("there is no kernel environment: run `make env` first")
    done = subprocess.run(
        [str(python), "-c", WIDGETS], capture_output=True, text=True, timeout=120, check=False
    )
    assert done.returncode == 0, done.stderr
    state, views = json.loads(done.stdout)
    kind = 'script type="application/vnd.jupyter.widget'
    scripts = "".join(
        f'<script src="_static/vendor/{name}.js"></script>'
        for name in ("require", "widget-paths", "embed-amd")
    )
    shown = "".join(
        f'<div class="view"><{kind}-view+json">{json.dumps(v)}</script></div>' for v in views
    )
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8"><title>Widgets</title>'
        f'<{kind}-state+json">{json.dumps(state)}</script>{scripts}</head><body>{shown}</body></html>'
    )


def test_widgets_work_without_a_kernel_or_a_network(browser: Browser, tmp_path: Path) -> None:
    """A slider drives another and an anywidget's own JavaScript, all from the site's vendored files."""
    shutil.copytree(web.ROOT / "_build/vendor/site", tmp_path / "_static/vendor")
    (tmp_path / "index.html").write_text(widget_page(), encoding="utf-8")
    with web.served(tmp_path) as base, web.offline(browser, base) as (context, watch):
        page = context.new_page()
        page.goto(f"{base}index.html")
        sliders = page.locator("[role=slider]")
        sliders.nth(1).wait_for()
        page.locator("#squares").wait_for()
        assert page.locator("#squares").inner_text() == "9"

        sliders.nth(0).focus()
        page.keyboard.press("ArrowRight")

        page.wait_for_function("() => document.querySelector('#squares').textContent === '16'")
        assert sliders.nth(1).get_attribute("aria-valuetext") == "4"
    assert watch.outside == []
