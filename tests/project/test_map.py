"""The map leads to every chapter and every lab, and no way of it leads nowhere."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import _browser as web
import pytest
import yaml
from playwright.sync_api import Browser, Page, expect

ROOT = Path(__file__).resolve().parents[2]
MAP = ROOT / "book/map.md"
VERSIONS = ROOT / "book/versions.md"

NO_LEAD = {"PyBytes_GET_SIZE", "PyObject", "Py_ssize_t", "Py_tss_NEEDS_INIT"}
"""Names that stand in racing code and say nothing about what is wrong with it."""

NO_LEADS = re.compile(r"Py(Err|Unicode)_\w+")
"""Likewise: raising, and making strings."""


@dataclass
class Link:
    """A link of a page to a file of the book, with the words that it shows."""

    words: str
    file: Path
    anchor: str


def links(page: Path) -> Iterator[Link]:
    """Every link of the page that leads to a page of the book."""
    for words, target in re.findall(r"\[((?:`[^`]*`|[^\]`])+)\]\(([^)]+)\)", page.read_text()):
        if "://" not in target:
            file, _, anchor = target.partition("#")
            place = (page.parent / file).resolve() if file else page
            yield Link(words, place, anchor)


def headings(page: Path) -> dict[str, str]:
    """Anchor of each heading of a page, as MyST makes it, to the heading's words."""
    found: dict[str, str] = {}
    fenced = False
    for line in page.read_text().splitlines():
        fenced ^= line.startswith("```")
        if fenced:
            continue
        if match := re.match(r"#{1,3} (.+)", line):
            found[re.sub(r"[^\w\- ]", "", match[1].lower().replace(" ", "-"))] = match[1]
    return found


def title(page: Path) -> str:
    """The first heading of a page."""
    return next(iter(headings(page).values()))


def entries() -> dict[str, str]:
    """Term of each entry of the map, to what stands under it."""
    parts = re.split(r"^(?=\S.*\n: )", MAP.read_text(), flags=re.M)[1:]
    return {part.splitlines()[0]: part.split("\n", 1)[1] for part in parts}


def names(text: str) -> set[str]:
    """Names of Python's C API; `Py_...` and `Py...`, whole words."""
    return set(re.findall(r"\bPy[A-Z_]\w*", text))


def racing_code(source: Path) -> str:
    """What stands in the marked regions of a source."""
    text = source.read_text()
    regions = re.findall(
        r"(?:/\*|#) \[race(?::(\w+))?\](?: \*/)?\n(.*?)(?:/\*|#) \[race(?::\1)?\]", text, re.S
    )
    code = "\n".join(region for _, region in regions)
    return re.sub(r"/\*.*?\*/|//[^\n]*", "", code, flags=re.S)


BROKEN = sorted(
    path
    for path in ROOT.glob("ext/*/*_broken*")
    if path.suffix in (".c", ".cpp", ".pyx") and "[race" in path.read_text()
)


@pytest.fixture(scope="module")
def labs() -> dict[str, list[str]]:
    """Every lab with its variants."""
    shown = subprocess.run(
        [ROOT / ".venv-ft/bin/racelab", "labs", "--json"],
        capture_output=True,
        text=True,
        check=True,
        cwd=ROOT,
    )
    return {one["lab"]: one["variants"] for one in json.loads(shown.stdout)}


def test_every_chapter_is_led_to():
    toc = yaml.safe_load((ROOT / "_toc.yml").read_text())
    files = [c["file"] for part in toc["parts"] for c in part["chapters"]]
    led_to = {str(link.file.relative_to(ROOT).with_suffix("")) for link in links(MAP)}
    missing = {name for name in files if name not in led_to} - {"book/map", "book/glossary"}
    assert not missing, f"no entry of book/map.md leads to {sorted(missing)}"
    assert "{ref}`glossary`" in MAP.read_text()


def test_every_lab_is_led_to_and_no_other(labs):
    commands = re.findall(r"`racelab race (\w+)([^`]*)`", MAP.read_text())
    named = {lab for lab, _ in commands}
    assert not set(labs) - named, f"no entry of book/map.md races {sorted(set(labs) - named)}"
    assert not named - set(labs), f"book/map.md races {sorted(named - set(labs))}: not a lab"
    for lab, options in commands:
        for variant in re.findall(r"--variant (\w+)", options):
            assert variant in labs[lab], f"book/map.md: {lab} has no variant {variant}"


