"""Tables on a phone: words stay whole, a name breaks behind its underscores, and what scrolls says so."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import _browser as web
import pytest
from playwright.sync_api import Browser, Page

pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(web.CHROMIUM is None, reason=web.NO_CHROMIUM),
]
STATIC = web.ROOT / "book/_static"
NAMES = ("borrowed_weakref", "pthread_mutex_t", "false_sharing", "interpreter", "account")
#: Words of cells that stand in two lines.
BROKEN = """() => {
  const bad = [];
  for (const cell of document.querySelectorAll("td, th")) {
    const walk = document.createTreeWalker(cell, NodeFilter.SHOW_TEXT);
    while (walk.nextNode()) {
      const text = walk.currentNode;
      for (const word of text.data.matchAll(/[A-Za-z0-9]+/g)) {
        const range = document.createRange();
        range.setStart(text, word.index);
        range.setEnd(text, word.index + word[0].length);
        const lines = new Set([...range.getClientRects()].map((box) => Math.round(box.top)));
        if (lines.size > 1) bad.push(word[0]);
      }
    }
  }
  return bad;
}"""


def markup() -> str:
    """A page of the book, as Sphinx writes it: a table of names, five columns wide."""
    heads = "".join(f"<th><p>{word}</p></th>" for word in ("broken variant", *["a number"] * 5))
    rows = "".join(
        f'<tr><td><p><code class="literal"><span class="pre">{name}</span></code></p></td>'
        + "<td><p><strong>0.94 s</strong> (crash)</p></td>" * 5
        + "</tr>"
        for name in NAMES
    )
    return (
        '<!doctype html><html data-theme="light" lang="en"><head><title>a table</title>'
        '<link rel="stylesheet" href="book.css"><script src="book.js"></script></head><body>'
        '<article class="bd-article"><p>Before it.</p><div class="pst-scrollable-table-container">'
        f"<table><thead><tr>{heads}</tr></thead><tbody>{rows}</tbody></table></div></article></body></html>"
    )


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The page, with the book's own style and script."""
    folder: Path = tmp_path_factory.mktemp("tables")
    for name in ("book.css", "book.js"):
        (folder / name).write_bytes((STATIC / name).read_bytes())
    (folder / "index.html").write_text(markup(), encoding="utf-8")
    with web.served(folder) as base:
        yield base


@pytest.fixture
def show(browser: Browser, address: str) -> Iterator[Page]:
    page = browser.new_page(viewport={"width": 390, "height": 800})
    page.goto(address)
    yield page
    page.close()


HINT = "() => getComputedStyle(document.querySelector('article > div'), '::before').content"


def test_words_stay_whole_and_names_break_behind_their_underscores(show: Page) -> None:
    assert show.evaluate(BROKEN) == []
    assert show.locator("wbr").count() == sum(name.count("_") for name in NAMES)
    assert show.locator("td code").all_text_contents() == list(NAMES), "what is copied is the name"


def test_a_wide_table_says_that_it_scrolls_and_keeps_its_first_column(show: Page) -> None:
    box, first = show.locator("article > div"), show.locator("tbody td").first
    assert "scroll sideways" in show.evaluate(HINT)
    before = first.bounding_box()
    assert box.evaluate("(box) => { box.scrollLeft = 80; return box.scrollLeft; }") > 0
    after = first.bounding_box()

    assert before is not None
    assert after is not None
    assert after["x"] == pytest.approx(before["x"], abs=1)
    second = show.locator("tbody td").nth(1).bounding_box()
    assert second is not None
    assert second["x"] < after["x"] + after["width"], "the others have gone below it"


def test_a_table_that_has_room_says_nothing(show: Page) -> None:
    show.set_viewport_size({"width": 1280, "height": 800})
    show.wait_for_function(f"{HINT.removeprefix('() => ')} === 'none'")

    assert show.locator(".scrolls").count() == 0
    assert show.evaluate(BROKEN) == []
