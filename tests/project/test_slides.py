"""The page of figures as slides: by keyboard, by address, on paper, and without any script."""

from __future__ import annotations

import re
from collections.abc import Iterator

import _browser as web
import pytest
from playwright.sync_api import Browser, Page, expect

pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(web.CHROMIUM is None, reason=web.NO_CHROMIUM),
]

SOURCE = (web.ROOT / "book/slides.md").read_text(encoding="utf-8")
TITLES = re.findall(r"^## (.+)$", SOURCE, re.M)
LAST = len(TITLES)


@pytest.fixture
def page(browser: Browser, site: str) -> Iterator[Page]:
    """The page in a context of its own; what goes wrong or leaves the site fails the test."""
    with web.offline(browser, site) as (context, watch):
        page = context.new_page()
        page.goto(f"{site}book/slides.html")
        web.settle(page)
        yield page
    assert watch.outside == watch.failed == watch.messages == []


def begin(page: Page) -> None:
    """Show the first slide."""
    page.get_by_role("button", name="Show as slides").press("Enter")


def shown(page: Page) -> list[str]:
    """The titles that can be seen."""
    return [
        text.rstrip("#").strip() for text in page.locator("article h2:visible").all_inner_texts()
    ]


def at(page: Page, number: int) -> None:
    """This slide is shown, alone, and the page says so everywhere."""
    expect(page).to_have_url(re.compile(rf"slides\.html#slide-{number}$"))
    assert [text.replace("\u2019", "'") for text in shown(page)] == [TITLES[number - 1]]
    expect(page.locator(".slides-bar span")).to_have_text(f"{number} / {LAST}")
    expect(page.get_by_role("status").filter(has_text="Slide")).to_contain_text(
        f"Slide {number} of {LAST}: "
    )


def test_keys_lead_through_all_slides(page: Page) -> None:
    assert len(shown(page)) == LAST
    begin(page)
    at(page, 1)
    for number in range(2, LAST + 1):
        page.keyboard.press("ArrowRight")
        at(page, number)
    page.keyboard.press("ArrowRight")
    at(page, LAST)
    page.keyboard.press("Home")
    at(page, 1)
    page.keyboard.press("ArrowLeft")
    at(page, 1)
    page.keyboard.press("End")
    at(page, LAST)
    for key, number in (("PageUp", LAST - 1), ("PageDown", LAST), ("Shift+Space", LAST - 1),
                        ("Space", LAST), ("ArrowUp", LAST - 1), ("ArrowDown", LAST)):  # fmt: skip
        page.keyboard.press(key)
        at(page, number)


def test_keys_mean_nothing_on_the_page(page: Page) -> None:
    for key in ("ArrowRight", "End", "n", "f", "Escape"):
        page.keyboard.press(key)
    assert len(shown(page)) == LAST
    assert page.evaluate("document.fullscreenElement") is None
    assert page.locator("article details[open]").count() == 0
    assert "#" not in page.url


def test_browsers_own_keys_are_left_alone(page: Page) -> None:
    begin(page)
    for key in ("Control+ArrowRight", "Alt+n", "Control+End", "Meta+f"):
        page.keyboard.press(key)
    at(page, 1)


def test_escape_leads_back_to_the_section(page: Page) -> None:
    begin(page)
    for _ in range(4):
        page.keyboard.press("ArrowRight")
    page.keyboard.press("n")
    page.keyboard.press("Escape")

    assert len(shown(page)) == LAST
    assert page.locator("article details[open]").count() == 0
    heading = page.locator("article h2").nth(4)
    expect(heading).to_be_in_viewport()
    assert (
        page.evaluate("document.activeElement.querySelector('h2')?.textContent")
        == heading.text_content()
    )
    assert re.search(r"#(?!slide-)[\w-]+$", page.url)


def test_address_is_kept_and_leads_to_a_slide(page: Page, site: str) -> None:
    page.goto(f"{site}book/slides.html#slide-3")
    page.reload()
    at(page, 3)
    page.evaluate("location.hash = 'slide-5'")
    at(page, 5)
    page.evaluate("location.hash = 'slide-999'")
    at(page, LAST)
    page.evaluate("location.hash = document.querySelectorAll('article h2')[1].parentElement.id")
    page.wait_for_function("() => !document.documentElement.hasAttribute('data-slides')")
    assert len(shown(page)) == LAST


def test_no_way_back_button_is_needed_through_the_slides(page: Page) -> None:
    """Whoever came to the page gets back with one press, however many slides there were."""
    before = page.evaluate("history.length")
    begin(page)
    for _ in range(5):
        page.keyboard.press("ArrowRight")

    assert page.evaluate("history.length") == before


