"""The page of exercises lists each one as it is declared, and each chapter shows its own."""

from __future__ import annotations

import json
import re
import subprocess
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[2]
CHAPTERS = sorted((ROOT / "notebooks").glob("[0-9][0-9]_*.md"))


def declared() -> list[dict[str, str]]:
    """All exercises, as `racelab` knows them."""
    command = [ROOT / ".venv-ft/bin/racelab", "exercises", "--json"]
    shown = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    return json.loads(shown.stdout)


def test_the_table_is_what_is_declared() -> None:
    rows = [
        "| [{0}](../notebooks/{chapter}.md#exercise) | `{slug}` | {title} | {level} | {minutes} |".format(
            one["chapter"][:2], **one
        )
        for one in declared()
    ]
    page = (ROOT / "book/exercises.md").read_text()
    shown = [line for line in page.splitlines() if line.startswith("| [")]

    assert shown == rows, "the table should be:\n" + "\n".join(rows)


def test_chapter_10_asks_what_its_files_ask() -> None:
    """The function to be repaired is that of the file, and so is what one has to know of the six uses."""
    text = (ROOT / "notebooks/10_borrowed_ref.md").read_text()
    pair = (ROOT / "exercises/borrowed_pair/solution.c").read_text()
    uses = (ROOT / "exercises/which_borrowed/solution.py").read_text()
    [starter] = re.findall(r"// BEGIN STARTER\n(.*?)\n *// BEGIN SOLUTION", pair, re.S)
    asked = text.split("**Borrowed pair.**")[1].split("```c\n")[1].split("```")[0]

    assert re.sub(r"^    // ", "    ", starter, flags=re.M) in asked
    for said in (
        "`use` shows nobody the list",
        "`set_callback` replaces the field, under a mutex in self",
    ):
        assert said in uses
        assert said in text


@pytest.mark.parametrize("chapter", CHAPTERS, ids=lambda path: path.stem)
def test_a_chapter_shows_its_exercises(chapter: Path) -> None:
    """Those of its header, in its section *Exercise*, before the answers."""
    text = chapter.read_text()
    head = yaml.safe_load(text.split("---\n")[1])["racelab"]
    section = re.search(r"^## Exercise\n(.*?)^## ", text, re.M | re.S)
    assert section
    shown = re.findall(r'^rl\.show_exercise\("(\w+)"\)$', section[1].split("<details>")[0], re.M)

    assert sorted(shown) == sorted(head["exercises"])
    assert sorted(shown) == sorted(e["slug"] for e in declared() if e["chapter"] == chapter.stem)
