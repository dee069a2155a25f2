"""The explorer in a browser: played by keyboard, on a phone, in the dark, on paper; no kernel, no network."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator

import _browser as web
import _figures
import pytest
from playwright.sync_api import Browser, Page, expect

from racelab import living
from racelab.recording import recorded

pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(web.CHROMIUM is None, reason=web.NO_CHROMIUM),
]

NAMES = {
    "broken": "no lock",
    "fixed": "critical section",
    "fixed_pymutex": "pymutex",
    "fixed_lock": "threading.Lock",
    "fixed_atomic": "C++ atomic",
}


def figures() -> dict[str, living.Living]:
    """Name of a page to what is on it."""
    kept = recorded("cy_counter")
    return {
        "counter": living.explorer(
            "cy_counter", variants=NAMES, cost="one increment", name="which"
        ),
        "fresh": living.explorer(
            "cy_counter",
            variants=NAMES,
            races=[kept.result("broken"), kept.result("fixed")],
            timed={"in C, 1 thread": {"fixed": [9.0, 10.0, 12.0]}},
            name="which",
        ),
        "flags": living.explorer("folded", rates="flags", name="which"),
        "threads": living.explorer("self_lock", name="which"),
        "cold": living.explorer("cy_slot", name="which"),
    }


PAGES = ["counter", "fresh", "flags", "threads", "cold"]


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A folder with the pages."""
    around = "max-width: 50rem; margin: 1rem auto; padding: 0 1rem;"
    both = [living.explorer("lost_update", name="which"), living.interleaver("lost_update")]
    there = {**figures(), "both": both}
    with _figures.pages(tmp_path_factory.mktemp("explorer"), there, around) as address:
        yield address


@pytest.fixture
def page(browser: Browser, base: str) -> Iterator[Page]:
    """The counter, on a desktop."""
    with web.quiet(browser, base) as page:
        show(page, base, "counter")
        yield page


def show(page: Page, base: str, name: str, hash: str = "") -> None:
    """Open a page and wait until its figure is drawn."""
    page.goto(f"{base}{name}.html{hash}")
    page.locator(".rl-alive .rl-ex-row").first.wait_for()


def order(page: Page) -> list[str]:
    """The variants as they stand."""
    return page.locator(".rl-ex-name > :first-child").all_inner_texts()


@pytest.mark.parametrize("mode", web.MODES)
@pytest.mark.parametrize("width", web.WIDTHS)
@pytest.mark.parametrize("name", PAGES)
def test_it_is_fit_to_be_seen(
    browser: Browser, base: str, name: str, width: int, mode: str
) -> None:
    """At first, and with a variant open: nothing missing, nothing too wide, nothing that axe objects to."""
    with web.quiet(browser, base, mode, width) as page:
        show(page, base, name)
        page.evaluate("mode => { document.documentElement.dataset.theme = mode; }", mode)
        assert web.overflow(page) == []
        assert web.violations(page) == []
        for strip in page.locator(".rl-ex-row").first.locator("div > svg").all():
            assert _figures.text_outside(strip) == []

        if width < 600:
            page.locator("summary").click()
        page.get_by_role("radio", name="by rate").check()
        page.locator(".rl-ex-name button").last.click()
        expect(page.locator(".rl-ex-open:visible")).to_have_count(1)
        web.picture(page, f"explorer-{name}-{width}-{mode}")
        assert web.overflow(page) == []
        assert web.violations(page) == []


