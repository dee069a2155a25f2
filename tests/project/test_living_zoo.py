"""The bug zoo in a browser: played by keyboard, on a phone, in the dark, on paper; no kernel, no network."""

from __future__ import annotations

import re
from collections.abc import Iterator

import _browser as web
import _figures
import pytest
from playwright.sync_api import Browser, Page, expect

from racelab import living
from racelab.living import _zoo

pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(web.CHROMIUM is None, reason=web.NO_CHROMIUM),
]

CHIPS = ".rl-zoo-kinds a"


@pytest.fixture(scope="module")
def figure() -> living.Living:
    """The figure as the site has it."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(living.STATIC, "1")
        return living.zoo()


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory, figure: living.Living) -> Iterator[str]:
    """A folder with the figure on a page beside the chapters, which are empty here."""
    folder = tmp_path_factory.mktemp("zoo")
    (folder / "notebooks").mkdir()
    for chapter in figure.state["chapters"]:
        (folder / f"notebooks/{chapter}.html").write_text(
            f'<!doctype html><html lang="en"><link rel="icon" href="data:,"><title>{chapter}</title></html>'
        )
    with _figures.pages(folder, {"book/zoo": figure}) as address:
        yield address


@pytest.fixture
def page(browser: Browser, base: str) -> Iterator[Page]:
    """The figure on a desktop."""
    with web.quiet(browser, base) as page:
        show(page, base)
        yield page


def show(page: Page, base: str, hash: str = "") -> None:
    """Open the page and wait until the figure is drawn."""
    page.goto(f"{base}book/zoo.html{hash}")
    page.locator("figure[data-ms]").wait_for()


def seen(figure: living.Living, tool: str) -> list[tuple[int, float, str] | None]:
    """A tool's answers, in the order of the bugs."""
    at = list(_zoo.TOOLS).index(tool)
    return [bug["seen"][at] for bug in figure.state["bugs"]]


@pytest.mark.parametrize("mode", web.MODES)
@pytest.mark.parametrize("width", web.WIDTHS)
def test_it_is_fit_to_be_seen(browser: Browser, base: str, width: int, mode: str) -> None:
    """At first, side by side, one kind: nothing missing, nothing too wide, nothing that axe objects to."""
    with web.quiet(browser, base, mode, width) as page:
        show(page, base)
        page.evaluate("mode => { document.documentElement.dataset.theme = mode; }", mode)
        for view, act in {
            "tsan": lambda: page.locator(CHIPS).nth(40).focus(),
            "all": lambda: page.get_by_role("radio", name="all side by side").check(),
            "hang": lambda: page.get_by_label("Kind of bug").select_option("hang"),
        }.items():
            assert web.overflow(page) == []
            act()
            assert web.overflow(page) == []
            assert web.violations(page) == []
            web.picture(page, f"zoo-{view}-{width}-{mode}")


def test_what_a_tool_missed_stands_out(page: Page, figure: living.Living) -> None:
    says = page.locator(".rl-living [role=status]")
    for tool, (name, _) in _zoo.TOOLS.items():
        answers = seen(figure, tool)
        missed = sum(1 for answer in answers if answer and not answer[0])
        found = sum(1 for answer in answers if answer and answer[0])
        page.get_by_role("radio", name=f"{name}: {missed}").check()
        expect(page.locator(f"{CHIPS}.rl-zoo-missed")).to_have_count(missed)
        expect(page.locator(f"{CHIPS}.rl-zoo-found")).to_have_count(found)
        part = "all" if found == len(answers) else f"{found} of"
        expect(says).to_contain_text(f"{name} found {part} {len(answers)}")
    expect(page.locator(f"{CHIPS}.rl-zoo-found .rl-zoo-time").first).to_contain_text(" s")


def test_a_bug_is_reached_and_read_and_opened_by_keyboard(
    page: Page, base: str, figure: living.Living
) -> None:
    page.locator("h1").click()
    reached = []
    for _ in range(4):
        page.keyboard.press("Tab")
        reached.append(page.evaluate("() => document.activeElement.tagName"))
    assert reached == ["INPUT", "SELECT", "BUTTON", "A"], "one stop for all bugs"
    expect(page.locator(f"{CHIPS}[tabindex='0']")).to_have_count(1)

    card = page.locator(".rl-zoo-card")
    for key, step in (("ArrowRight", 1), ("ArrowRight", 2), ("ArrowLeft", 1)):
        page.keyboard.press(key)
        bug = figure.state["bugs"][step]
        expect(page.locator(CHIPS).nth(step)).to_be_focused()
        expect(card).to_contain_text(f"{_zoo.called(bug)}: {bug['what']}.")
    for key in ("ArrowDown", "End"):
        page.keyboard.press(key)
    bug = figure.state["bugs"][-1]
    found = bug["seen"][0]
    assert found is not None
    expect(card).to_contain_text(f"racelab ✓ after {found[1]:.2g}")
    expect(card).to_contain_text(found[2])
    expect(card).to_be_in_viewport()
    link = page.locator(CHIPS).last
    expect(link).to_be_in_viewport()
    page.keyboard.press("Home")
    for _ in figure.state["kinds"]:  # wherever the keys lead, the card is not in the way
        at, over = page.locator(f"{CHIPS}:focus").bounding_box(), card.bounding_box()
        assert at
        assert over
        assert at["y"] + at["height"] <= over["y"]
        page.keyboard.press("ArrowDown")
    page.keyboard.press("End")
    for words in (_zoo.called(bug), bug["what"][1:], "TSan: not found in", "racelab: found after"):
        expect(link).to_have_accessible_name(re.compile(re.escape(words)))

    page.keyboard.press("Shift+Tab")
    page.keyboard.press("Tab")
    expect(link).to_be_focused()
    page.keyboard.press("Enter")
    expect(page).to_have_url(f"{base}notebooks/{bug['chapter']}.html")


