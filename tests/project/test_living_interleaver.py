"""The interleaver in a browser: played by keyboard, on a phone, in the dark, on paper; no kernel, no network."""

from __future__ import annotations

import re
from collections.abc import Iterator

import _browser as web
import _figures
import pytest
from playwright.sync_api import Browser, Page, expect

from racelab import living

pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(web.CHROMIUM is None, reason=web.NO_CHROMIUM),
]

SLUGS = sorted(file.parent.name for file in (web.ROOT / "ext").glob("*/steps.js"))
FAILS = "Show me a failing schedule"


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A folder with one page for each lab that has steps."""
    figures = {slug: living.interleaver(slug, name="who") for slug in SLUGS}
    with _figures.pages(tmp_path_factory.mktemp("interleaver"), figures) as address:
        yield address


@pytest.fixture
def page(browser: Browser, base: str) -> Iterator[Page]:
    """The figure of the lost update, on a desktop."""
    with web.quiet(browser, base) as page:
        show(page, base, "lost_update")
        yield page


def show(page: Page, base: str, slug: str, hash: str = "") -> None:
    """Open the page of a lab and wait until its figure is drawn."""
    page.goto(f"{base}{slug}.html{hash}")
    page.locator(".rl-il-memory svg").wait_for()


@pytest.mark.parametrize("mode", web.MODES)
@pytest.mark.parametrize("width", web.WIDTHS)
@pytest.mark.parametrize("slug", SLUGS)
def test_it_is_fit_to_be_seen(
    browser: Browser, base: str, slug: str, width: int, mode: str
) -> None:
    """At first, and with everything out: nothing missing, nothing too wide, nothing that axe objects to."""
    with web.quiet(browser, base, mode, width) as page:
        show(page, base, slug)
        page.evaluate("mode => { document.documentElement.dataset.theme = mode; }", mode)
        assert web.overflow(page) == []
        assert web.violations(page) == []

        page.get_by_role("button", name=FAILS).click()
        page.get_by_role("button", name="Count them all").click()
        expect(page.locator(".rl-il-bad", has_text="Broken")).to_be_visible()
        assert page.locator(".rl-il-counted tbody tr").count() >= 2
        web.picture(page, f"interleaver-{slug}-{width}-{mode}")
        assert web.overflow(page) == []
        assert web.violations(page) == []


def test_an_update_is_lost_by_keyboard_and_said(page: Page) -> None:
    says = page.locator(".rl-living [role=status]")
    page.get_by_role("button", name="A goes next").focus()
    page.keyboard.press("a")
    expect(says).to_contain_text("A: line 29, long seen = self->value; (A's seen: 0).")
    for key in "bBa":
        page.keyboard.press(key)
    expect(says).to_contain_text("(nothing changes). ✗ Broken: updates lost")

    page.keyboard.press("a")
    expect(says).to_contain_text("A cannot go on: it is over.")
    page.keyboard.press("u")
    expect(says).to_contain_text("After 3 steps.")
    page.keyboard.press("b")
    expect(says).to_contain_text("B cannot go on: it is over.")
    page.keyboard.press("r")
    expect(page.locator(".rl-il-strip")).to_contain_text("Who is first?")
    expect(says).to_contain_text("After 0 steps.")
    for button in ("Undo", "Reset"):
        expect(page.get_by_role("button", name=button)).to_have_attribute("aria-disabled", "true")
    page.keyboard.press("a")  # the focus is still in the figure
    expect(says).to_contain_text("A: line 29")


def test_every_control_is_reached_by_tab_and_keeps_the_focus(page: Page) -> None:
    page.locator("h1").click()
    reached = []
    for _ in range(7):
        page.keyboard.press("Tab")
        reached.append(
            page.evaluate(
                "() => document.activeElement.textContent || document.activeElement.value"
            )
        )
    assert reached[:1] == ["broken"]
    assert reached[1:6] == ["A goes next", "B goes next", "Undo", "Reset", FAILS]

    button = page.get_by_role("button", name="A goes next")
    button.focus()
    for _ in range(3):  # the last time it cannot
        page.keyboard.press("Enter")
    expect(button).to_be_focused()
    expect(button).to_have_attribute("aria-disabled", "true")


@pytest.mark.parametrize("slug", SLUGS)
def test_on_a_phone_a_step_and_what_it_does_are_in_sight_together(
    browser: Browser, base: str, slug: str
) -> None:
    """Thread after thread goes a step: nobody has to scroll to the buttons, nor to what they change."""
    with web.quiet(browser, base, width=360) as page:
        page.set_viewport_size({"width": 360, "height": 740})
        show(page, base, slug)
        page.locator(".rl-il-threads").evaluate("threads => threads.scrollIntoView()")
        buttons = page.get_by_role("button", name="goes next").all()
        for button in [*buttons, *buttons]:
            expect(button).to_be_in_viewport(ratio=1)
            button.dispatch_event("click")  # also where this thread cannot go on
            for seen in (".rl-il-threads section", ".rl-il-strip", ".rl-il-memory svg"):
                expect(page.locator(seen).first).to_be_in_viewport(ratio=0.8)
        expect(page.get_by_role("button", name="Undo")).to_be_in_viewport(ratio=1)
        assert web.overflow(page) == []


def test_on_a_phone_the_code_is_unfolded(browser: Browser, base: str) -> None:
    with web.quiet(browser, base, width=360) as page:
        show(page, base, "get_or_make")
        lines = page.locator(".rl-il-A li:visible")
        few = lines.count()
        page.get_by_label("All lines").check()
        assert lines.count() == page.locator(".rl-il-A li").count() > few
    with web.quiet(browser, base) as page:
        show(page, base, "get_or_make")
        expect(page.get_by_label("All lines")).to_be_hidden()
        expect(page.locator(".rl-il-A li").last).to_be_visible()


def test_a_moment_of_the_schedule_is_gone_back_to(page: Page) -> None:
    page.get_by_role("button", name=FAILS).click()
    moment = page.get_by_role("button", name="step 2: B")
    moment.focus()
    page.keyboard.press("Enter")

    expect(page.get_by_role("button", name="step 2: B")).to_be_focused()
    expect(page.locator(".rl-living [role=status]")).to_contain_text(
        "After 2 steps. B: line 29, long seen = self->value; (B's seen: 0)."
    )
    expect(page.get_by_role("img")).to_have_attribute(
        "aria-label", "Memory: value: 0; A's seen: 0; B's seen: 0"
    )
    expect(page.get_by_role("button", name="step 4: A")).to_be_visible()


def test_the_repair_has_no_schedule_that_fails(page: Page) -> None:
    page.get_by_role("radio", name="fixed").check()
    page.get_by_role("button", name=FAILS).click()
    expect(page.get_by_text("No schedule of these steps fails.")).to_be_visible()
    page.get_by_role("button", name="Count them all").click()
    expect(page.locator(".rl-il-counted caption")).to_contain_text(
        "0 of 2 (0\u00a0%) schedules fail."
    )


def test_a_link_brings_the_same_view_back(page: Page, base: str) -> None:
    page.get_by_role("button", name=FAILS).click()
    page.get_by_role("button", name="Link to this").click()
    address = page.url
    assert address.endswith("#who=broken.ABBA")
    page.goto("about:blank")
    show(page, base, "lost_update", "#who=broken.AB")
    expect(page.locator(".rl-il-strip button")).to_have_count(2)
    page.goto("about:blank")
    show(page, base, "lost_update", "#who=broken.AAAA")  # A has two steps only
    expect(page.locator(".rl-il-strip button")).to_have_count(0)


def test_a_deadlock_is_an_outcome(page: Page, base: str) -> None:
    show(page, base, "swap")
    page.get_by_role("button", name="A goes next").focus()
    for key in "aabb":
        page.keyboard.press(key)
    expect(page.get_by_text("✗ Broken: hang")).to_be_visible()
    expect(page.locator(".rl-il-now", has_text="waits for lock of y")).to_be_visible()


def test_after_a_crash_nobody_goes_on(page: Page, base: str) -> None:
    show(page, base, "borrowed_ref")
    page.get_by_role("button", name=FAILS).click()
    expect(page.get_by_text("✗ Broken: crash(SIGSEGV)")).to_be_visible()
    expect(page.locator(".rl-il-now")).to_have_text(["the process is gone"] * 2)
    page.get_by_role("button", name="Undo").click()
    expect(page.get_by_text("the process is gone")).to_have_count(0)


def test_one_step_is_a_step_and_reset_ends_where_it_began(page: Page) -> None:
    undo, reset = (page.get_by_role("button", name=name) for name in ("Undo", "Reset"))
    page.get_by_role("button", name="A goes next").click()
    page.get_by_role("button", name="B goes next").click()
    undo.click()
    expect(page.locator(".rl-living [role=status]")).to_contain_text("After 1 step. ")
    undo.click()
    expect(undo).to_have_attribute("aria-disabled", "true")
    expect(reset).to_have_attribute("aria-disabled", "false")  # there still is a schedule
    reset.click()
    expect(reset).to_have_attribute("aria-disabled", "true")


def test_of_a_few_rounds_nobody_says_never(page: Page) -> None:
    _figures.render_with_a_kernel(
        page, "interleaver", "state.observed.broken = { 'all counted': 3 }"
    )
    page.get_by_role("button", name="Count them all").click()
    expect(page.locator(".rl-il-counted thead th").last).to_have_text(
        re.compile(r"Seen in [\d,]+ rounds recorded \(a hang or a crash counts as one\)")
    )
    page.evaluate("() => fresh()")
    expect(page.locator("tr", has_text="updates lost").locator("td").last).to_have_text("\u2013")
    page.get_by_role("radio", name="fixed").check()
    page.get_by_role("button", name="Count them all").click()
    expect(page.locator(".rl-il-counted tbody td").last).to_have_text(re.compile(r"^[\d.,]+"))


def test_on_a_phone_the_button_to_the_top_does_not_lie_on_the_bar(
    browser: Browser, base: str
) -> None:
    """It is the theme's, which these pages do not have: so it stands here as the theme places it."""
    with web.quiet(browser, base, width=360) as page:
        show(page, base, "lock_and_world")
        page.evaluate(
            """() => {
              const [style, pill] = [document.createElement('style'), document.createElement('button')];
              style.textContent = '#pst-back-to-top { left: 50vw; position: fixed; top: 90vh; transform: translate(-50%); }';
              document.head.prepend(style);
              Object.assign(pill, { id: 'pst-back-to-top', textContent: 'Back to top' });
              document.body.append(pill);
            }"""
        )
        page.get_by_label("All lines").check()
        page.locator(".rl-il-threads").evaluate("threads => threads.scrollIntoView()")
        pill, bar = (page.locator(one).bounding_box() for one in ("#pst-back-to-top", ".rl-il-bar"))
        assert pill
        assert bar
        assert pill["y"] + pill["height"] <= bar["y"]
        assert pill["y"] > bar["y"] - 100, "still at the foot of the window"


