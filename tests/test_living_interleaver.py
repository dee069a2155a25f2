"""The interleaver: its schedules against what races have shown, its lines against the C files, its state."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from racelab import FORBIDDEN, living
from racelab.lab import load_labs
from racelab.recording import recorded
from racelab.show import source_file

ROOT = Path(__file__).resolve().parents[1]
NODE = shutil.which("node")
FILES = sorted((ROOT / "ext").glob("*/steps.js"))
SLUGS = [file.parent.name for file in FILES]
needs_node = pytest.mark.skipif(NODE is None, reason="needs node: `apt-get install nodejs`")


@cache
def enumerated() -> dict[str, dict[str, Any]]:
    """Slug to everything that node finds in its steps.js."""
    assert NODE
    command = [NODE, ROOT / "tests/js/schedules.mjs", *FILES]
    ran = subprocess.run(command, capture_output=True, text=True, timeout=120)
    assert ran.returncode == 0, ran.stderr
    return {Path(file).parent.name: found for file, found in json.loads(ran.stdout).items()}


def seen(slug: str) -> dict[str, set[str]]:
    """Variant to the outcomes of all its recorded races: widened or not, with the GIL and without."""
    try:
        races = recorded(slug).races
    except FileNotFoundError:
        return {}
    found: dict[str, set[str]] = {}
    for race in races:
        if race.lab == slug:
            labels = {label for label, n in race.outcomes.items() if n}
            found.setdefault(str(race.variant), set()).update(labels)
    return found


def forbidden(slug: str) -> dict[str, bool]:
    """Outcome to whether it is broken, as the lab says, or steps.js where there is no lab."""
    own = enumerated()[slug]["outcomes"]
    if own is not None:
        return {label: bad for label, (bad, _) in own.items()}
    [lab] = [lab for lab in load_labs(ROOT / f"ext/{slug}/lab.py") if lab.name == slug]
    return {label: grade.name == FORBIDDEN.name for label, grade in lab.outcomes.items()}


def test_there_are_steps_for_the_figures_of_the_book() -> None:
    wanted = "lost_update lazy_slot borrowed_ref get_or_make suspended swap half_built attached"
    assert set(wanted.split()) <= set(SLUGS)


@needs_node
@pytest.mark.parametrize("slug", SLUGS)
def test_whatever_a_race_has_shown_is_among_the_schedules(slug: str) -> None:
    for variant, labels in seen(slug).items():
        played = enumerated()[slug]["variants"].get(variant)
        if played is not None:
            assert labels <= set(played["outcomes"]), variant


@needs_node
@pytest.mark.parametrize("slug", SLUGS)
def test_whatever_no_race_has_shown_is_listed_with_its_reason(slug: str) -> None:
    found = enumerated()[slug]
    raced = seen(slug)
    missing = {
        variant: set(found["variants"][variant]["outcomes"]) - raced[variant]
        for variant in found["variants"]
        if variant in raced
    }
    listed = {variant: set(reasons) for variant, reasons in found["unobserved"].items()}

    assert {variant: labels for variant, labels in missing.items() if labels} == listed
    assert all(reason for reasons in found["unobserved"].values() for reason in reasons.values())


@needs_node
@pytest.mark.parametrize("slug", SLUGS)
def test_broken_steps_can_fail_and_fixed_ones_cannot(slug: str) -> None:
    grades = forbidden(slug)
    for variant, played in enumerated()[slug]["variants"].items():
        labels = set(played["outcomes"])
        assert labels <= set(grades), f"{variant}: no grade"
        fails = any(grades[label] for label in labels)
        assert fails == variant.startswith("broken"), f"{variant}: {labels}"


@needs_node
@pytest.mark.parametrize("slug", SLUGS)
def test_nobody_ends_with_a_lock_and_few_states_do(slug: str) -> None:
    for variant, played in enumerated()[slug]["variants"].items():
        assert played["untidy"] == [], variant
        assert played["states"] < 2000, f"{variant}: a phone has to count these"


@needs_node
@pytest.mark.parametrize("slug", SLUGS)
def test_the_steps_are_the_lines_of_the_region(slug: str) -> None:
    """Each step stands at a line of code, and no line between the [race] marks is forgotten."""
    found = enumerated()[slug]
    for variant, played in found["variants"].items():
        text = source_file(slug, variant).read_text(encoding="utf-8").splitlines()
        steps = [step for steps in played["steps"] for step in steps]
        used = {number for step in steps for number in step["line"]}
        for number in used:
            assert is_code(text[number - 1]), f"{variant}, line {number}: {text[number - 1]!r}"
        assert all(step["line"] or step["text"] for step in steps), variant

        marks = [n for n, line in enumerate(text, start=1) if line.strip() == "/* [race] */"]
        assert len(marks) == 2
        region = {n for n in range(marks[0] + 1, marks[1]) if is_code(text[n - 1])}
        unplayed = {n for n in region if bare(text[n - 1]) in found["unplayed"]}
        assert region - unplayed <= used, f"{variant}: lines {sorted(region - unplayed - used)}"


def bare(line: str) -> str:
    """A line of C without its comment."""
    return re.sub(r"/\*.*?\*/", "", line).strip()


def is_code(line: str) -> bool:
    """Whether a line does anything: no brace, race point, comment, or declaration without a value."""
    return bare(line) not in ("", "{", "}", "RACE_POINT();") and not re.fullmatch(
        r"PyObject \*\w+;", bare(line)
    )


@needs_node
@pytest.mark.parametrize("slug", SLUGS)
def test_the_schedule_on_paper_is_the_shortest_that_fails(slug: str) -> None:
    grades = forbidden(slug)
    expected = {}
    for variant, played in enumerated()[slug]["variants"].items():
        bad = [one for label, one in played["outcomes"].items() if grades[label]]
        if bad:
            expected[variant] = min(bad, key=lambda one: (len(one["shortest"]), one["switches"]))[
                "lines"
            ]

    assert enumerated()[slug]["failing"] == expected


def test_paper_says_who_waits_for_whom_when_it_hangs() -> None:
    still = living.interleaver("lock_and_world").still
    assert "A is paused: the world is to stop; B waits for library, attached; C waits for" in still
    still = living.interleaver("swap").still
    why = "each has one lock and waits for the other one"
    assert f'<td>then</td><td colspan="2">hang ({why}); A waits for lock of y; B waits' in still
    assert "self-&gt;" not in living.interleaver("lost_update").still.replace(
        '<span class="rl-whole">-&gt;</span>', ""
    )


@needs_node
@pytest.mark.parametrize("slug", SLUGS)
def test_the_figure_takes_lines_grades_and_counts_from_where_they_are(slug: str) -> None:
    figure = living.interleaver(slug)
    state = json.loads(json.dumps(figure.state))
    text = source_file(slug, "broken").read_text(encoding="utf-8").splitlines()

    assert state["steps"] == (ROOT / f"ext/{slug}/steps.js").read_text(encoding="utf-8")
    for number, line in state["lines"]["broken"].items():
        assert text[int(number) - 1].strip().startswith(line)
    assert set(state["observed"].get("broken", ())) <= seen(slug).get("broken", set())
    heads = re.findall(r'<th scope="col">(.*?)</th>', figure.still)
    threads = len(enumerated()[slug]["variants"]["broken"]["steps"])
    assert heads == ["step", *(f"thread {one}" for one in "ABC"[:threads])], "also who only waits"
    last = figure.still.rpartition("<tr>")[2]
    ends = re.search(r'<td colspan="\d">(.+?)[ ;<]', last)
    assert ends
    assert any(label.startswith(ends[1]) for label, bad in forbidden(slug).items() if bad), last
    assert "<code>" in figure.still


def test_fresh_races_take_the_place_of_the_recorded_ones() -> None:
    race = recorded("lost_update").result("fixed")
    figure = living.interleaver("lost_update", races={"fixed": race})

    assert figure.state["observed"]["fixed"] == {"all counted": race.outcomes["all counted"]}
    rounds = {
        one: f"{sum(recorded('lost_update').result(one).outcomes.values()):,}"
        for one in ("broken", "fixed")
    }
    assert figure.state["source"] == {
        "broken": f"Seen in {rounds['broken']} rounds recorded (a hang or a crash counts as one)",
        "fixed": f"Seen in {rounds['fixed']} rounds today (a hang or a crash counts as one)",
    }
    kept = {label: n for label, n in recorded("lost_update").result("broken").outcomes.items() if n}
    assert figure.state["observed"]["broken"] == kept, "what was not raced today is as recorded"


def test_a_race_that_hung_at_once_does_not_say_that_it_always_hangs() -> None:
    """One round of today is all that there was; the recorded ones say how often it goes well."""
    kept = recorded("swap").results(gil=False)["broken"]
    hung = replace(kept, outcomes={"both swapped": 0, "hang": 1})
    figure = living.interleaver("swap", races={"broken": hung})
    assert figure.state["observed"]["broken"] == {k: n for k, n in kept.outcomes.items() if n}
    assert re.fullmatch(r"Seen in [\d,]+ rounds recorded \(.*\)", figure.state["source"]["broken"])

    often = replace(kept, outcomes={"both swapped": 60, "hang": 2})
    figure = living.interleaver("swap", races={"broken": often})
    assert figure.state["source"]["broken"].startswith("Seen in 62 rounds today (")


def test_races_of_something_else_are_refused() -> None:
    race = recorded("lost_update").result("fixed")
    for races in ({"fixed_mutex": race}, {"fixed": replace(race, lab="dice")}):
        with pytest.raises(ValueError, match="give races of lost_update, by the variants"):
            living.interleaver("lost_update", races=races)


def test_chapters_that_have_raced_say_so() -> None:
    """Each figure after a race of its lab gets that race: else it would show what was recorded, and call it that."""
    figure = re.compile(r'^living\.interleaver\("(\w+)".*?^```$', re.M | re.S)
    for path in sorted((ROOT / "notebooks").glob("*.md")):
        text = path.read_text(encoding="utf-8")
        for found in figure.finditer(text):
            raced = re.search(rf'race\("{found[1]}"', text[: found.start()])
            by_lab = re.search(rf'find_lab\("{found[1]}"\)', text[: found.start()])
            if raced or by_lab:
                assert "races=" in found[0], f"{path.stem}: {found[0]}"


def test_a_kernel_gets_the_widget_and_it_follows_its_state() -> None:
    pytest.importorskip("anywidget")
    shown = living.interleaver("lost_update")._repr_mimebundle_()
    assert "application/vnd.jupyter.widget-view+json" in shown
    assert 'model.on("change:state"' in living.module_text("interleaver")


def test_what_has_no_steps_is_refused() -> None:
    with pytest.raises(
        FileNotFoundError, match=r"ext/cache has no steps\.js; these have one: .*lost_update"
    ):
        living.interleaver("cache")
    with pytest.raises(ValueError, match="broken_twice: not a variant"):
        living.interleaver("lost_update", "broken_twice")
    with pytest.raises(ValueError, match="fixed: not a variant"):
        living.interleaver("lost_update", "fixed", variants={"broken": "plain"})