def test_the_card_stays_in_sight_and_out_of_the_way(page: Page) -> None:
    """It sticks to the window's foot while somebody is among the bugs, and not afterwards."""
    card = page.locator(".rl-zoo-card")
    expect(card).to_be_hidden()
    chip = page.locator(CHIPS).nth(5)
    chip.hover()
    expect(card).to_be_in_viewport()
    box, below = chip.bounding_box(), card.bounding_box()
    assert box
    assert below
    assert box["y"] + box["height"] <= below["y"]
    page.locator("h1").hover()
    assert card.evaluate("(one) => getComputedStyle(one).position") == "static"


def test_one_kind_is_a_list_that_says_it_all(page: Page, figure: living.Living) -> None:
    page.get_by_label("Kind of bug").select_option("hang")
    bugs = [bug for bug in figure.state["bugs"] if bug["kind"] == "hang"]
    expect(page.locator(f"{CHIPS}:visible")).to_have_count(len(bugs))
    expect(page.locator(f"{CHIPS}[tabindex='0']:visible")).to_have_count(1)
    expect(page.get_by_role("radio", name=re.compile(r"^ASan: \d"))).to_have_accessible_name(
        f"ASan: {sum(not bug['seen'][2][0] for bug in bugs)}"
    )
    box = page.locator(f"{CHIPS}:visible .rl-zoo-more").first.bounding_box()
    assert box
    assert box["height"] > 20


def test_a_phone_gets_a_list(browser: Browser, base: str) -> None:
    with web.offline(browser, base, width=360, has_touch=True) as (context, _):
        page = context.new_page()
        show(page, base)
        boxes = [page.locator(CHIPS).nth(i).bounding_box() for i in range(4)]
        assert len({box and box["x"] for box in boxes}) == 1, "one below the other"
        assert all(box and box["height"] >= 40 for box in boxes), "large enough for a finger"
        page.locator(CHIPS).nth(3).tap()
        expect(page).to_have_url(re.compile(r"/notebooks/\w+\.html$"))


def test_a_link_brings_the_same_view_back(page: Page, base: str, figure: living.Living) -> None:
    page.get_by_role("radio", name=re.compile("^ASan")).check()
    page.get_by_label("Kind of bug").select_option("freed")
    page.get_by_role("button", name="Link to this").click()
    address = page.url
    assert address.endswith("#zoo=asan.freed")
    page.goto("about:blank")
    show(page, base, "#zoo=asan.freed")
    expect(page.get_by_role("radio", name=re.compile("^ASan"))).to_be_checked()
    expect(page.get_by_label("Kind of bug")).to_have_value("freed")
    expect(page.get_by_role("button", name="Link to this")).to_have_count(1)
    page.goto("about:blank")
    show(page, base, "#zoo=asan.nonsense")
    expect(page.get_by_role("radio", name=re.compile("^TSan"))).to_be_checked()
    expect(page.locator(f"{CHIPS}:visible")).to_have_count(len(figure.state["bugs"]))


def test_fresh_data_of_a_kernel_are_taken(page: Page) -> None:
    """As anywidget does it: a model that changes."""
    _figures.render_with_a_kernel(
        page,
        "zoo",
        "state.bugs[0].seen[1] = null; state.bugs[1].seen[1] = [1, 123, 'aha']",
    )
    chips = page.locator(CHIPS)
    expect(chips.nth(0)).not_to_have_class("rl-zoo-unasked")
    page.evaluate("() => fresh()")
    expect(chips.nth(0)).to_have_class("rl-zoo-unasked")
    expect(chips.nth(1)).to_contain_text("120 s")
    expect(page.locator(".rl-zoo-sum")).to_contain_text("it could not be asked about 1")
    expect(page.get_by_role("button", name="Link to this")).to_have_count(0)


def test_paper_and_a_viewer_without_javascript_get_the_table(
    browser: Browser, base: str, page: Page, figure: living.Living
) -> None:
    _figures.printed(page, ".rl-still table")
    for width in web.WIDTHS:
        with _figures.without_javascript(
            browser, base, "book/zoo", ".rl-still table", width
        ) as table:
            assert table.get_by_role("link").count() == len(figure.state["bugs"])
            assert table.page.evaluate(
                "() => [...document.querySelectorAll('.text_html, table')].every((one) => one.scrollWidth <= one.clientWidth)"
            )
            web.picture(table.page, f"zoo-still-{width}")


def test_it_is_quick_and_small(page: Page, base: str, figure: living.Living) -> None:
    """Script until it is drawn, and of a choice, in ms; the best of some, as others use this machine, too."""
    assert len(figure.as_html()) < 60_000
    drawn, chosen, met = _figures.at_best(
        page,
        lambda: show(page, base),
        """() => {
             const tools = [...document.querySelectorAll('.rl-zoo input')];
             const began = performance.now();
             for (const one of tools) one.click();
             return (performance.now() - began) / tools.length;
           }""",
        """() => {
             const chips = [...document.querySelectorAll('.rl-zoo-kinds a')];
             const began = performance.now();
             for (const one of chips) one.dispatchEvent(new PointerEvent('pointerenter'));
             return (performance.now() - began) / chips.length;
           }""",
    )
    assert drawn < 100
    assert chosen < 8
    assert met < 8
