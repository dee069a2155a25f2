"""Listings and diffs: the numbers of the real file, and nothing that the reader shall not see."""

from __future__ import annotations

from pathlib import Path

import pytest

import racelab
from racelab import show
from racelab.show import MARKER, find_ext, show_diff, show_source

BROKEN = """\
/* demo_broken.c: broken.
 *
 * Bug      this
 */
#include <Python.h>

int f(void)
{
    int a = 1;
    /* [race] */
    return a < 2;
    /* [race] */
}

/* [race:state] */
int state;
/* [race:state] */
char name[] = "demo_broken";
"""
FIXED = BROKEN.replace("return a < 2;", "lock();\n    return a < 3;").replace(
    "demo_broken", "demo_fixed"
)


def pretty(shown: show.Listing) -> str:
    """What a terminal shows of it."""
    from IPython.lib.pretty import pretty as printed

    text: str = printed(shown)
    return text


@pytest.fixture(autouse=True)
def _book(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "ext" / "demo"
    folder.mkdir(parents=True)
    (folder / "demo_broken.c").write_text(BROKEN)
    (folder / "demo_fixed.c").write_text(FIXED.replace("* Bug      this", "* Repair   that"))
    monkeypatch.setenv("RACELAB_BOOK", str(tmp_path))


def test_a_whole_file_keeps_its_numbers_and_loses_its_markers() -> None:
    shown = show_source("demo", "broken")
    lines = BROKEN.splitlines()

    assert [(n, lines[n - 1]) for n, _ in shown.lines if n] == list(shown.lines)
    assert len(shown.lines) == len(lines) - 4
    assert "[race" not in str(shown)


@pytest.mark.parametrize(
    ("region", "lines"),
    [("race", [(11, "    return a < 2;")]), ("race:state", [(16, "int state;")])],
)
def test_a_region_alone(region: str, lines: list[tuple[int, str]]) -> None:
    assert list(show_source("demo", "broken", region).lines) == lines


def test_several_regions_of_one_name_are_shown_with_a_gap(tmp_path: Path) -> None:
    path = tmp_path / "ext" / "demo" / "demo_broken_twice.c"
    path.write_text("/* [race] */\none\n/* [race] */\nbetween\n/* [race] */\ntwo\n/* [race] */\n")

    assert show_source("demo", "broken_twice", "race").lines == (
        (2, "one"),
        (None, "..."),
        (6, "two"),
    )


def test_a_diff_shows_the_repair_and_not_headers_or_names() -> None:
    text = str(show_diff("demo", "broken", "fixed"))

    changed = [
        line for line in text.splitlines() if line.lstrip(" 0123456789").startswith(("-", "+"))
    ]
    assert [line.lstrip(" 0123456789") for line in changed] == [
        "-     return a < 2;",
        "+     lock();",
        "+     return a < 3;",
    ]
    assert "Repair" not in text
    assert "[race]" not in text


def test_each_line_of_a_diff_has_its_number_in_the_file_that_it_is_from() -> None:
    shown = show_diff("demo", "broken", "fixed").lines
    broken, fixed = BROKEN.splitlines(), FIXED.splitlines()

    for number, text in shown:
        assert number is not None, f"no number: {text}"
        where = broken if text.startswith("-") else fixed
        assert where[number - 1] == text[2:].rstrip()
    assert {text[0] for _, text in shown if text} == {" ", "-", "+"}


def test_a_diff_says_whose_numbers_those_are_and_which_are_missing() -> None:
    shown = show_diff("demo", "broken", "fixed")

    for text in (shown._repr_html_(), pretty(shown)):
        assert "of the old file" in text
        assert "left out" in text
    assert "left out" not in pretty(show_source("demo", "broken"))
    assert "<small>" not in show_source("demo", "broken")._repr_html_()
    numbers = [number for number, text in shown.lines if not text.startswith("-")]
    markers = {n for n, text in enumerate(FIXED.splitlines(), start=1) if MARKER.match(text)}
    missing = set(range(numbers[0], numbers[-1])) - set(numbers)  # type: ignore[arg-type, type-var]
    assert missing == {n for n in markers if numbers[0] < n < numbers[-1]}  # type: ignore[operator]
    assert missing


def test_html_is_escaped_numbered_and_has_no_colour_of_its_own() -> None:
    page = show_source("demo", "broken", "race")._repr_html_()

    assert "&lt;" in page
    assert "a < 2" not in page
    assert ">11 <" in page.replace("&nbsp;", " ")
    assert "color:" not in page
    assert 'class="highlight"' in page


def test_html_has_a_line_for_every_line() -> None:
    shown = show_source("demo", "broken")

    assert shown._repr_html_().count('class="linenos"') == len(shown.lines)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("nothing", "broken"), "no lab 'nothing' in .*; there are: demo"),
        (("demo", "other"), "it has: demo_broken.c, demo_fixed.c"),
    ],
)
def test_what_is_not_there_is_named_beside_what_is(arguments: tuple[str, str], said: str) -> None:
    with pytest.raises(FileNotFoundError, match=said):
        show_source(*arguments)


def test_an_unknown_region_is_named() -> None:
    with pytest.raises(ValueError, match=r"no region \[rac\]; it has: race, race:state"):
        show_source("demo", "broken", "rac")


def test_ext_is_found_from_below_and_its_absence_is_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("RACELAB_BOOK")
    (tmp_path / "notebooks").mkdir()
    monkeypatch.chdir(tmp_path / "notebooks")
    assert find_ext() == tmp_path / "ext"

    monkeypatch.chdir("/")
    assert find_ext() == Path(racelab.__file__).parents[2] / "ext", "where the package is"
    monkeypatch.setattr(show, "_ABOVE", ())
    with pytest.raises(FileNotFoundError, match="RACELAB_BOOK"):
        find_ext()


def test_the_book_is_where_the_folder_is_that_is_looked_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Somebody's own folder of that name is not taken for the book's."""
    with pytest.raises(FileNotFoundError, match="has no folder exercises"):
        show.find_book("exercises")
    (tmp_path / "inside" / "exercises").mkdir(parents=True)
    (tmp_path / "exercises").mkdir()
    assert show.find_book("exercises") == tmp_path
    monkeypatch.delenv("RACELAB_BOOK")
    monkeypatch.chdir(tmp_path / "inside" / "exercises")
    assert show.find_book("exercises") == tmp_path


@pytest.mark.parametrize(
    ("line", "name"),
    [
        ("    /* [race] */", "race"),
        ("// [race:state]", "race:state"),
        ("# [race]", "race"),
        ("x = 1  # [race]", None),
        ("/* race */", None),
    ],
)
def test_markers(line: str, name: str | None) -> None:
    found = MARKER.match(line)

    assert (found["name"] if found else None) == name
