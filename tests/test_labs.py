"""The code under study: every pair is what it says it is, and every lab still teaches its lesson."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Any

import pytest
import sequential

from racelab.build import compile
from racelab.lab import Lab, load_labs
from racelab.racing import calibrate, race
from racelab.result import Result
from racelab.runner import run_child
from racelab.show import MARKER

EXT = Path(__file__).resolve().parent.parent / "ext"
SUFFIXES = (".c", ".cpp", ".pyx")
LABS = [lab for file in sorted(EXT.glob("*/lab.py")) for lab in load_labs(file)]
PAIRED = [lab for lab in LABS if {"broken", "fixed"} <= set(lab.variants)]
#: Sources of folders with pairs; those of chapters on tools have others, which nobody repairs.
SOURCES = sorted(
    path
    for path in EXT.glob("*/*_*")
    if path.suffix in SUFFIXES and any(path.parent.glob("*_broken*"))
)
SECONDS = float(os.environ.get("RACELAB_TEST_SECONDS", "30"))

HEADER_FIELDS = {
    "broken": ("Lesson", "Bug", "Needs", "Repair"),
    "fixed": ("Lesson", "Repair"),
}
RACED = sorted(path for lab in PAIRED for v in lab.variants for path in lab.source_files(v))


def variant_of(path: Path) -> str:
    """ "broken" or "fixed", without what may follow."""
    found = re.search(r"_(broken|fixed)", path.stem)
    assert found, f"{path.name}: a source is called <slug>_broken... or <slug>_fixed..."
    return found.group(1)


def slug_of(path: Path) -> str:
    """What comes before the variant."""
    return re.split(r"_(?:broken|fixed)", path.stem)[0]


def header_length(lines: list[str]) -> int:
    """How many lines the comment at the top has."""
    if lines[0].startswith("/*"):
        return next(n for n, line in enumerate(lines, start=1) if "*/" in line)
    return next(n for n, line in enumerate(lines) if not line.startswith(("#", "//")))


def body_outside(path: Path) -> str:
    """Everything but the header and what is inside of race regions; the markers stay."""
    lines = path.read_text().splitlines()
    kept = []
    inside = None
    for line in lines[header_length(lines) :]:
        marker = MARKER.match(line)
        if marker:
            inside = None if inside else marker["name"]
            kept.append(f"[{marker['name']}]")
        elif not inside:
            kept.append(line)
    assert inside is None, f"{path.name}: region [{inside}] is never closed"
    return "\n".join(kept)


def test_there_are_labs() -> None:
    """Else everything below would pass for want of anything to look at."""
    assert {lab.name for lab in LABS} >= {
        "lost_update",
        "lazy_slot",
        "borrowed_ref",
        "stale_size",
        "hang",
    }
    assert len(PAIRED) >= 5
    assert len({lab.name for lab in LABS}) == len(LABS)


@pytest.mark.parametrize(
    "path", [p for p in SOURCES if not p.stem.endswith("_broken")], ids=lambda path: path.stem
)
def test_pair_differs_only_where_it_says(path: Path) -> None:
    """Every other variant is `broken` but for its header, its regions and the module's name."""
    broken = path.with_stem(f"{slug_of(path)}_broken")

    assert body_outside(broken).replace(broken.stem, path.stem) == body_outside(path)
    assert "[race]" in body_outside(broken)


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: path.name)
def test_header_says_what_the_file_is(path: Path) -> None:
    lines = path.read_text().splitlines()
    header = "\n".join(lines[: header_length(lines)])
    kind = variant_of(path)

    assert header.split()[1] == f"{path.name}:"
    assert ("BROKEN ON PURPOSE" in header) == (kind == "broken")
    for name in HEADER_FIELDS[kind]:
        assert re.search(rf"^\W*{name} +\S", header, re.M), f"{path.name}: the header has no {name}"
    assert re.search(rf"{slug_of(path)}_(fixed|broken)\w*\.\w+", header.partition("\n")[2]), (
        "no word of the other half"
    )
    for named in re.findall(r"\w+_(?:broken|fixed)\w*\.\w+", header):
        assert (path.parent / named).is_file(), f"{path.name} names {named}, which is not there"


