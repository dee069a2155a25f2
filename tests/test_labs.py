"""The code under study: every pair is what it says it is, and every lab still teaches its lesson."""

from __future__ import annotations

import os
import re
from pathlib import Path

import pytest

from racelab.build import compile
from racelab.lab import Lab, load_labs
from racelab.racing import calibrate, race
from racelab.runner import run_child
from racelab.show import MARKER

EXT = Path(__file__).resolve().parent.parent / "ext"
SUFFIXES = (".c", ".cpp", ".pyx")
LABS = [lab for file in sorted(EXT.glob("*/lab.py")) for lab in load_labs(file)]
PAIRED = [lab for lab in LABS if {"broken", "fixed"} <= set(lab.variants)]
SOURCES = sorted(path for path in EXT.glob("*/*_*") if path.suffix in SUFFIXES)
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
    "fixed", [p for p in SOURCES if "_fixed" in p.stem], ids=lambda path: path.stem
)
def test_pair_differs_only_where_it_says(fixed: Path) -> None:
    slug, _, _ = fixed.stem.partition("_fixed")
    broken = fixed.with_stem(f"{slug}_broken")

    assert body_outside(broken).replace(broken.stem, fixed.stem) == body_outside(fixed)
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


@pytest.mark.parametrize("lab", PAIRED, ids=str)
def test_both_halves_run(lab: Lab) -> None:
    """Not whether they race; that is `make test-race`."""
    for variant in lab.variants:
        seen = race(lab, variant, count=1, rounds=20, timeout_s=20)
        assert seen.ran, str(seen)
        if variant.startswith("fixed"):
            assert not seen.forbidden, str(seen)


@pytest.mark.race
@pytest.mark.parametrize("lab", PAIRED, ids=str)
def test_broken_half_still_breaks(lab: Lab) -> None:
    """A lesson whose bug no longer shows teaches the opposite."""
    seen = race(lab, "broken", seconds=SECONDS, stop_at_first=True)

    if not seen.forbidden and not calibrate():
        pytest.skip("inconclusive: this machine shows no race at all")
    assert seen.forbidden, f"{lab}: nothing in {seen.rounds} rounds, though this machine races"


@pytest.mark.race
@pytest.mark.parametrize("lab", PAIRED, ids=str)
def test_fixed_half_does_not(lab: Lab) -> None:
    for variant in (v for v in lab.variants if v.startswith("fixed")):
        for threads in lab.allowed_threads:
            seen = race(lab, variant, threads=threads, seconds=SECONDS / 10)
            assert not seen.forbidden, str(seen)


@pytest.mark.race
def test_lost_update_and_lazy_slot_show_at_once() -> None:
    """Within the first repetition, at stride 1; how fast is the benchmarks' affair."""
    for lab in (lab for lab in LABS if lab.name in ("lost_update", "lazy_slot")):
        seen = race(lab, "broken", count=1, rounds=200_000)
        if not seen.forbidden and not calibrate():
            pytest.skip("inconclusive: this machine shows no race at all")
        assert seen.time_to_first_failure_s
