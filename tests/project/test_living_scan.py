"""The offset scan in a browser: dragged, played by keyboard, on a phone, in the dark, on paper; no kernel, no network."""

from __future__ import annotations

import re
from collections.abc import Iterator

import _browser as web
import _figures
import pytest
from playwright.sync_api import Browser, Locator, Page, expect

from racelab import living

pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(web.CHROMIUM is None, reason=web.NO_CHROMIUM),
]


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A folder with a page that has the figure, with what was recorded."""
    # With a dip in the middle: cores take their turns most evenly where both threads come at once.
    rates = {0: 640, 10: 700, 20: 720, 30: 600, 50: 300, 80: 20, 200: 0}
    peak = [
        {"offset_ns": side * ns, "hits": hits, "rounds": 1000}
        for ns, hits in rates.items()
        for side in ((-1, 1) if ns else (1,))
    ]
    twin = living.scan(peak, {"mine": [10, 20, 30]})
    shown = {"index": living.scan(), "twin": twin}
    with _figures.pages(tmp_path_factory.mktemp("scan"), shown) as address:
        yield address


@pytest.fixture
def page(browser: Browser, base: str) -> Iterator[Page]:
    """The figure on a desktop."""
    with web.quiet(browser, base) as page:
        show(page, base)
        yield page


def show(page: Page, base: str, hash: str = "") -> None:
    """Open the page and wait until the figure is drawn."""
    page.goto(f"{base}index.html{hash}")
    page.locator("figure[data-ms] .rl-sc-drawn svg").wait_for()


def verdict(page: Page) -> Locator:
    """What is said of the windows."""
    return page.locator(".rl-sc-verdict")


def place(page: Page) -> str:
    """Where A begins, in words."""
    return page.get_by_role("slider").get_attribute("aria-valuetext") or ""


def choose(page: Page, way: str) -> None:
    """Take a way from the list."""
    page.get_by_label("Way to release").select_option(label=way)


@pytest.mark.parametrize("mode", web.MODES)
@pytest.mark.parametrize("width", [1280, 360])
def test_it_is_fit_to_be_seen(browser: Browser, base: str, width: int, mode: str) -> None:
    """At first, and in the middle of the peak: nothing too wide, nothing that axe objects to."""
    with web.quiet(browser, base, mode, width) as page:
        show(page, base)
        page.evaluate("mode => { document.documentElement.dataset.theme = mode; }", mode)
        assert web.overflow(page) == []
        assert web.violations(page) == []

        choose(page, "racelab, tsc")
        for _ in range(3):
            page.get_by_role("button", name="Next release").click()
        expect(verdict(page)).to_contain_text("✗")
        web.picture(page, f"scan-{width}-{mode}")
        assert web.overflow(page) == []
        assert web.violations(page) == []
        assert _figures.text_outside(page.locator(".rl-sc-drawn svg")) == []


def test_an_update_is_lost_by_keyboard_and_said(page: Page) -> None:
    says = page.locator(".rl-living [role=status]")
    slider = page.get_by_role("slider", name="A begins")
    slider.focus()
    expect(verdict(page)).to_contain_text("✓ The windows do not meet")
    page.keyboard.press("Home")
    expect(says).to_contain_text("earlier. ✓ The windows do not meet")
    assert place(page).endswith("earlier")
    for _ in range(60):
        page.keyboard.press("PageUp")
        if "✗" in (verdict(page).text_content() or ""):
            break
    expect(says).to_contain_text("✗ The windows overlap: each thread loads before the other stores")
    expect(says).to_contain_text("rounds failed")
    before = place(page)
    page.keyboard.press("ArrowRight")
    assert place(page) != before
    page.keyboard.press("End")
    expect(says).to_contain_text("No point so far out")


def test_every_control_is_reached_by_tab(page: Page) -> None:
    page.locator("h1").click()
    reached = []
    for _ in range(4):
        page.keyboard.press("Tab")
        reached.append(
            page.evaluate(
                """() => [document.activeElement.type, getComputedStyle(document.activeElement).outlineStyle]"""
            )
        )
    kinds = ["range", "select-one", "button", "button"]
    assert reached == [[kind, "solid"] for kind in kinds]


def test_a_thread_is_dragged_along_the_other(page: Page) -> None:
    box = page.locator(".rl-sc-drawn").bounding_box()
    assert box
    middle, lane = box["x"] + box["width"] / 2, box["y"] + 30
    page.mouse.move(box["x"] + box["width"] - 30, lane)
    page.mouse.down()
    page.mouse.move(middle, lane, steps=8)
    expect(verdict(page)).to_contain_text("✗")
    page.mouse.move(box["x"] + 40, lane, steps=8)
    expect(verdict(page)).to_contain_text("✓")
    assert place(page).endswith("earlier")
    page.mouse.up()
    page.mouse.move(middle, lane)
    expect(verdict(page)).to_contain_text("✓")


def test_a_finger_drags_sideways_and_scrolls_up_and_down(browser: Browser, base: str) -> None:
    options = {"has_touch": True, "is_mobile": True}
    with web.quiet(browser, base, width=360, **options) as page:
        show(page, base)
        box = page.locator(".rl-sc-drawn").bounding_box()
        assert box
        first = place(page)
        _figures.stroke(page, 60, box["y"] + 200, 2, -150)
        page.wait_for_function("() => scrollY > 0")
        assert place(page) == first

        page.evaluate("() => scrollTo(0, 0)")
        _figures.stroke(page, box["x"] + 250, box["y"] + 200, box["width"] / 2 - 250, 3)
        expect(verdict(page)).to_contain_text("✗")


def test_a_row_is_chosen_where_it_is_drawn(page: Page) -> None:
    label = page.locator(".rl-sc-way text", has_text="racelab, tsc")
    label.scroll_into_view_if_needed()
    box = label.bounding_box()
    assert box
    page.mouse.click(box["x"] + 5, box["y"] + 20)
    expect(page.get_by_label("Way to release")).to_have_value("5")
    expect(page.locator(".rl-sc-mine text")).to_contain_text("racelab, tsc")


def test_the_next_release_is_one_of_the_way(page: Page) -> None:
    """All nineteen of the barrier and of tsc: those that the band holds are counted."""
    state = page.evaluate("() => JSON.parse(document.querySelector('figure script').textContent)")
    low, high = state["band"]
    for way in state["ways"]:
        if way["name"] not in ("threading.Barrier", "racelab, tsc"):
            continue
        choose(page, way["name"])
        expect(page.locator(".rl-says")).to_contain_text("Inside the band")
        for _ in way["cuts"]:
            page.get_by_role("button", name="Next release").click()
        narrow = sum(ns < min(-low, high) for ns in way["cuts"])
        wide = sum(ns < max(-low, high) for ns in way["cuts"])
        said = page.locator(".rl-says").text_content() or ""
        found = re.search(r"Of 19 shown, (\d+) inside", said)
        assert found
        assert narrow <= int(found[1]) <= wide
        # There is no twentieth, and a press makes none: the button says so, and keeps the focus.
        assert "inside; that is all." in said
        button = page.get_by_role("button", name="Next release")
        expect(button).to_have_attribute("aria-disabled", "true")
        before = place(page)
        page.keyboard.press("Enter")
        expect(button).to_be_focused()
        expect(page.locator(".rl-says")).to_have_text(said)
        assert place(page) == before


def test_what_is_to_be_guessed_is_not_said_before_somebody_asks(page: Page) -> None:
    says = page.locator(".rl-says")
    expect(says).to_contain_text("How many of its releases are inside the band? Guess")
    expect(says).not_to_contain_text("Inside the band")
    page.get_by_role("slider").press("Home")
    expect(says).not_to_contain_text("Inside the band")
    page.get_by_role("button", name="Next release").click()
    expect(says).to_contain_text("Inside the band")


@pytest.mark.parametrize("offset", [-40, -1, 1, 40])
def test_the_rate_stands_beside_the_peak(page: Page, base: str, offset: int) -> None:
    page.goto(f"{base}twin.html#scan={offset}_0_mine")
    page.locator("figure[data-ms] .rl-sc-drawn svg").wait_for()
    expect(page.get_by_role("slider")).to_have_attribute(
        "aria-valuetext", f"{abs(offset)} ns {'later' if offset > 0 else 'earlier'}"
    )
    covered = page.locator(".rl-sc-drawn svg").evaluate(
        """(svg) => {
          const box = svg.querySelector('.rl-sc-rate').getBBox();
          const curve = svg.querySelector('polyline');
          return Array.from({ length: 2000 }, (_, i) => curve.getPointAtLength(curve.getTotalLength() * i / 2000)).filter((at) =>
            at.x > box.x && at.x < box.x + box.width && at.y > box.y + 3 && at.y < box.y + box.height - 4).length;
        }"""
    )
    assert covered == 0


def test_a_link_brings_the_same_view_back(page: Page, base: str) -> None:
    choose(page, "appointment")
    page.get_by_role("slider").focus()
    page.keyboard.press("Home")
    page.get_by_role("button", name="Link to this").click()
    expect(page).to_have_url(re.compile(r"#scan=-\d+_0_appointment$"))
    address, there = page.url, place(page)
    page.goto("about:blank")
    show(page, base, address[address.index("#") :])
    expect(page.get_by_label("Way to release")).to_have_value("3")
    assert place(page) == there
    page.goto("about:blank")
    show(page, base, "#scan=7_2_appointment")  # two releases, and then dragged
    expect(page.locator(".rl-says")).to_contain_text("Of 2 shown")
    assert place(page) == "7 ns later"
    page.goto("about:blank")
    show(page, base, "#scan=7_0_no+such+way")  # there is no such way
    expect(page.get_by_label("Way to release")).to_have_value("1")


def test_fresh_data_of_a_kernel_are_taken(page: Page) -> None:
    """As anywidget does it: a model that changes."""
    _figures.render_with_a_kernel(
        page,
        "scan",
        """state = { ...state, points: [[-10, 0, 5, 0, 0, 0.4], [10, 4, 5, 0.8, 0.4, 1]],
             ways: [{ name: "mine", cuts: Array(19).fill(3), median: "3 ns", inside: 1, n: 777, before: null }] }""",
    )
    expect(page.locator(".rl-says")).not_to_contain_text("777")
    page.evaluate("() => fresh()")
    expect(page.locator(".rl-says")).to_contain_text("100\u00a0% of 777 releases")
    expect(page.locator(".rl-says")).to_contain_text("At 10 ns, 4 of 5 rounds failed")
    assert place(page) == "3 ns later"
    expect(page.get_by_label("Way to release").locator("option")).to_have_count(1)
    expect(page.get_by_role("button", name="Link to this")).to_have_count(0)


def test_paper_and_a_viewer_without_javascript_get_the_picture(
    browser: Browser, base: str, page: Page
) -> None:
    _figures.printed(page, ".rl-still svg")
    with _figures.without_javascript(browser, base, "index", ".rl-still svg") as picture:
        expect(picture).to_have_attribute("aria-label", re.compile("threading.Barrier: median"))


def test_on_a_phone_a_slider_keeps_its_length_whatever_its_value(
    browser: Browser, base: str
) -> None:
    with web.quiet(browser, base, width=390) as page:
        show(page, base)
        assert [len(lengths) for lengths in _figures.track_lengths(page)] == [1] * 1
        assert web.overflow(page) == []


def test_it_is_quick(page: Page, base: str) -> None:
    """Until it is drawn, and of a frame while thread A or the slider is dragged, in ms."""
    [drawn] = _figures.at_best(page, lambda: show(page, base))
    assert drawn < 100
    for place in (lambda: page.locator(".rl-sc-drawn"), lambda: page.get_by_role("slider")):
        assert _figures.while_dragging(page, lambda: show(page, base), place) < 8


def test_nothing_speaks_before_somebody_asks(page: Page) -> None:
    assert _figures.live_regions(page) == ["status"]
    says = page.locator(".rl-living [role=status]")
    page.wait_for_timeout(500)
    expect(says).to_be_empty()
    page.get_by_role("slider").press("Home")
    expect(says).to_contain_text("earlier. ✓")