def test_notes_open_and_close_on_all_slides(page: Page) -> None:
    begin(page)
    note = page.locator(".slides-now details")
    assert not note.is_visible()
    page.keyboard.press("n")
    expect(note.locator("li").first).to_be_visible()
    page.keyboard.press("ArrowRight")
    expect(note.locator("li").first).to_be_visible()
    page.get_by_role("button", name="Notes", pressed=True).press("Enter")
    assert not note.is_visible()


def test_a_window_that_the_browser_refuses_is_told_to_the_eyes_too(page: Page) -> None:
    begin(page)
    page.evaluate("() => { window.open = () => null; }")
    page.keyboard.press("w")
    said = page.locator(".slides-said")
    expect(said).to_contain_text("allow it for this page")
    box = said.bounding_box()
    assert box
    assert box["width"] > 200
    page.keyboard.press("ArrowRight")
    expect(said).to_contain_text("Slide 2")
    assert (said.bounding_box() or {"width": 0})["width"] <= 1


def test_full_screen_and_back(page: Page) -> None:
    begin(page)
    page.keyboard.press("f")
    page.wait_for_function("() => document.fullscreenElement")
    page.keyboard.press("f")
    page.wait_for_function("() => !document.fullscreenElement")
    at(page, 1)


def test_buttons_do_the_same_and_keep_the_focus(page: Page) -> None:
    begin(page)
    assert page.get_by_role("button", name="Previous slide").is_disabled()
    forward = page.get_by_role("button", name="Next slide")
    for number in range(2, LAST + 1):
        forward.press("Enter")
        at(page, number)
    assert forward.is_disabled()
    page.keyboard.press("ArrowLeft")  # the focus went to the slide, and keys still work
    at(page, LAST - 1)
    page.get_by_role("button", name="Close the slides").press("Enter")
    assert len(shown(page)) == LAST


def test_notes_in_a_window_of_their_own_keep_in_step(page: Page) -> None:
    """On the slide itself nothing of them is seen; keys lead on from either window."""
    begin(page)
    page.keyboard.press("ArrowRight")
    with page.expect_popup() as opened:
        page.keyboard.press("w")
    desk = opened.value
    expect(desk.get_by_role("heading")).to_have_text(f"2 / {LAST}: {TITLES[1]}")
    expect(desk.get_by_text(f"Next: {TITLES[2]}")).to_be_visible()
    assert desk.locator("li").count() == page.locator(".slides-now details li").count() > 0
    assert not page.locator(".slides-now details").is_visible()
    page.keyboard.press("ArrowRight")
    expect(desk.get_by_role("heading")).to_have_text(f"3 / {LAST}: {TITLES[2]}")
    desk.keyboard.press("ArrowRight")
    at(page, 4)
    with desk.expect_event("close"):
        page.keyboard.press("Escape")


@pytest.mark.parametrize("size", [(1280, 720), (1920, 1080), (1024, 768), (844, 390)])
def test_every_slide_fits_its_window(page: Page, size: tuple[int, int]) -> None:
    """Nothing is cut off or has to be scrolled, and figures are as large as there is room."""
    page.set_viewport_size({"width": size[0], "height": size[1]})
    begin(page)
    for number in range(1, LAST + 1):
        found = page.evaluate(
            """() => {
              const slide = document.querySelector('.slides-now');
              const bar = document.querySelector('.slides-bar').getBoundingClientRect();
              const parts = [...slide.querySelectorAll('h2, p, svg, li, figcaption')]
                .filter((e) => e.checkVisibility() && !e.closest('details'));
              const drawing = slide.querySelector('.racelab-figure svg')?.getBoundingClientRect();
              return {
                scrolls: slide.scrollHeight > slide.clientHeight + 1 || slide.scrollWidth > slide.clientWidth + 1,
                outside: parts.filter((e) => { const b = e.getBoundingClientRect();
                  return b.left < 0 || b.top < 0 || b.right > innerWidth + 1 || b.bottom > bar.top + 1; })
                  .map((e) => e.outerHTML.slice(0, 80)),
                height: drawing ? drawing.height / innerHeight : null,
              };
            }"""
        )
        assert not found["scrolls"], TITLES[number - 1]
        assert found["outside"] == [], TITLES[number - 1]
        assert found["height"] is None or found["height"] > 0.4, TITLES[number - 1]
        page.keyboard.press("ArrowRight")


