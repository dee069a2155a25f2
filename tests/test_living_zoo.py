"""The bug zoo: every bug has a kind, and its answers, its chapter and its words come from where they are."""

from __future__ import annotations

import json
import re
import runpy
from pathlib import Path
from typing import Any

import pytest
import tomllib

from racelab import living
from racelab.lab import labs
from racelab.living import _zoo
from racelab.recording import recorded

ROOT = Path(__file__).resolve().parents[1]
KINDS = tomllib.loads((ROOT / "ext/kinds.toml").read_text(encoding="utf-8"))
LISTED = [bug for kind in KINDS.values() for bug in kind["bugs"]]


@pytest.fixture(scope="module")
def rows() -> list[dict[str, Any]]:
    """What was recorded of the labs."""
    known = {lab.name for lab in labs()}
    every = [row for one in recorded("detection").measurements.values() for row in one.rows]
    return [row for row in every if row["lab"] in known]


@pytest.fixture(scope="module")
def state() -> dict[str, Any]:
    """The figure's, as a page carries it."""
    found: dict[str, Any] = json.loads(json.dumps(living.zoo().state))
    return found


def test_every_bug_of_a_lab_is_of_one_kind() -> None:
    bugs = {
        _zoo.bug_name(lab.name, variant)
        for lab in labs()
        for variant in lab.variants
        if variant.startswith("broken")
    }
    assert not bugs - set(LISTED), "say in ext/kinds.toml of which kind these are"
    assert not set(LISTED) - bugs, "no lab has these: take them out of ext/kinds.toml"
    assert len(LISTED) == len(set(LISTED)), "a bug is of one kind"
    assert all(kind["name"] and kind["text"].endswith(".") for kind in KINDS.values())


def test_answers_are_those_of_the_recording(
    rows: list[dict[str, Any]], state: dict[str, Any]
) -> None:
    tools = [tool for tool, *_ in state["tools"]]
    bugs = {(bug["lab"], bug["variant"]): bug for bug in state["bugs"]}
    assert len(bugs) == len(LISTED)
    assert set(tools) == {row["tool"] for row in rows}
    for row in rows:
        answer = bugs[row["lab"], row["variant"]]["seen"][tools.index(row["tool"])]
        if not row["processes"]:
            assert answer is None
        elif row["found"]:
            assert answer == [1, row["seconds"], row["said"]]
        else:
            assert answer == [0, row["seconds"], ""]


def test_words_and_chapter_are_those_of_the_source(state: dict[str, Any]) -> None:
    known = {lab.name: lab for lab in labs()}
    for bug in state["bugs"]:
        lab = known[bug["lab"]]
        header = lab.source_files(bug["variant"])[0].read_text(encoding="utf-8")[:600]
        assert f": {bug['what']}. BROKEN ON PURPOSE." in header
        assert f"notebooks/{bug['chapter']}.md" in header
        assert state["questions"][bug["lab"]] == lab.question
    for chapter, (title, href) in state["chapters"].items():
        assert f"\n# {title}\n" in (ROOT / f"notebooks/{chapter}.md").read_text(encoding="utf-8")
        assert href == f"../notebooks/{chapter}.md"


def test_the_zoo_and_the_table_name_the_same_tools_and_chapters(state: dict[str, Any]) -> None:
    """The page *Who finds it?* and the map's figure show one recording."""
    table = runpy.run_path(str(ROOT / "ext/detection/table.py"))
    named = {tool: name for tool, name, _ in state["tools"]}
    assert list(table["TOOLS"]) == list(named)
    for tool, name in table["TOOLS"].items():
        assert named[tool].startswith(name), (
            "a column has less room than a button: debug, debug build"
        )
    for bug in state["bugs"]:
        chapter, number = table["chapter"](bug["lab"], bug["variant"])
        assert chapter == f"{bug['chapter']}.md"
        assert chapter.startswith(number)


def test_the_site_links_its_pages_and_a_kernel_the_files(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(living.STATIC, "1")
    page = living.zoo().as_html()
    hrefs = re.findall(r'<a href="([^"]+)"', page)
    assert len(hrefs) == len(LISTED)
    assert all(re.fullmatch(r"\.\./notebooks/\w+\.html", href) for href in hrefs)
    assert len(page) < 60_000


def test_not_found_and_not_asked_are_told_apart(rows: list[dict[str, Any]]) -> None:
    """One tool was not here, one had no row, one missed it; the times in the caption are those of whoever missed it."""
    bug = [row for row in rows if (row["lab"], row["variant"]) == ("lost_update", "broken")]
    bug = [{key: row[key] for key in row if key != "given"} for row in bug]
    made = [
        {**row, "found": False, "said": "", "processes": 3, "seconds": 7.25}
        if row["tool"] == "tsan"
        else {**row, "found": False, "said": "not here", "processes": 0, "seconds": 0}
        if row["tool"] == "debug"
        else row
        for row in bug
        if row["tool"] != "asan"
    ]
    figure = living.zoo(made)
    seen = dict(zip(_zoo.TOOLS, figure.state["bugs"][0]["seen"], strict=True))

    assert (seen["tsan"], seen["asan"], seen["debug"]) == ((0, 7.25, ""), None, None)
    assert seen["racelab"][0] == 1
    assert re.findall(r"<td>(no|not asked)</td>", figure.still) == ["no", "not asked", "not asked"]
    assert "nothing after 7.2 s" in figure.caption
    limited = living.zoo([{**row, "given": 5.0} for row in made]).caption
    assert "nothing in the 5 s that it was given" in limited
    assert "Recorded" not in figure.caption
    assert [kind for kind, *_ in figure.state["kinds"]] == ["lost"]
    assert "Not found" not in living.zoo([row for row in made if row["found"]]).caption


def test_the_caption_says_when_and_where_it_was_recorded() -> None:
    assert str(recorded("detection").about) in living.zoo().caption


def test_what_is_no_row_is_refused(rows: list[dict[str, Any]]) -> None:
    with pytest.raises(ValueError, match=r"rows: there are none"):
        living.zoo([])
    with pytest.raises(ValueError, match=r"valgrind: no tool; these are: racelab, tsan"):
        living.zoo(tool="valgrind")
    with pytest.raises(ValueError, match=r"valgrind: no tool"):
        living.zoo([{**rows[0], "tool": "valgrind"}])
    with pytest.raises(ValueError, match=r"unheard_of: no kind of ext/kinds\.toml"):
        living.zoo([{**rows[0], "lab": "unheard_of", "variant": "broken"}])


def test_a_kernel_gets_the_widget_and_it_follows_its_state() -> None:
    pytest.importorskip("anywidget")
    assert "application/vnd.jupyter.widget-view+json" in living.zoo()._repr_mimebundle_()
    assert 'model.on("change:state"' in living.module_text("zoo")
