"""The timeline in a browser: scrubbed and magnified by keyboard, on a phone, in the dark, on paper; no kernel, no network."""

from __future__ import annotations

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

WAYS = ("stays attached", "detaches", "GIL on")


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A folder with one page."""
    rows = recorded("attached").rows("traces")
    figure = living.timeline(
        {way: [row for row in rows if row["way"] == way] for way in WAYS},
        notes={"detaches": "The GIL is off."},
        label="nap()",
        name="who",
    )
    with _figures.pages(tmp_path_factory.mktemp("timeline"), {"index": figure}) as address:
        yield address


@pytest.fixture
def page(browser: Browser, base: str) -> Iterator[Page]:
    """The figure on a desktop."""
    with web.quiet(browser, base) as page:
        show(page, base)
        yield page


def show(page: Page, base: str, hash: str = "") -> None:
    """Open the page and wait until its figure is drawn."""
    page.goto(f"{base}index.html{hash}")
    page.locator("figure[data-ms] .rl-tl-drawn svg").wait_for()


FILLS = """() => document.activeElement.firstChild.getBoundingClientRect().width
                   > 0.7 * document.querySelector('.rl-tl-drawn').clientWidth"""


def now(page: Page) -> float:
    """The time at the cursor, in ms."""
    text = page.locator(".rl-slider > span").first.text_content() or ""
    return float(text.removesuffix(" ms"))


@pytest.mark.parametrize("mode", web.MODES)
@pytest.mark.parametrize("width", web.WIDTHS)
def test_it_is_fit_to_be_seen(browser: Browser, base: str, width: int, mode: str) -> None:
    """Each trace, whole and magnified: nothing too wide, nothing that axe objects to."""
    with web.quiet(browser, base, mode, width) as page:
        show(page, base)
        page.evaluate("mode => { document.documentElement.dataset.theme = mode; }", mode)
        for way in WAYS:
            page.get_by_role("radio", name=way).check()
            assert web.overflow(page) == []
            assert web.violations(page) == []
            web.picture(page, f"timeline-{way.replace(' ', '-')}-{width}-{mode}")
        for _ in range(5):
            page.get_by_role("button", name="Zoom in").click()
        assert web.overflow(page) == []
        assert web.violations(page) == []


def test_at_first_it_says_who_waits_for_whom(page: Page) -> None:
    verdict = page.locator(".rl-tl-verdict")
    expect(verdict).to_contain_text("waits for the napper: attached, in nap()")
    page.wait_for_timeout(500)
    expect(page.locator(".rl-living [role=status]")).to_be_empty()  # nobody asked yet
    expect(verdict).to_have_class(re.compile("rl-tl-bad"))
    page.get_by_role("radio", name="detaches").check()
    expect(verdict).to_contain_text(
        re.compile("The napper is detached, and needs no stopping|nobody stands still for it")
    )
    expect(verdict).not_to_have_class(re.compile("rl-tl-bad"))
    expect(page.locator(".rl-tl-note")).to_have_text("The GIL is off.")
    page.get_by_role("radio", name="GIL on").check()
    expect(verdict).to_contain_text("for the GIL. The napper has it")


def test_the_time_is_moved_by_keys_and_said(page: Page) -> None:
    says = page.locator(".rl-living [role=status]")
    slider = page.get_by_role("slider", name="Time")
    slider.focus()
    began = now(page)
    page.keyboard.press("ArrowRight")
    shown = float((page.locator(".rl-slider > span").last.text_content() or "").split()[0])
    assert now(page) - began == pytest.approx(shown / 100, abs=0.2)
    page.keyboard.press("Home")
    expect(says).to_contain_text("At 0.0 ms: Nobody waits.")
    expect(says).to_contain_text("collector: detached, in time.sleep().")
    page.keyboard.press("End")
    expect(says).to_contain_text("This trace is over.")
    # Several: two changes may lie within the tenth of a millisecond that is shown.
    for _ in range(8):
        page.keyboard.press("p")
    expect(says).not_to_contain_text("over")
    before = now(page)
    for _ in range(8):
        page.keyboard.press("n")
    assert now(page) > before
    expect(slider).to_be_focused()


def test_keys_and_buttons_magnify_at_the_cursor(page: Page) -> None:
    says = page.locator(".rl-living [role=status]")
    page.get_by_role("slider", name="Time").focus()
    began, boxes = now(page), page.locator("[data-span]").count()
    for _ in range(4):
        page.keyboard.press("+")
    expect(says).to_contain_text("ms shown, from")
    assert now(page) == pytest.approx(began, abs=0.1)
    page.wait_for_function(
        "most => document.querySelectorAll('[data-span]').length < most", arg=boxes
    )
    button = page.get_by_role("button", name="Zoom out")
    button.focus()
    for _ in range(5):
        page.keyboard.press("Enter")
    expect(button).to_be_focused()
    expect(page.locator("[data-span]")).to_have_count(boxes)


def test_a_box_tells_its_length_to_keys_and_pointer(page: Page) -> None:
    hint = page.locator(".rl-tl-hint")
    expect(hint).to_contain_text("How long is a box?")
    stop = page.locator("[data-span][tabindex='0']")
    expect(stop).to_have_count(1)
    stop.focus()
    expect(hint).to_contain_text(re.compile(r"^collector: .*\sms \("))
    expect(page.locator("[data-span]:focus")).to_have_attribute("aria-label", hint.text_content())
    page.keyboard.press("ArrowDown")
    expect(hint).to_contain_text(re.compile("^bystander: "))
    first = hint.text_content()
    page.keyboard.press("ArrowLeft")
    expect(hint).not_to_have_text(first or "")
    page.keyboard.press("Enter")  # it fills the picture
    focused = page.locator("[data-span]:focus")
    expect(focused).to_be_visible()
    page.wait_for_function(FILLS)

    box = page.locator("[data-span] .rl-tl-detached").first.bounding_box()
    if box:
        page.mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
        expect(hint).to_contain_text(re.compile("^collector: detached, in time.sleep"))


@pytest.mark.parametrize("how", ["Space", "click"])
def test_a_box_is_a_button(page: Page, how: str) -> None:
    """What Enter does, Space does, and a click that comes from no pointer: of a screen reader, or by voice."""
    page.locator("[data-span][tabindex='0']").focus()
    assert not page.evaluate(FILLS)
    scrolled = page.evaluate("() => scrollY")
    if how == "Space":
        page.keyboard.press("Space")
    else:
        page.locator("[data-span]:focus").dispatch_event("click")
    page.wait_for_function(FILLS)
    expect(page.locator(".rl-living [role=status]")).to_contain_text(re.compile("^collector: "))
    assert page.evaluate("() => scrollY") == scrolled


def test_a_click_moves_the_cursor_and_two_magnify(page: Page) -> None:
    box = page.locator("[data-span] .rl-tl-attached").first.bounding_box()
    shown = page.locator(".rl-slider > span").last
    before, whole = now(page), shown.text_content() or ""
    assert box
    place = {"x": box["x"] + box["width"] / 2, "y": box["y"] + box["height"] / 2}
    page.mouse.click(**place)
    assert now(page) != before
    expect(shown).to_have_text(whole)
    page.mouse.dblclick(**place)
    expect(shown).not_to_have_text(whole)


def test_a_finger_drags_sideways_taps_and_scrolls_up_and_down(browser: Browser, base: str) -> None:
    with web.quiet(browser, base, width=360, has_touch=True, is_mobile=True) as page:
        show(page, base)
        drawn = page.locator(".rl-tl-drawn")
        page.add_style_tag(content="body { padding-bottom: 100vh; }")
        drawn.scroll_into_view_if_needed()
        box = drawn.bounding_box()
        assert box
        first, scrolled = now(page), page.evaluate("() => scrollY")
        lane = box["y"] + 60
        _figures.stroke(page, box["x"] + 40, lane, 2, -150)
        page.wait_for_function("before => scrollY > before", arg=scrolled)
        assert now(page) == first

        drawn.scroll_into_view_if_needed()
        box = drawn.bounding_box()
        assert box
        lane = box["y"] + 60
        _figures.stroke(page, box["x"] + 40, lane, box["width"] / 4 - 40, 3)
        dragged = now(page)
        assert dragged < first
        page.touchscreen.tap(box["x"] + box["width"] * 0.9, lane)
        assert now(page) > first


def test_the_cursor_follows_the_mouse(page: Page) -> None:
    drawn = page.locator(".rl-tl-drawn").bounding_box()
    assert drawn
    middle = drawn["y"] + drawn["height"] / 2
    page.mouse.move(drawn["x"] + 5, middle)
    page.mouse.down()
    first = now(page)
    page.mouse.move(drawn["x"] + drawn["width"] / 4, middle, steps=5)
    page.mouse.up()
    second = now(page)
    assert second > first
    page.mouse.move(drawn["x"] + drawn["width"] / 2, middle)  # let go: it stays
    assert now(page) == second


def test_a_link_brings_the_same_view_back(page: Page, base: str) -> None:
    page.get_by_role("radio", name="detaches").check()
    page.get_by_role("button", name="Zoom in").click()
    page.get_by_role("button", name="Link to this").click()
    assert "#who=detaches." in page.url
    address, said = page.url, page.locator(".rl-tl-verdict").text_content()
    page.goto("about:blank")
    show(page, base, address.partition("index.html")[2])
    expect(page.locator(".rl-tl-verdict")).to_have_text(said or "")
    expect(page.get_by_role("radio", name="detaches")).to_be_checked()
    page.goto("about:blank")
    show(page, base, "#who=detaches.1.2.3")  # nonsense
    expect(page.get_by_role("radio", name=WAYS[0])).to_be_checked()


def test_fresh_traces_of_a_kernel_are_taken(page: Page) -> None:
    """As anywidget does it: a model that changes. What was chosen stays, where it is still there."""
    _figures.render_with_a_kernel(
        page,
        "timeline",
        """const trace = { name: "GIL on", note: "", gil: true, threads: ["mine"], events: [], end: 9000,
             spans: [[0, "waiting", 0, 9000, ""]] };
           state = { ...state, begin: "my run", traces: [{ ...trace, name: "my run" }, trace] }""",
    )
    page.get_by_role("radio", name="GIL on").check()
    page.evaluate("() => fresh()")
    expect(page.get_by_role("radio")).to_have_count(2)
    expect(page.get_by_role("radio", name="GIL on")).to_be_checked()
    expect(page.locator("[data-span]")).to_have_count(1)
    expect(page.locator(".rl-tl-verdict")).to_have_text(
        "At 4.500 ms: Mine waits for the GIL. It is changing hands.".replace("Mine", "The mine")
    )
    page.get_by_role("radio", name="my run").check()
    page.evaluate("() => fresh()")
    expect(page.get_by_role("radio", name="my run")).to_be_checked()
    expect(page.get_by_role("button", name="Link to this")).to_have_count(0)


@pytest.mark.parametrize("way", WAYS[:2])
def test_a_thread_that_is_done_is_between_no_calls(page: Page, way: str) -> None:
    """Near the end of a trace, when the collector and the bystander are over; the napper is not."""
    rows = [row for row in recorded("attached").rows("traces") if row["way"] == way]
    ends = [
        max(row["end_ns"] for row in rows if row.get("thread") == thread)
        for thread in ("collector", "bystander", "napper")
    ]
    at = round((max(ends[:2]) + ends[2]) / 2000)
    page.evaluate(f"() => {{ location.hash = 'who={way}.{at}.0.{max(ends) // 1000}'; }}")
    expect(page.locator(".rl-tl-rows dd")).to_have_text(["done", "done", re.compile("nap")])


def test_on_a_phone_one_taps(browser: Browser, base: str) -> None:
    with web.quiet(browser, base, width=390, has_touch=True, is_mobile=True) as page:
        show(page, base)
        expect(page.locator(".rl-tl-hint")).to_contain_text("How long is a box? Tap it.")
        expect(page.locator(".rl-tl-hint")).not_to_contain_text("Point")


def test_zoom_grows_to_the_right_and_says_what_is_shown(page: Page) -> None:
    zoom = page.get_by_role("slider", name="Zoom")
    expect(zoom).to_have_attribute("aria-valuetext", re.compile(r"^\d{3}\sms shown$"))
    zoom.press("End")
    expect(zoom).to_have_attribute("aria-valuetext", "500\u00a0µs shown")


def test_a_box_says_what_a_press_on_it_does(page: Page) -> None:
    box = page.locator("[data-span][tabindex='0']")
    expect(box).to_have_accessible_description("Enter or Space zooms to it")
    expect(page.locator("figcaption")).to_contain_text("A double click on a box zooms to it")


def test_paper_and_a_viewer_without_javascript_get_all_traces(
    browser: Browser, base: str, page: Page
) -> None:
    _figures.printed(page, ".rl-still svg")
    expect(page.locator(".rl-tl-made")).to_have_text("detaches: The GIL is off.")
    expect(page.locator(".rl-tl-made")).to_be_visible()
    with _figures.without_javascript(browser, base, "index", ".rl-still svg") as picture:
        for way in WAYS:
            expect(picture).to_contain_text(way)


def test_on_a_phone_a_slider_keeps_its_length_whatever_its_value(
    browser: Browser, base: str
) -> None:
    with web.quiet(browser, base, width=390) as page:
        show(page, base)
        assert [len(lengths) for lengths in _figures.track_lengths(page)] == [1] * 2
        assert web.overflow(page) == []


def test_it_is_quick(page: Page, base: str) -> None:
    """Until it is drawn, and of a frame while the picture and the sliders are dragged over, in ms; magnified, too."""
    [drawn] = _figures.at_best(page, lambda: show(page, base))
    assert drawn < 100

    def magnified() -> None:
        show(page, base)
        for _ in range(3):
            page.get_by_role("button", name="Zoom in").click()

    drags = [
        (lambda: show(page, base), lambda: page.locator(".rl-tl-drawn")),
        (magnified, lambda: page.locator(".rl-tl-drawn")),
        (magnified, lambda: page.get_by_role("slider", name="Time")),
        (lambda: show(page, base), lambda: page.get_by_role("slider", name="Zoom")),
    ]
    for opened, place in drags:
        assert _figures.while_dragging(page, opened, place) < 8
