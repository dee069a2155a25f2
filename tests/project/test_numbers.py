"""Chapters have numbers in the sidebar and in their titles: those of their files, which the text uses."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[2]
TOC = yaml.safe_load((ROOT / "_toc.yml").read_text(encoding="utf-8"))
CONFIG = yaml.safe_load((ROOT / "_config.yml").read_text(encoding="utf-8"))
FILES = [chapter["file"] for part in TOC["parts"] for chapter in part["chapters"]]
CHAPTERS = [name for name in FILES if re.match(r"notebooks/\d\d_", name)]
TITLE = re.compile(r"^# (.+)$", re.MULTILINE)
#: The book's table of contents and what numbers it, around pages that have a title and nothing else.
CONF = """
extensions = {extensions}
html_theme = "sphinx_book_theme"
html_theme_options = {{"show_navbar_depth": 1}}
external_toc_path = "_toc.yml"
"""


@pytest.fixture(scope="module")
def stubs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("numbers")
    numbering = [one for one in CONFIG["sphinx"]["config"]["extensions"] if "toc" in one]
    conf = CONF.format(extensions=["myst_parser", *numbering])
    (place / "conf.py").write_text(conf, encoding="utf-8")
    (place / "_toc.yml").write_bytes((ROOT / "_toc.yml").read_bytes())
    for name in (TOC["root"], *FILES):
        found = TITLE.search((ROOT / f"{name}.md").read_text(encoding="utf-8"))
        assert found, name
        page = place / f"{name}.md"
        page.parent.mkdir(exist_ok=True)
        page.write_text(f"# {found[1]}\n\n## A part of it\n\nText.\n", encoding="utf-8")
    python = ROOT / ".venv-book/bin/python"
    command = [python, "-m", "sphinx", "-q", "-b", "html", place, place / "html"]
    subprocess.run(command, check=True, timeout=300)
    return place / "html"


def words(html: str) -> str:
    return " ".join(re.sub(r"<[^>]+>", " ", html).split())


@pytest.mark.parametrize("name", [TOC["root"], *FILES])
def test_the_sidebar_of_every_page_has_the_numbers_of_the_files(stubs: Path, name: str) -> None:
    text = (stubs / f"{name}.html").read_text(encoding="utf-8")
    found = re.search(r'<nav class="bd-links.*?</nav>', text, re.DOTALL)
    assert found
    entries = [words(one) for one in re.findall(r"<a [^>]*>(.*?)</a>", found[0], re.DOTALL)]
    numbers = [int(m[1]) for entry in entries if (m := re.match(r"(\d+)\. ", entry))]

    assert numbers == [int(chapter.split("/")[1][:2]) for chapter in CHAPTERS]


@pytest.mark.parametrize("name", FILES)
def test_a_chapter_has_its_number_in_its_title_and_nothing_else_has_one(
    stubs: Path, name: str
) -> None:
    text = (stubs / f"{name}.html").read_text(encoding="utf-8")
    headings = re.findall(r"<h[1-6].*?</h[1-6]>", text, re.DOTALL)
    found = re.findall(r'<span class="section-number">(.*?)</span>', "".join(headings))

    wanted = [f"{int(name.split('/')[1][:2])}. "] if name in CHAPTERS else []
    assert found == wanted