def test_an_arrow_of_c_is_not_broken(browser: Browser, base: str) -> None:
    with web.quiet(browser, base, width=360) as page:
        show(page, base, "borrowed_ref")
        page.get_by_label("All lines").check()
        for width in range(150, 330, 12):
            broken = page.evaluate(
                """(width) => {
                  document.querySelector('.rl-living').style.maxWidth = `${width}px`;
                  const lines = [...document.querySelectorAll('.rl-il-threads code')];
                  return lines.flatMap((line) => {
                    const found = [];
                    const walk = document.createTreeWalker(line, NodeFilter.SHOW_TEXT);
                    for (let text = walk.nextNode(); text; text = walk.nextNode()) {
                      for (const { index } of text.data.matchAll(/->/g)) {
                        const range = document.createRange();
                        range.setStart(text, index);
                        range.setEnd(text, index + 2);
                        found.push(range.getClientRects().length);
                      }
                    }
                    return found;
                  });
                }""",
                width,
            )
            assert broken
            assert set(broken) == {1}, f"at {width} px"


def test_fresh_data_of_a_kernel_are_taken(page: Page) -> None:
    """As anywidget does it: a model that changes."""
    _figures.render_with_a_kernel(page, "interleaver", "state.observed.broken['updates lost'] = 7")
    page.get_by_role("button", name="Count them all").click()
    row = page.locator("tr", has_text="updates lost")
    expect(row.locator("td").last).not_to_have_text("7")
    page.evaluate("() => fresh()")
    expect(row.locator("td").last).to_have_text("7")
    expect(page.get_by_role("button", name="Link to this")).to_have_count(0)


def test_paper_and_a_viewer_without_javascript_get_a_schedule_that_fails(
    browser: Browser, base: str, page: Page
) -> None:
    _figures.printed(page, ".rl-still table")
    with _figures.without_javascript(browser, base, "suspended", ".rl-still table") as table:
        expect(table).to_contain_text("__del__ detaches")


def test_it_is_quick(page: Page, base: str) -> None:
    """Script until it is drawn, and of a step, in ms; the best of some, as others use this machine, too."""
    drawn, steps = _figures.at_best(
        page,
        lambda: show(page, base, "lock_and_world"),
        """() => {
             const buttons = document.querySelectorAll('.rl-il-bar button');
             const began = performance.now();
             for (const i of [0, 0, 0, 0, 0, 1, 0, 1, 1, 1]) buttons[i].click();
             return (performance.now() - began) / 10;
           }""",
    )
    assert drawn < 100
    assert steps < 8