@pytest.mark.parametrize("path", RACED, ids=lambda path: path.name)
def test_what_a_reader_must_look_at_is_short_and_can_be_widened(path: Path) -> None:
    lines = path.read_text().splitlines()
    inside, region = False, 0
    for line in lines:
        marker = MARKER.match(line)
        if marker:
            inside = not inside
        elif inside:
            region += 1

    assert 0 < region < 15
    assert "RACE_POINT()" in path.read_text()


@pytest.mark.parametrize("path", RACED, ids=lambda path: path.name)
def test_source_compiles_without_a_warning_and_leaves_the_gil_off(path: Path) -> None:
    """One bug per file: everything else in it is right."""
    built = compile(path, flags="-Werror")
    seen = run_child(f"import {built.name}", modules=[built])

    assert built.log == ""
    assert (seen.outcome, seen.warnings) == ("ok", ())
    assert seen.gil_enabled_by is None


@pytest.mark.parametrize("lab", LABS, ids=str)
def test_every_lab_asks_something_and_gives_reasons(lab: Lab) -> None:
    assert lab.question.endswith("?")
    assert lab.outcomes
    for label, grade in lab.outcomes.items():
        assert grade.text, f"{lab}: {label} has no reason"


VARIANTS = [(lab, variant) for lab in PAIRED for variant in lab.variants]
BROKEN = [one for one in VARIANTS if one[1].startswith("broken")]
FIXED = [one for one in VARIANTS if one[1].startswith("fixed")]


def called(value: object) -> str:
    """A part of a test's id."""
    return str(value)


def widened(lab: Lab, variant: str) -> Result:
    """A race with its race points held open: quick, and it shows on one core, too."""
    how: dict[str, Any] = {"count": 4, "rounds": 100} if lab.mode == "rounds" else {}
    if lab.mode == "cold":
        how = {"count": 30}
    return race(lab, variant, widen=True, stop_at_first=True, timeout_s=60, **how)


@pytest.mark.parametrize(("lab", "variant"), BROKEN, ids=called)
def test_broken_shows_when_widened(lab: Lab, variant: str) -> None:
    """A race point in the window makes most rounds fail; that none does in all of these is no accident."""
    seen = widened(lab, variant)

    assert seen.widened
    assert seen.forbidden, str(seen)


@pytest.mark.parametrize(("lab", "variant"), FIXED, ids=called)
def test_fixed_does_not_when_widened(lab: Lab, variant: str) -> None:
    seen = widened(lab, variant)

    assert seen.ran, str(seen)
    assert not seen.forbidden, str(seen)


@pytest.mark.race
@pytest.mark.parametrize(("lab", "variant"), BROKEN, ids=called)
def test_broken_breaks(lab: Lab, variant: str) -> None:
    """A lesson whose bug no longer shows teaches the opposite."""
    if sequential.note(f"{lab} {variant}", sequential.shows(lab, variant, SECONDS)) is None:
        pytest.skip("inconclusive: nothing forbidden within the time cap")


@pytest.mark.race
@pytest.mark.parametrize(("lab", "variant"), FIXED, ids=called)
def test_fixed_holds(lab: Lab, variant: str) -> None:
    """Where the broken one would have shown it, with a chance below one in a million to be wrong."""
    verdict = sequential.note(f"{lab} {variant}", sequential.holds(lab, variant, SECONDS))

    if verdict is None:
        pytest.skip("inconclusive: too few rounds within the time cap")
    assert verdict, f"{lab} {variant}: something forbidden was seen"


@pytest.mark.race
def test_lost_update_and_lazy_slot_show_at_once() -> None:
    """Within the first repetition, at stride 1; how fast is the benchmarks' affair."""
    for lab in (lab for lab in LABS if lab.name in ("lost_update", "lazy_slot")):
        seen = race(lab, "broken", count=1, rounds=200_000)
        if not seen.forbidden and not calibrate():
            pytest.skip("inconclusive: this machine shows no race at all")
        assert seen.time_to_first_failure_s