@pytest.mark.parametrize("page", [MAP, VERSIONS], ids=lambda path: path.stem)
def test_every_way_leads_somewhere_and_says_where(page):
    """A link's words are the page's title, or the title and the section's: the map has no stale names."""
    found = list(links(page))
    assert found
    for link in found:
        assert link.file.is_file(), f"{link.words}: there is no {link.file}"
        places = headings(link.file)
        assert not link.anchor or link.anchor in places, f"{link.file.name} has no #{link.anchor}"
        if page == MAP:
            words = title(link.file)
            if link.anchor:
                section = places[link.anchor]
                words += ": " + (section.split(":")[0] if link.file.stem == "errata" else section)
            assert link.words == words, f"the map says {link.words!r}, the page says {words!r}"


def test_every_entry_says_where_to_read():
    assert len(entries()) > 60
    for term, text in entries().items():
        assert re.search(r"\]\(\S+\.md", text), f"{term}: leads to no page"
        assert text.startswith(": "), term
        assert "\n\n  Read " in text, f"{term}: the second paragraph says what to read"


def test_no_term_stands_twice():
    text = MAP.read_text()
    terms = re.findall(r"^(\S.*)\n: ", text, re.M)
    assert len(terms) == len(set(terms)) == len(entries())


@pytest.mark.parametrize("source", BROKEN, ids=lambda path: path.stem)
def test_names_of_racing_code_stand_in_the_map(source):
    """Whoever greps their own source for a name of a broken file finds it here."""
    used = {n for n in names(racing_code(source)) if n not in NO_LEAD and not NO_LEADS.match(n)}
    known = names(MAP.read_text())
    missing = used - known
    assert not missing, (
        f"{source.name}: {sorted(missing)} not in book/map.md (or no lead: see NO_LEAD)"
    )


def test_exemptions_are_needed():
    """A name that no broken source uses any more is no exemption."""
    used = set().union(*(names(racing_code(source)) for source in BROKEN))
    assert not {name for name in NO_LEAD if name not in used}


def test_every_row_of_the_versions_says_what_was_read():
    """Five cells each; the last has a link and a date; what was run says where."""
    rows = [
        [cell.strip() for cell in line.strip("| ").split(" | ")]
        for line in VERSIONS.read_text().splitlines()
        if line.startswith("| ") and not line.startswith("| topic")
    ]
    assert len(rows) > 25
    for row in rows:
        assert len(row) == 5, row
        assert re.search(r"\]\(https://|\]\[\w+\]", row[-1]), f"{row[0]}: a link to what was read"
        assert re.search(r"20\d\d", row[-1]), f"{row[0]}: the year of what was read"
        for cell in row[2:4]:
            assert "●" not in cell, f"{row[0]}: only 3.13t was run"
        for mark in re.findall(r"●(.*)", row[1]):
            assert mark.startswith(" ["), f"{row[0]}: what was run has a link to the place"


# -- In a browser ------------------------------------------------------------------------------------------------


@pytest.fixture
def page(browser: Browser, site: str) -> Iterator[Page]:
    """The map in a context of its own; what goes wrong or leaves the site fails the test."""
    with web.offline(browser, site) as (context, watch):
        page = context.new_page()
        page.goto(f"{site}book/map.html")
        web.settle(page)
        yield page
    assert watch.outside == watch.failed == watch.messages == []


def shown(page: Page) -> list[str]:
    """The terms that are to be seen."""
    return [term for term in page.locator("dl > dt:visible").all_inner_texts() if term]


