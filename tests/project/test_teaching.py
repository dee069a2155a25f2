"""The teaching guide says what the command says, and what the chapters say; in one place each."""

from __future__ import annotations

import html
import json
import re
import subprocess
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[2]
BUILT = ROOT / "_build/html/book/teaching.html"
SOURCE = (ROOT / "book/teaching.md").read_text(encoding="utf-8")
CHAPTERS = sorted((ROOT / "notebooks").glob("[0-9][0-9]_*.md"))


def words(fragment: str) -> str:
    """What is read of a piece of HTML."""
    text = html.unescape(re.sub(r"<[^>]+>", "", fragment))
    return " ".join(
        text.replace("\u2019", "'").replace("\u201c", '"').replace("\u201d", '"').split()
    ).rstrip("#")


@pytest.fixture(scope="module")
def built() -> str:
    """The built page."""
    if not BUILT.exists():
        pytest.fail("there is no built guide: run `make book` first")
    return BUILT.read_text(encoding="utf-8")


def printed(minutes: str) -> dict[str, Any]:
    """What the command prints."""
    done = subprocess.run(
        [ROOT / ".venv-ft/bin/racelab", "class", "plan", "--minutes", minutes, "--json"],
        capture_output=True, text=True, check=True, cwd=ROOT,
    )  # fmt: skip
    plan: dict[str, Any] = json.loads(done.stdout)
    return plan


def test_page_has_the_three_plans() -> None:
    assert re.findall(r"\{class-plan\} (\d+)", SOURCE) == ["90", "180", "360"]


@pytest.mark.parametrize("nth", range(3))
def test_tables_are_what_the_command_prints(built: str, nth: int) -> None:
    minutes = re.findall(r"\{class-plan\} (\d+)", SOURCE)[nth]
    table = re.findall(r'<table class="class-plan[^"]*">.*?</table>', built, re.S)[nth]
    rows = [
        [words(cell) for cell in re.findall(r"<td[^>]*>(.*?)</td>", row, re.S)]
        for row in re.findall(r"<tr[^>]*>(.*?)</tr>", table, re.S)
    ]
    plan = printed(minutes)
    shown = [row for row in rows if row]
    end = shown.pop()

    assert end[:2] == [f"{int(minutes) // 60}:{int(minutes) % 60:02}", minutes]
    assert sum(int(row[1]) for row in shown) == int(minutes)
    assert len(shown) == len(plan["rows"])
    for cells, row in zip(shown, plan["rows"], strict=True):
        assert cells[:2] == [f"{row['at'] // 60}:{row['at'] % 60:02}", str(row["minutes"])]
        assert cells[2].startswith(row["what"])
        for cut in row["leave_out"]:
            assert f"{cut['what'].replace('*', '')} ({cut['minutes']} min)" in cells[2]
        for name in row["exercises"]:
            link = rf'notebooks/{row["chapter"]}\.html#exercise">(<span[^>]*>)?<code[^>]*><span[^>]*>{name}<'
            assert re.search(link, table)


def test_plans_say_which_slides_go_with_a_chapter(built: str) -> None:
    """The numbers are those in the bar of the slides."""
    slides = re.split(r"^## ", (ROOT / "book/slides.md").read_text(encoding="utf-8"), flags=re.M)
    tables = re.findall(r'<table class="class-plan[^"]*">.*?</table>', built, re.S)
    seen = 0
    for table in tables:
        for row in re.findall(r"<tr[^>]*>(.*?)</tr>", table, re.S):
            cells = re.findall(r"<td[^>]*>(.*?)</td>", row, re.S)
            stem = re.search(r"notebooks/(\w+)\.html\"", cells[2]) if cells else None
            if stem:
                numbers = [n for n, text in enumerate(slides) if f"{stem[1]}.md" in text]
                assert words(cells[3]) == ", ".join(map(str, numbers))
                seen += len(numbers)
    assert seen


def test_list_of_chapters_says_their_short_names(built: str) -> None:
    for chapter in CHAPTERS:
        slug = chapter.stem.split("_", 1)[1]
        assert re.search(rf"<code[^>]*><span class=\"pre\">{slug}</span></code>\):", built), slug


@pytest.mark.parametrize("chapter", CHAPTERS, ids=lambda path: path.stem)
def test_notes_of_every_chapter_are_there(built: str, chapter: Path) -> None:
    text = chapter.read_text(encoding="utf-8")
    slug = chapter.stem.split("_", 1)[1].replace("_", "-")
    section = re.search(rf'<section id="notes-{slug}">(.*?)</section>', built, re.S)
    notes = re.split(r"^- ", text.split("<summary>Teaching notes</summary>")[1].split("</details>")[0], flags=re.M)[1:]  # fmt: skip
    title = re.search(r"^# (.+)$", text, re.M)

    assert section is not None
    assert title is not None
    assert title[1] in words(section[1])
    assert f'href="../notebooks/{chapter.stem}.html"' in section[1]
    assert len(re.findall(r"<li>", section[1])) == len(notes)
    for note in notes:
        first = re.split(r"[*`\[\"]", " ".join(note.split()))[0].strip()
        assert first.rstrip(" .,:") in words(section[1])


def test_nothing_of_the_notes_stands_on_the_page_itself() -> None:
    for chapter in CHAPTERS:
        text = chapter.read_text(encoding="utf-8").split("<summary>Teaching notes</summary>")[1]
        for note in re.findall(r"^- (.{60,})$", text.split("</details>")[0], re.M):
            assert note[20:60] not in SOURCE


def test_every_question_leads_on() -> None:
    """Two to four sentences, and a page to read."""
    part = SOURCE.split("## Questions that come")[1].split("\n(teaching-collect)=")[0]
    answers = re.findall(r"^(\S[^\n]*\?)\n: (.*?)(?=^\S|\Z)", part, re.M | re.S)

    assert len(answers) >= 12
    for question, answer in answers:
        said, _, leads = answer.partition("\n  ")
        sentences = len(re.findall(r"[.?](?:\s|$)", re.sub(r"`[^`]*`", "code", said)))
        assert 2 <= sentences <= 4, question
        assert re.search(r"\]\((\.\./notebooks/\d\d_\w+|versions|reading)\.md", leads), question


def test_commands_of_the_page_are_there() -> None:
    """Every `racelab` command that the page names is one."""
    named = set(re.findall(r"racelab ((?:class )?[a-z-]+)", SOURCE)) - {"class"}
    for command in named:
        if re.search(rf"racelab {command}\]", SOURCE):  # racelab[class]
            continue
        done = subprocess.run(
            [ROOT / ".venv-ft/bin/racelab", *command.split(), "--help"],
            capture_output=True, text=True, cwd=ROOT, check=False,
        )  # fmt: skip
        assert done.returncode == 0, command
