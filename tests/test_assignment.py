"""Exercises as nbgrader's assignments: what is in the notebooks, and what the grading cell does with a verdict."""

from __future__ import annotations

import ast
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import nbformat
import pytest

from racelab import assignment, cli
from racelab.assignment import BEGIN, END, Fail, Inconclusive, grade, make_assignment
from racelab.checking import Verdict
from racelab.exercise import Exercise, ExerciseError, exercises, find_exercise
from racelab.show import find_ext

ALL = exercises(find_ext().parent / "exercises")
SLUG = "two_counters"


@pytest.fixture(autouse=True)
def desk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder to work in, and a kernel that has seen no answer yet."""
    monkeypatch.setenv("RACELAB_BOOK", str(find_ext().parent))
    monkeypatch.delenv("NBGRADER_EXECUTION", raising=False)
    monkeypatch.setattr(assignment, "_answers", {})
    monkeypatch.chdir(tmp_path)
    return tmp_path


def cells(exercise: Exercise) -> dict[str, Any]:
    """The cells of an exercise's notebook, by what they are for."""
    made = nbformat.reads(assignment.notebook(exercise), as_version=4)
    nbformat.validate(made)
    assert made.metadata.kernelspec.name == "racelab"
    return {cell.metadata.nbgrader.grade_id.rpartition("-")[2]: cell for cell in made.cells}


@pytest.mark.parametrize("exercise", ALL, ids=str)
def test_notebook_is_what_nbgrader_expects(exercise: Exercise) -> None:
    found = cells(exercise)
    assert list(found) == ["task", "setup", "answer", "grade"]
    marks = {name: cell.metadata.nbgrader for name, cell in found.items()}
    assert {name: (m.grade, m.solution, m.locked) for name, m in marks.items()} == {
        "task": (False, False, True),
        "setup": (False, False, True),
        "answer": (False, True, False),
        "grade": (True, False, True),
    }
    assert {m.schema_version for m in marks.values()} == {3}
    assert marks["grade"].points == {"easy": 1, "medium": 2, "hard": 3}[exercise.level]
    assert exercise.goal in found["task"].source


@pytest.mark.parametrize("exercise", ALL, ids=str)
def test_without_the_marked_lines_the_starter_is_left(exercise: Exercise) -> None:
    """As nbgrader takes them out: every line from the one mark to the other."""
    answer = cells(exercise)["answer"].source
    lines = answer.splitlines()
    first, last = (next(n for n, x in enumerate(lines) if mark in x) for mark in (BEGIN, END))
    head, *left = lines[:first] + lines[last + 1 :]
    assert head == f"%%answer {exercise.slug}"
    assert "\n".join(left).strip() == exercise.text("starter").strip()
    assert sum("BEGIN SOLUTION" in x or "END SOLUTION" in x for x in lines) == 2


@pytest.mark.parametrize("exercise", ALL, ids=str)
def test_the_teachers_own_run_judges_the_solution(exercise: Exercise) -> None:
    head, _, body = cells(exercise)["answer"].source.partition("\n")
    assignment._answer(head.split()[1], body)
    assert assignment._answers[exercise.slug].strip() == exercise.text("solution").strip()


def test_a_learners_text_is_taken_whole(capsys: pytest.CaptureFixture[str]) -> None:
    assignment._answer(SLUG, "int x;\n\nint y;\n")
    assert assignment._answers == {SLUG: "int x;\n\nint y;\n"}
    assert capsys.readouterr().out == f"{SLUG}: taken. The next cell judges it.\n"


# -- the grading cell -------------------------------------------------------------------------------