def test_it_is_played_by_keyboard_and_said(page: Page) -> None:
    says = page.locator(".rl-living [role=status]")
    assert order(page) == list(NAMES.values())
    page.get_by_role("radio", name="as written").focus()
    page.keyboard.press("ArrowRight")
    page.keyboard.press("ArrowRight")
    expect(page.get_by_role("radio", name="by cost")).to_be_checked()
    medians = figures()["counter"].state["costs"]
    wanted = sorted(
        (one for one in medians if one["kind"] == "in C, 1 thread"), key=lambda one: one["mid"]
    )
    assert order(page) == [NAMES[one["variant"]] for one in wanted]
    cheapest = next(NAMES[one["variant"]] for one in wanted if one["variant"] != "broken")
    expect(says).to_contain_text(
        f"of those that have not failed in any race of this figure: {cheapest}."
    )
    # An order is said as one.
    expect(says).to_contain_text(f"In order: {', '.join(order(page))}.")
    # One sentence, whatever is changed: nobody listens to all rows.
    page.get_by_role("radio", name="repetition").check()
    expect(says).to_have_text(
        re.compile(
            r"^no lock failed \d[\d.]*\s% per repetition; 4 others did not fail\. Cheapest [^.]*\.( Timings [^.]*\.)?$"
        )
    )
    page.get_by_role("radio", name="from Python, 1 thread").check()
    expect(says).to_have_text(
        re.compile(r"^Medians: (no lock|pymutex|C\+\+ atomic) [^.]*\.?[^;]* ns\.")
    )
    above = page.locator(".rl-ex-verdict").bounding_box()
    below = page.locator(".rl-ex-rows").bounding_box()
    assert above
    assert below
    assert above["y"] < below["y"]  # the answer is beside what was asked

    button = page.get_by_role("button", name="no lock")
    button.focus()
    page.keyboard.press("Enter")
    expect(page.get_by_role("button", name="no lock")).to_be_focused()
    expect(page.get_by_role("button", name="no lock")).to_have_attribute("aria-expanded", "true")
    expect(page.get_by_role("row", name="updates lost")).to_contain_text("FORBIDDEN")
    page.keyboard.press("Enter")
    expect(page.locator(".rl-ex-open:visible")).to_have_count(0)


def test_every_control_is_reached_by_tab(page: Page) -> None:
    page.locator("h1").click()
    reached = []
    for _ in range(9):
        page.keyboard.press("Tab")
        reached.append(
            page.evaluate(
                "() => document.activeElement.closest('fieldset')?.querySelector('legend').textContent || document.activeElement.textContent"
            )
        )
    assert reached[:4] == ["GIL", "Rate per", "Cost of one increment", "Order"]
    assert reached[4:9] == list(NAMES.values())


def test_what_was_not_recorded_says_so_and_shows_no_picture(page: Page) -> None:
    page.get_by_role("radio", name="on", exact=True).check()
    row = page.locator(".rl-ex-row", has_text="pymutex")
    expect(row).to_contain_text("Not recorded with these choices. The nearest is GIL: off.")
    expect(row.locator("div > svg")).to_have_count(1)  # its cost
    expect(row.get_by_role("button")).to_have_count(0)
    expect(page.locator(".rl-ex-row", has_text="no lock")).to_contain_text(
        "? did not fail; says little: no race that is known to fail did so here"
    )
    page.get_by_role("radio", name="by cost").check()
    expect(page.locator(".rl-ex-verdict")).to_have_text(
        "Of those that were timed and raced here, each has failed in some race of this figure, or is broken on purpose."
    )


def test_no_failure_is_drawn_as_a_bound(page: Page) -> None:
    for text in page.locator(".rl-ex-good p:first-of-type").all_inner_texts():
        if "failed" in text:
            assert "sure the rate is below" in text
    assert page.locator(".rl-ex-good svg path[d*='h-24']").count() == len(NAMES) - 1
    assert page.locator(".rl-ex-bad svg path[d*='h-24']").count() == 0


def test_on_a_phone_the_controls_are_folded_and_say_what_is_chosen(
    browser: Browser, base: str
) -> None:
    with web.quiet(browser, base, width=360) as page:
        page.set_viewport_size({"width": 360, "height": 740})
        show(page, base, "counter")
        said = page.locator("summary")
        expect(said).to_have_text("GIL: off, per round, in C, 1 thread, as written")
        expect(page.get_by_role("radio", name="by rate")).to_be_hidden()
        page.locator(".rl-living").evaluate("figure => figure.scrollIntoView()")
        expect(page.locator(".rl-ex-row").nth(2)).to_be_in_viewport(ratio=1)

        said.focus()
        page.keyboard.press("Enter")
        page.get_by_role("radio", name="by rate").check()
        expect(said).to_have_text("GIL: off, per round, in C, 1 thread, by rate")
        page.set_viewport_size({"width": 900, "height": 740})
        expect(said).to_be_hidden()
        expect(page.get_by_role("radio", name="by rate")).to_be_visible()
        page.set_viewport_size({"width": 360, "height": 740})
        expect(page.get_by_role("radio", name="by rate")).to_be_hidden()
        page.set_viewport_size({"width": 900, "height": 740})
        expect(page.get_by_role("radio", name="by rate")).to_be_visible()