@pytest.mark.browser
def test_filter_by_keyboard(page):
    total = len(shown(page))
    assert total == len(entries())
    box = page.get_by_role("searchbox", name="A symptom, a message or a name")
    for _ in range(60):
        page.keyboard.press("Tab")
        if box.evaluate("(one) => one === document.activeElement"):
            break
    else:
        pytest.fail("Tab does not lead to the filter")
    page.keyboard.type("PyDict_Next")
    count = page.get_by_role("status").filter(has_text="of")
    expect(count).to_have_text(re.compile(rf"^\d+ of {total} entries$"))
    left = shown(page)
    assert count.inner_text() == f"{len(left)} of {total} entries"
    assert 0 < len(left) < 5
    assert any("PyDict_Next" in term for term in left)
    assert (
        page.locator("section section:visible").count()
        == page.locator("section section:has(dt:visible)").count()
    )
    expect(page).to_have_url(re.compile(r"\?q=PyDict_Next$"))
    page.keyboard.press("Enter")
    assert page.evaluate("document.activeElement.closest('dd:not([hidden])') !== null")
    box.focus()
    page.keyboard.press("Escape")
    expect(page).to_have_url(re.compile(r"map\.html$"))
    assert len(shown(page)) == total


@pytest.mark.browser
def test_every_word_has_to_occur_in_any_order(page):
    box = page.locator("#map-q")
    box.fill("core hangs")
    first = shown(page)
    box.fill("HANGS   core")
    assert first == shown(page) == ["The process hangs and uses a whole core"]


@pytest.mark.browser
def test_a_word_is_found_where_a_word_begins(page):
    box = page.locator("#map-q")
    box.fill("hang")
    hangs = shown(page)
    assert "The process hangs and uses no processor" in hangs
    assert not [term for term in hangs if "changed size" in term]
    for query in ("getitemref", "xsetref", "PyDict_Next()", "--count", "sanitizer"):
        box.fill(query)
        assert shown(page), query


@pytest.mark.browser
@pytest.mark.parametrize(
    ("message", "term"),
    [
        (
            "RuntimeWarning: The global interpreter lock (GIL) has been enabled to load module 'spam', which has "
            "not declared that it can run safely without the GIL. To override this behavior and keep the GIL "
            "disabled (at your own risk), run with PYTHON_GIL=0 or -Xgil=0.",
            "RuntimeWarning: The global interpreter lock",
        ),
        ("Fatal Python error: Segmentation fault", "Crash on some days"),
        ("SystemError: init function of spam returned uninitialized object", "SystemError: init"),
        (
            "ERROR: spam-1.0-cp313-cp313-linux_x86_64.whl is not a supported wheel on this platform.",
            "... is not a supported wheel",
        ),
    ],
)
def test_a_message_can_be_pasted(page, message, term):
    page.locator("#map-q").fill(message)
    found = shown(page)
    assert 0 < len(found) < 4
    assert any(one.startswith(term) for one in found)


@pytest.mark.browser
def test_nothing_found_says_so_and_leads_on(page, site):
    page.locator("#map-q").fill("xyzzy & co")
    expect(page.locator("#map-count")).to_contain_text(
        "Nothing on this page has all of these words."
    )
    assert shown(page) == []
    link = page.locator("#map-count a")
    assert link.evaluate("(one) => one.href") == f"{site}search.html?q=xyzzy%20%26%20co"
    assert web.violations(page) == []


@pytest.mark.browser
def test_link_with_a_query_and_contents_of_what_it_hides(page, site):
    """A link with `?q=` shows what it asks for, and keeps it; the contents beside it still lead everywhere."""
    page.goto(f"{site}book/map.html?q=two%20threads")
    web.settle(page)
    expect(page.locator("#map-q")).to_have_value("two threads")
    expect(page).to_have_url(re.compile(r"\?q=two\+threads$"))
    few = len(shown(page))
    assert 0 < few < len(entries())
    page.locator("#map-q").fill("PyDict_Next")
    expect(page).to_have_url(re.compile("PyDict_Next"))
    hidden = page.locator("#a-tool-you-test-with")
    expect(hidden).to_be_hidden()
    page.evaluate("location.hash = 'a-tool-you-test-with'")
    expect(hidden).to_be_visible()
    expect(page.locator("#map-q")).to_have_value("")


@pytest.mark.browser
@pytest.mark.parametrize("width", [360, 1280])
def test_without_scripts_it_is_a_page_to_read(browser, site, width):
    with web.offline(browser, site, width=width, java_script_enabled=False) as (context, _):
        page = context.new_page()
        page.goto(f"{site}book/map.html")
        assert len(shown(page)) == len(entries())
        assert page.locator("#map-q").count() == 0


if __name__ == "__main__":
    sys.exit(pytest.main([__file__]))