@pytest.fixture
def verdicts(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """Verdicts that the checker gives one after the other; what it was asked is put in their place."""
    found: list[Any] = []

    def check(_exercise: Exercise, answer: str, *, seconds: float) -> Verdict:
        word, reason = found.pop(0)
        found.append((answer, seconds))
        return Verdict(SLUG, word, reason, (), f"what {reason} means\n" + "and more " * 30)

    monkeypatch.setattr(assignment, "check", check)
    assignment._answer(SLUG, "the answer\n")
    return found


def test_a_pass_is_silent_to_nbgrader(
    verdicts: list[Any], capfd: pytest.CaptureFixture[str]
) -> None:
    """No value, which would be points; nothing on stderr, which would be a failure. Line 1 is the magic's."""
    verdicts.append(("PASS", "right"))
    assert grade(SLUG) is None
    assert capfd.readouterr().err == ""
    assert verdicts == [("\nthe answer\n", 20.0)]


def test_a_wrong_answer_raises_what_the_checker_says(verdicts: list[Any]) -> None:
    verdicts.append(("FAIL", "race"))
    with pytest.raises(Fail, match=r"^what race means\nand more") as caught:
        grade(SLUG)
    assert caught.value._render_traceback_() == [f"Fail: {caught.value}"]


def test_what_a_compiler_says_keeps_its_lines(verdicts: list[Any]) -> None:
    """It points at columns."""
    verdicts.append(("FAIL", "compile"))
    with pytest.raises(Fail) as caught:
        grade(SLUG)
    assert str(caught.value) == "what compile means\n" + "and more " * 30


@pytest.mark.parametrize("reason", ["no-power", "too-slow", "no-race-point"])
def test_inconclusive_is_neither(verdicts: list[Any], reason: str) -> None:
    verdicts.append(("INCONCLUSIVE", reason))
    with pytest.raises(Inconclusive, match="not a wrong answer") as caught:
        grade(SLUG)
    # The settings look for the name; a Fail would be a zero.
    assert type(caught.value).__name__ == "Inconclusive"
    assert '"Inconclusive"' in assignment.SETTINGS
    assert not isinstance(caught.value, Fail)
    assert max(map(len, str(caught.value).splitlines())) <= 90
    assert len(verdicts) == 1


def test_an_autograder_gives_more_time_before_it_gives_up(
    verdicts: list[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NBGRADER_EXECUTION", "autograde")
    verdicts += [("INCONCLUSIVE", "too-slow"), ("PASS", "right")]
    grade(SLUG)
    assert [seconds for _, seconds in verdicts] == [20.0, 100.0]

    verdicts[:] = [("INCONCLUSIVE", "no-race-point")]
    with pytest.raises(Inconclusive):
        grade(SLUG)
    assert len(verdicts) == 1


def test_nothing_is_judged_before_the_answers_cell_has_run() -> None:
    with pytest.raises(Fail, match=f"%%answer {SLUG}"):
        grade(SLUG)


SHELL = """
import contextlib, io, json, sys
from IPython.core.interactiveshell import InteractiveShell
shell = InteractiveShell.instance()
answers = []
for cell in json.loads(sys.stdin.read()):
    said = io.StringIO()
    with contextlib.redirect_stdout(said), contextlib.redirect_stderr(said):
        done = shell.run_cell(cell)
    answers.append([done.success, type(done.error_in_exec).__name__, str(done.error_in_exec), said.getvalue()])
print("\\n" + json.dumps(answers))
"""


def test_in_a_shell_the_cells_do_what_they_say(desk: Path) -> None:
    """The magic comes as the notebook loads it; a broken answer fails, at its line in the cell, without a traceback."""
    found = cells(find_exercise("silent_test"))
    broken = "%%answer silent_test\n\ndef broken(:\n    pass\n"
    graded = found["grade"].source
    texts = [found["setup"].source, "%%answer silent\nx", graded, broken, graded]
    done = subprocess.run(
        [sys.executable, "-c", SHELL],
        input=json.dumps(texts),
        env={**os.environ, "IPYTHONDIR": str(desk)},
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    loaded, other, too_early, taken, judged = json.loads(done.stdout.splitlines()[-1])
    assert [one[0] for one in (loaded, other, taken)] == [True] * 3
    assert too_early[1] == judged[1] == "Fail"
    assert "begins with %%answer silent_test" in too_early[2]
    assert "line 3" in judged[2]
    assert "Traceback" not in too_early[3] + judged[3]


# -- what is written --------------------------------------------------------------------------------


def test_a_course_from_nothing(desk: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["assignment", "races", SLUG, "silent_test", "--into", "my course"]) == 0
    said = capsys.readouterr().out
    course = desk / "my course"
    assert sorted(path.name for path in course.rglob("*.*")) == [
        "nbgrader_config.py", "racelab_config.py", "silent_test.ipynb", "two_counters.ipynb",
    ]  # fmt: skip
    own = (course / "nbgrader_config.py").read_text()
    assert "course_id = 'my_course'" in own
    assert 'load_subconfig("racelab_config.py")' in own
    assert "Add this line" not in said
    assert "nbgrader generate_assignment races" in said
    for name in ("nbgrader_config.py", "racelab_config.py"):
        ast.parse((course / name).read_text())


def test_settings_of_a_course_that_is_there_are_its_owners(
    desk: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    theirs = desk / "course/nbgrader_config.py"
    theirs.parent.mkdir()
    theirs.write_text("c = get_config()\n")
    assert cli.main(["assignment", "races", SLUG]) == 0
    assert theirs.read_text() == "c = get_config()\n"
    assert 'load_subconfig("racelab_config.py")' in capsys.readouterr().out


def test_what_a_teacher_has_changed_stays(desk: Path) -> None:
    [path], _ = make_assignment("races", [SLUG], desk)
    make_assignment("races", [SLUG], desk)
    changed = json.loads(path.read_text())
    changed["cells"][0]["source"] = "Read chapter 6 first."
    path.write_text(json.dumps(changed))
    with pytest.raises(ExerciseError, match="remove it"):
        make_assignment("races", ["silent_test", SLUG], desk)
    assert json.loads(path.read_text()) == changed
    assert not path.with_name("silent_test.ipynb").exists()


@pytest.mark.parametrize(
    ("words", "said"),
    [(["races", "no_such"], "no exercise"), (["a/b", SLUG], "make a name"), (["..", SLUG], "make a name")],
)  # fmt: skip
def test_a_mistake_is_one_sentence_and_nothing_is_written(
    desk: Path, words: list[str], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main(["assignment", *words]) == cli.COULD_NOT_RUN
    assert said in capsys.readouterr().err
    assert list(desk.iterdir()) == []