def test_a_link_brings_the_same_view_back(page: Page, base: str) -> None:
    page.get_by_role("radio", name="in C, 2 threads").check()
    page.get_by_role("radio", name="repetition").check()
    page.get_by_role("radio", name="by cost").check()
    page.get_by_role("button", name="no lock").click()
    page.get_by_role("button", name="Link to this").click()
    address = page.url
    seen = order(page)
    page.goto("about:blank")
    show(page, base, "counter", address[address.index("#") :])
    expect(page.get_by_role("radio", name="by cost")).to_be_checked()
    expect(page.get_by_role("radio", name="in C, 2 threads")).to_be_checked()
    expect(page.get_by_role("radio", name="repetition")).to_be_checked()
    expect(page.get_by_role("button", name="no lock")).to_have_attribute("aria-expanded", "true")
    assert order(page) == seen
    page.goto("about:blank")
    show(page, base, "counter", "#which=day.cost.0.0.")
    expect(page.get_by_role("radio", name="as written")).to_be_checked()


def test_fresh_results_of_a_kernel_flow_in(page: Page) -> None:
    """As anywidget does it: a model whose state is replaced."""
    fresh = figures()["fresh"].state
    _figures.render_with_a_kernel(page, "explorer", f"state = {json.dumps(fresh)}")
    page.get_by_role("radio", name="by cost").check()
    page.get_by_role("button", name="no lock").click()
    expect(page.get_by_text("today:")).to_have_count(0)
    page.evaluate("() => fresh()")
    expect(page.locator(".rl-ex-row p b", has_text="today:")).to_have_count(3)
    expect(page.get_by_role("radio", name="by cost")).to_be_checked()
    expect(page.get_by_role("button", name="no lock")).to_have_attribute("aria-expanded", "true")
    expect(page.locator("[role=status]")).to_contain_text("Fresh results.")
    expect(page.get_by_role("button", name="Link to this")).to_have_count(0)


def test_paper_and_a_viewer_without_javascript_get_a_table(
    browser: Browser, base: str, page: Page
) -> None:
    _figures.printed(page, ".rl-still table")
    expect(page.locator("figcaption")).not_to_contain_text("upright", use_inner_text=True)
    for width in (360, 1280):
        page.set_viewport_size({"width": width, "height": 740})
        assert broken_words(page) == [], f"at {width} px"
    with _figures.without_javascript(browser, base, "counter", ".rl-still table") as table:
        expect(table).to_contain_text("sure the rate is below")


def broken_words(page: Page) -> list[str]:
    """Names of variants that are cut off inside of a word, and go on in the next line."""
    found: list[str] = page.evaluate(
        """() => [...document.querySelectorAll('.rl-still td:first-child')].flatMap((cell) => {
          const text = cell.firstChild;
          return [...text.data.matchAll(/\\S+/g)].filter(({ 0: word, index }) => {
            const range = document.createRange();
            range.setStart(text, index);
            range.setEnd(text, index + word.length);
            return range.getClientRects().length > 1;
          }).map(([word]) => word);
        })"""
    )
    return found


def test_names_on_paper_stay_whole_beside_an_interleaver(browser: Browser, base: str) -> None:
    """Chapter 6 has both, and the styles of both."""
    with web.quiet(browser, base) as page:
        show(page, base, "both")
        page.emulate_media(media="print")
        for width in (360, 600):
            page.set_viewport_size({"width": width, "height": 740})
            assert broken_words(page) == [], f"at {width} px"


def test_it_is_quick(page: Page, base: str) -> None:
    """Script until it is drawn, and of a choice, in ms; the best of some, as others use this machine, too."""
    drawn, choices = _figures.at_best(
        page,
        lambda: show(page, base, "counter"),
        """() => {
             const radios = document.querySelectorAll('input[type=radio]:not(:checked)');
             const began = performance.now();
             for (const radio of radios) radio.click();
             return (performance.now() - began) / radios.length;
           }""",
    )
    assert drawn < 100
    assert choices < 8
