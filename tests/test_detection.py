"""The page *Who finds it?*: each broken source of `ext` has a row, made of what is there now."""

from __future__ import annotations

import importlib.util
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


measure, table = load("measure"), load("table")


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


def test_what_a_debug_interpreter_says_while_it_dies_is_heard() -> None:
    """It prints the object whose count is below zero, and may crash over it: the assertion has been said."""
    python = toolbox.interpreter_of("debug")
    if python is None:
        pytest.skip("no debug interpreter: make debug")

    seen = rl.race("borrowed_ref", "broken", python=python, count=4, seconds=2, progress=False)

    assert any(report.kind == "negative refcount" for report, _ in seen.reports)
