"""Every exercise can be told: the starter fails, each wrong answer fails for its own reason, the solution passes."""

from __future__ import annotations

import re

import pytest

from racelab import checking
from racelab.checking import check
from racelab.exercise import Exercise, exercises, work_folder
from racelab.show import find_ext

ROOT = find_ext().parent
ALL = exercises(ROOT / "exercises")
WRONG = [(one, name) for one in ALL for name in one.wrong]


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Shorter turns and no ThreadSanitizer: the long way is in the racing tests."""
    monkeypatch.setattr(checking, "SLICE_S", 0.3)
    monkeypatch.setattr(checking, "SINGLE_S", 4.0)
    monkeypatch.setitem(checking.AT_LEAST, "cold", 40)
    monkeypatch.setattr(checking._Check, "_sanitized", lambda _self: None)


def called(value: object) -> str:
    """A part of a test's id."""
    return str(value)


def judged(exercise: Exercise, which: str) -> tuple[str, str]:
    """Verdict and reason of a stored text; asked again, with more time, where the machine was too weak or too slow."""
    for seconds in (20.0, 60.0):
        verdict = check(exercise, exercise.text(which), seconds=seconds)
        if verdict.verdict != "INCONCLUSIVE":
            break
    print(verdict)
    return verdict.verdict, verdict.reason


def test_there_are_exercises() -> None:
    """Else everything below would pass for want of anything to look at."""
    assert ALL
    assert WRONG


@pytest.mark.parametrize("exercise", ALL, ids=called)
def test_it_belongs_to_a_chapter_that_names_it(exercise: Exercise) -> None:
    chapter = ROOT / "notebooks" / f"{exercise.chapter}.md"
    named = re.search(r"^racelab:.*exercises: \[([\w, ]+)\]", chapter.read_text(), re.M)

    assert named, f"{chapter.name} names no exercises"
    assert exercise.slug in named[1].split(", ")


@pytest.mark.parametrize("exercise", ALL, ids=called)
def test_it_has_something_to_do_and_typical_wrong_answers(exercise: Exercise) -> None:
    assert exercise.text("starter") != exercise.text("solution")
    assert len(exercise.wrong) >= 2
    for name in exercise.wrong:
        assert exercise.why_wrong(name)
        assert exercise.text(name) not in (exercise.text("starter"), exercise.text("solution"))
    for word in ("BEGIN", "END", "STARTER"):
        assert word not in exercise.text("starter").split()
    if exercise.lab is None:
        return
    assert exercise.source.suffix == ".py" or "RACE_POINT" in exercise.text("starter")
    for label, grade in exercise.lab.outcomes.items():
        if grade.name == "FORBIDDEN":
            assert label in exercise.advice, f"{exercise}: no advice for {label!r}"


@pytest.mark.parametrize("exercise", ALL, ids=called)
def test_starter_fails(exercise: Exercise) -> None:
    """An exercise that is solved before anybody begins teaches nothing."""
    assert judged(exercise, "starter")[0] == "FAIL"


@pytest.mark.parametrize("exercise", ALL, ids=called)
def test_solution_passes(exercise: Exercise) -> None:
    assert judged(exercise, "solution") == ("PASS", "right")


@pytest.mark.parametrize(("exercise", "name"), WRONG, ids=called)
def test_wrong_answer_fails_for_its_own_reason(exercise: Exercise, name: str) -> None:
    assert judged(exercise, name) == ("FAIL", exercise.caught_by(name))


@pytest.mark.race
@pytest.mark.parametrize("exercise", ALL, ids=called)
def test_solution_passes_the_long_way(exercise: Exercise, monkeypatch: pytest.MonkeyPatch) -> None:
    """With the learner's own settings, and under ThreadSanitizer where its interpreter is there."""
    monkeypatch.undo()

    assert judged(exercise, "solution") == ("PASS", "right")


def test_no_wrong_answer_or_starter_lies_about_in_the_repository(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """What learners edit is in a folder of its own, which git ignores."""
    monkeypatch.delenv("RACELAB_WORK", raising=False)
    theirs = work_folder(ROOT / "exercises/any").relative_to(ROOT)
    ignored = (ROOT / ".gitignore").read_text().splitlines()

    assert f"/{theirs}/" in ignored
    for path in (ROOT / "exercises").rglob("*"):
        if path.is_file() and "__pycache__" not in path.parts:
            kind = "wrong" if path.parent.name == "wrong" else path.stem
            assert kind in {"wrong", "exercise", "solution", "given", "README"}, path