def test_on_a_phone_nothing_is_lost(page: Page) -> None:
    page.set_viewport_size({"width": 360, "height": 780})
    begin(page)
    for number in range(1, LAST + 1):
        wide = page.evaluate("document.querySelector('.slides-now').scrollWidth")
        assert wide <= 360, TITLES[number - 1]
        page.keyboard.press("ArrowRight")
    page.keyboard.press("n")
    page.evaluate("document.querySelector('.slides-now').scrollTo(0, 1e6)")
    expect(page.locator(".slides-now li").last).to_be_in_viewport()


@pytest.mark.parametrize("mode", web.MODES)
@pytest.mark.parametrize("width", [1280, 360])
def test_axe_finds_nothing_on_slides(browser: Browser, site: str, mode: str, width: int) -> None:
    with web.offline(browser, site, mode=mode, width=width) as (context, watch):
        page = context.new_page()
        page.goto(f"{site}book/slides.html#slide-1")
        web.settle(page)
        for number in (1, 2, 6, LAST - 1, LAST):
            page.evaluate(f"location.hash = 'slide-{number}'")
            at(page, number)
            assert web.violations(page) == []
        page.keyboard.press("n")
        assert web.violations(page) == []
    assert watch.outside == watch.failed == watch.messages == []


def test_frame_of_the_book_is_out_of_the_way(page: Page) -> None:
    """Tab stays among the slide's own links and the bar."""
    begin(page)
    places = set()
    for _ in range(12):
        page.keyboard.press("Tab")
        places.add(page.evaluate("Boolean(document.activeElement.closest('.slides-now, .slides-bar, body > :not(*)')"
                                 " || document.activeElement === document.body)"))  # fmt: skip
    assert places == {True}


def test_paper_has_one_slide_on_each_page(page: Page) -> None:
    for _ in range(2):  # as a page, then from the middle of the slides
        pages = re.findall(rb"/Type\s*/Page\b", page.pdf(prefer_css_page_size=True))
        assert len(pages) == LAST
        if not page.locator(".slides-now").count():
            begin(page)
            page.keyboard.press("End")
    ring = page.locator(".slides-now").evaluate("(slide) => getComputedStyle(slide).outlineStyle")
    assert ring == "none"  # what has the focus is not printed with its ring


def test_without_scripts_it_is_a_page_to_read(browser: Browser, site: str) -> None:
    with web.offline(browser, site, java_script_enabled=False) as (context, _):
        page = context.new_page()
        page.goto(f"{site}book/slides.html#slide-3")
        assert len(shown(page)) == LAST
        assert page.get_by_role("button", name="Show as slides").count() == 0
        assert page.locator("article .racelab-figure svg").count() > 8
        assert page.locator("article details summary").count() == LAST


def test_no_note_asks_what_the_slide_has_answered() -> None:
    """A question that comes before a figure has a slide of its own before it."""
    slides = re.split(r"^## ", SOURCE, flags=re.M)[1:]
    for slide in slides:
        notes = slide.partition("<summary>Notes")[2]
        assert not re.search(r"before you show|before the second row", notes), slide[:40]
    for title in ("One broken counter", "The GIL was not", "Two safe calls are not"):
        [nth] = [nth for nth, slide in enumerate(slides) if slide.startswith(title)]
        assert nth > 0
        assert "- Ask" in slides[nth - 1]
        assert "code-cell" not in slides[nth - 1]


def test_last_slide_names_every_recording(page: Page) -> None:
    """Those that the page reads by itself, too."""
    named = set(re.findall(r'recorded\("(\w+)"\)|: \("(\w+)", "(?:broken|fixed)', SOURCE))
    said = page.locator("article > section > section").last.inner_text()
    for slug in {"welcome", *map("".join, named)}:
        assert re.search(rf"\b{slug}\b", said), slug
    assert "All of them are drawn from recordings" not in SOURCE


def test_one_sentence_one_note_and_a_way_to_the_chapter() -> None:
    """What a slide consists of; figures are of recordings, never of a race that runs when the page is built."""
    assert not re.search(r"\brl\.(race|run_child|scan_offsets)\b", SOURCE)
    for slide in re.split(r"^## ", SOURCE, flags=re.M)[1:]:
        title, body = slide.split("\n", 1)
        sentence = body.strip().split("\n\n")[0]
        assert sentence.endswith("."), title
        assert len(re.findall(r"[.!?](?= [A-Z])", sentence)) == 0, f"{title}: one sentence"
        assert body.count("<summary>Notes</summary>") == 1, title
        assert "\n- " in body.partition("<summary>Notes")[2], title
        if "code-cell" in body and "Where the figures" not in title:
            assert re.search(r"\]\(\.\./notebooks/\d\d_\w+\.md", sentence), (
                f"{title}: which chapter?"
            )
