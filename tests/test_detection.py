"""The page *Who finds it?*: each broken source of `ext` has a row, made of what is there now."""

from __future__ import annotations

import importlib.util
import json
import sys
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest

import racelab as rl
from racelab import toolbox
from racelab.lab import load_labs

EXT = Path(__file__).resolve().parent.parent / "ext"
SUFFIXES = (".c", ".cpp", ".pyx")
BROKEN = sorted(path for path in EXT.glob("*/*_broken*") if path.suffix in SUFFIXES)


def load(name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(f"detection_{name}", EXT / f"detection/{name}.py")
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


measure, table, about = load("measure"), load("table"), load("about_the_bug")


#: What has no row, called by two threads at once beside a collection; `result`: whether all that came back is right.
TOGETHER = """
import gc, sys, threading, importlib
module = importlib.import_module(sys.argv[1])
returned = []
def both(*calls):
    threads = [threading.Thread(target=lambda call=call: returned.append(call())) for call in calls]
    for thread in threads:
        thread.start()
    gc.collect()
    for thread in threads:
        thread.join()
"""
SPANS = "result = len(returned) == 2 and all(start <= end for start, end in returned)"
CALLS = {
    "interpreter": "import sys, importlib; result = importlib.import_module(sys.argv[1]).answer() == 42",
    "attached": f"{TOGETHER}both(*[lambda: module.nap(2)] * 2)\n{SPANS}",
    "collector": f"{TOGETHER}both(lambda: module.hold(2), module.take)\n{SPANS}",
    "false_sharing": TOGETHER
    + "pair = module.Pair()\nboth(*[lambda n=n: pair.bump_many(n, 100_000) for n in (0, 1)])\n"
    + "result = list(pair.values) == [100_000, 100_000]",
}


@pytest.fixture(scope="module")
def rows() -> dict[tuple[str, str], dict[str, Any]]:
    found: dict[tuple[str, str], dict[str, Any]] = table.rows(rl.recorded("detection"))
    return found


@pytest.mark.parametrize("path", BROKEN, ids=lambda path: path.stem)
def test_every_broken_source_has_a_row_or_a_reason(path: Path) -> None:
    raced = {
        file.resolve()
        for lab, variants in measure.broken()
        for variant in variants
        for file in lab.source_files(variant)
    }
    assert (path.resolve() in raced) != (path.parent.name in table.ELSEWHERE), (
        "give it a lab, or say in ELSEWHERE of ext/detection/table.py what shows it"
    )


@pytest.mark.parametrize(
    ("lab", "variant"),
    [(lab, variant) for lab, variants in measure.broken() for variant in variants],
    ids=lambda value: str(value),
)
def test_every_broken_variant_was_before_every_tool(
    rows: dict[tuple[str, str], dict[str, Any]], lab: rl.Lab, variant: str
) -> None:
    seen = rows.get((lab.name, variant))
    assert seen, f"no row for {lab.name} {variant}: racelab record detection"
    assert set(seen) == set(measure.TOOLS)
    for tool, row in seen.items():
        assert row["sources"] == measure.sources(lab, variant), (
            f"{lab.name} {variant}, {tool}: its sources changed: racelab record detection"
        )


def test_racelab_finds_what_its_own_labs_forbid(
    rows: dict[tuple[str, str], dict[str, Any]],
) -> None:
    """All but one, which takes a machine that reorders two stores."""
    missed = {key for key, seen in rows.items() if not seen["racelab"]["found"]}
    assert missed <= {("answer", "broken")}


@pytest.mark.parametrize("slug", table.ELSEWHERE)
def test_what_has_no_row_has_a_reason_that_holds(slug: str) -> None:
    """Nothing wrong: a call returns what it should. Refused: no tool gets as far as a call."""
    file, reason, _ = table.ELSEWHERE[slug]
    chapter = (EXT.parent / "notebooks" / file).read_text(encoding="utf-8")
    assert f'"{slug}"' in chapter or f"ext/{slug}/" in chapter
    assert f"| `{slug}` | [{file[:2]}](../notebooks/{file}) | {reason} |" in table.elsewhere()
    built = rl.compile(EXT / f"{slug}/{slug}_broken.c")

    seen = rl.run_child(CALLS[slug], modules=[built], args=[built.name], timeout_s=60)

    assert (seen.outcome, seen.returned) == ("ok", True), seen.stderr
    assert reason == (table.MEASURED if seen.gil_enabled_by is None else table.REFUSED)


MORE = [
    (lab, variant)
    for lab in load_labs(EXT / "detection/more.py")
    for variant in lab.variants
    if variant.startswith("fixed")
]


@pytest.mark.parametrize(("lab", "variant"), MORE, ids=str)
def test_what_is_raced_for_this_table_alone_asks_for_the_bug(lab: rl.Lab, variant: str) -> None:
    """The recording holds it to find the broken one; here the repaired one must pass."""
    seen = rl.race(lab, variant, count=2, seconds=0.5, timeout_s=60, progress=False)

    assert seen.ran, str(seen)
    assert not seen.forbidden, str(seen)


def test_a_row_names_its_chapter(rows: dict[tuple[str, str], dict[str, Any]]) -> None:
    text = table.table(rl.recorded("detection"))
    assert "| none |" not in text
    assert text.count("\n") == len(rows) + 1


def test_the_page_says_how_long_each_tool_had_when_it_was_measured() -> None:
    """Rows of before say nothing: they had 2 s."""

    def recorded(*rows: dict[str, Any]) -> Any:
        return SimpleNamespace(measurements={"a": SimpleNamespace(rows=rows)})

    assert table.given(recorded({"given": 5.0}, {"given": 5.0})) == "5 s"
    assert table.given(recorded({}, {"given": 5.0})) == "2 s or 5 s"


def test_each_new_row_says_how_many_are_left(capsys: pytest.CaptureFixture[str]) -> None:
    progress = measure.Progress()
    progress.count({})
    every = sum(len(variants) for _, variants in measure.broken()) * len(measure.TOOLS)
    assert progress.left == every
    progress.begin -= 60
    progress.left = 3
    progress.say({"lab": "a", "variant": "broken", "tool": "tsan", "said": "", "seconds": 5})

    assert capsys.readouterr().err == (
        "  1 of 3, a broken, tsan: nothing, 5 s; 1 min so far, for all labs about 2 more\n"
    )


def test_a_time_is_shown_only_for_what_was_found() -> None:
    row = {"found": True, "said": "SEGV in f, a.c:3", "seconds": 1.234, "processes": 1}

    assert table.cell(row) == "**1.2 s** (crash)"
    assert table.cell({**row, "said": "data race in f"}) == "**1.2 s**"
    assert table.cell({**row, "found": False}) == "no"
    assert table.cell({**row, "found": False, "said": "not here"}) == "not here"
    assert table.cell(None) == "not here"


CONSTRUCTOR = "data race in depot_new, get_or_make_broken_section.c:70"


def places() -> list[tuple[str, str, str]]:
    """(lab, variant, what TSan said) of every row of the recording in which it found a race."""
    seen = table.rows(rl.recorded("detection"))
    told = ((*key, row["tsan"]) for key, row in seen.items())
    return [(lab, v, r["said"]) for lab, v, r in told if r["found"] and "race in" in r["said"]]


@pytest.mark.parametrize(("lab", "variant", "said"), places())
def test_a_race_that_is_counted_is_where_the_chapter_marks_the_bug(
    lab: str, variant: str, said: str
) -> None:
    assert about.is_about_the_bug(said, table.files(lab, variant))


@pytest.mark.parametrize(
    ("slug", "said", "counted"),
    [
        ("get_or_make", CONSTRUCTOR, False),
        ("get_or_make", "data race in depot_get, get_or_make_broken_section.c:58", True),
        ("get_or_make", "data race in get_or_make, get_or_make_broken_section.c:38", True),
        ("get_or_make", "data race in make_part, get_or_make_broken_section.c:20", True),
        ("get_or_make", "SEGV in depot_new, get_or_make_broken_section.c:70", True),
        ("get_or_make", "SEGV", True),
        ("lost_update", "data race in add_one, lost_update_broken.c:31", True),
        ("lost_update", "data race in exec_module, lost_update_broken.c:90", False),
        # Its marked lines hold a remark and no code.
        ("lost_update", "data race in clean_up, lost_update_broken.c:62", False),
        ("lost_update", "data race in counter_new, lost_update_broken.c:60", False),
        ("cache_once", "data race in (anonymous namespace)::look_up(int), x.cpp:1", True),
        ("thread_end", "data race in Owned::~Owned(), thread_end_broken.cpp:15", True),
        ("cy_counter", "data race in Counter.bump, cy_counter_broken.c:2846", True),
        ("cy_counter", "data race in Counter.other, cy_counter_broken.c:2846", False),
        ("dice", "data race in dice_roll, dice.h:39", True),
        ("dice", "data race in dice_seed, dice.h:90", False),
    ],
)
def test_a_race_beside_the_bug_is_told_apart(slug: str, said: str, counted: bool) -> None:
    """By the lines that are marked, what they call, and who calls them; a crash may end anywhere."""
    name = "broken_section" if slug == "get_or_make" else "broken"
    files = list(EXT.glob(f"{slug}/{slug}_{name}.*"))

    assert about.is_about_the_bug(said, files) is counted


def test_a_race_at_a_variable_that_is_declared_in_marked_lines_is_about_it() -> None:
    planted = [EXT / "planted/planted_broken.c"]
    lines = planted[0].read_text(encoding="utf-8").splitlines()
    at, other = (
        next(n for n, text in enumerate(lines, start=1) if wanted in text)
        for wanted in ("known = 1", "return sum;")
    )

    assert about.is_about_the_bug(f"data race in answer, planted_broken.c:{at}", planted)
    assert not about.is_about_the_bug(f"data race in answer, planted_broken.c:{other}", planted)


def test_something_else_is_neither_shown_nor_added_up_as_found() -> None:
    row = {
        "lab": "get_or_make",
        "variant": "broken_section",
        "tool": "tsan",
        "found": True,
        "said": CONSTRUCTOR,
        "seconds": 5.3,
        "processes": 4,
    }
    seen = SimpleNamespace(
        measurements={"get_or_make": 0}, rows=lambda _name: [row, {**row, "tool": "asan"}]
    )

    assert table.cell(row) == "something else"
    assert "| TSan | 0 | 1 |" in table.totals(seen)
    assert "| ASan | 1 | 1 |" in table.totals(seen), "only a race is asked for its place"
    assert f"not counted, a race at another place: {CONSTRUCTOR}" in table.words(seen)


def test_a_race_at_another_place_does_not_end_the_search() -> None:
    def report(label: str) -> tuple[SimpleNamespace, int]:
        return SimpleNamespace(tool="thread", elsewhere=False, label=label), 1

    lab = next(one for one, _ in measure.broken() if one.name == "get_or_make")
    files = lab.source_files("broken_section")
    bug = "data race in depot_get, get_or_make_broken_section.c:58"
    both = SimpleNamespace(reports=[report(CONSTRUCTOR), report(bug)])

    assert measure.said("tsan", both, files) == bug
    assert measure.said("tsan", SimpleNamespace(reports=[report(CONSTRUCTOR)]), files) == ""
    row = {"sources": measure.sources(lab, "broken_section"), "found": True, "said": CONSTRUCTOR}
    key = ("get_or_make", "broken_section", "tsan")
    assert measure.known_row({key: [row]}, lab, *key[1:]) is None, "it is measured again"
    assert measure.known_row({key: [row, {**row, "said": bug}]}, lab, *key[1:])["said"] == bug


def test_what_an_interrupted_run_has_left_does_not_replace_what_is_recorded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its lines stay where they are, and may be older than the recording."""
    (lab, (variant, *_)), *_ = measure.broken()
    now = measure.sources(lab, variant)
    row = {"lab": lab.name, "variant": variant, "tool": "asan", "found": False, "said": ""}
    left = tmp_path / "detection.jsonl"
    left.write_text(
        "".join(
            json.dumps({**row, "sources": digest, "seconds": seconds}) + "\n"
            for digest, seconds in (("before", 1.0), (now, 2.0))
        )
    )
    monkeypatch.setattr(measure, "half_way", lambda: left)
    (recorded,) = [
        one
        for one in rl.recorded("detection").rows(lab.name)
        if (one["variant"], one["tool"]) == (variant, "asan")
    ]

    assert measure.known_row(measure.kept(), lab, variant, "asan") == recorded
    nothing = SimpleNamespace(measurements={})
    monkeypatch.setattr(measure.recording, "recorded", lambda _slug: nothing)
    assert measure.known_row(measure.kept(), lab, variant, "asan")["seconds"] == 2.0


def test_a_variant_is_named_as_it_is_typed() -> None:
    """`--variant broken_half`, and not "broken half"."""
    text = table.table(rl.recorded("detection"))
    names = {name for _, names in measure.broken() for name in names} - {"broken"}
    for name in names:
        assert f" `{name}` |" in text


def test_what_a_debug_interpreter_says_while_it_dies_is_heard() -> None:
    """It prints the object whose count is below zero, and may crash over it: the assertion has been said."""
    python = toolbox.interpreter_of("debug")
    if python is None:
        pytest.skip("no debug interpreter: make debug")

    seen = rl.race("borrowed_ref", "broken", python=python, count=4, seconds=2, progress=False)

    assert any(report.kind == "negative refcount" for report, _ in seen.reports)
