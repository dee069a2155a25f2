"""Exercises as nbgrader's assignments: the notebooks to hand out, the settings, and what the grading cell does.

An assignment is a folder of notebooks, one for each exercise. Its source, for the teacher, holds the starter
and, between nbgrader's marks, the solution; `nbgrader generate_assignment` takes the solution out. The grading
cell calls `grade`, which runs the same checker as `racelab check`.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Sequence
from pathlib import Path
from textwrap import fill
from typing import Any

from racelab.checking import SECONDS, Verdict, check
from racelab.course import MORE_TIME, TIMES_MORE
from racelab.exercise import Exercise, ExerciseError, Level, find_exercise
from racelab.files import write_whole

__all__ = ["Fail", "Inconclusive", "grade", "make_assignment", "notebook"]

#: Answers of this kernel's cells, by exercise. Not files: nbgrader hands on what lies beside a notebook, and the
#: teacher's own run would put a solution there.
_answers: dict[str, str] = {}
#: What an exercise is worth.
POINTS: dict[Level, int] = {"easy": 1, "medium": 2, "hard": 3}
#: What nbgrader looks for at the ends of a solution.
BEGIN, END = "### BEGIN SOLUTION", "### END SOLUTION"
KERNEL = {"display_name": "Python 3.13t (racelab)", "language": "python", "name": "racelab"}
OURS, THEIRS = "racelab_config.py", "nbgrader_config.py"
LOAD = f'load_subconfig("{OURS}")'

SETTINGS = '''"""What nbgrader must know about the exercises of racelab. Made by `racelab assignment`, anew each time."""

from nbgrader.api import Gradebook
from nbgrader.preprocessors import NbGraderPreprocessor
from nbgrader.utils import is_grade


class LeaveInconclusive(NbGraderPreprocessor):
    """An INCONCLUSIVE verdict is not a wrong answer: its cell is left for manual grading."""

    def preprocess_cell(self, cell, resources, cell_index):
        enames = [output.get("ename") for output in cell.get("outputs", ())]
        if is_grade(cell) and "Inconclusive" in enames:
            where = resources["nbgrader"]
            place = (where["notebook"], where["assignment"], where["student"])
            with Gradebook(where["db_url"]) as gradebook:
                grade = gradebook.find_grade(cell.metadata.nbgrader["grade_id"], *place)
                grade.auto_score = None
                grade.needs_manual_grade = True
                gradebook.db.commit()
            self.log.warning("INCONCLUSIVE, left for manual grading: %s of %s by %s", *place)
        return cell, resources


c = get_config()  # noqa: F821
c.Autograde.autograde_preprocessors.append(LeaveInconclusive)
# A check of a hard exercise on a slow machine takes minutes, and nbgrader ends a cell after 30 seconds.
c.ExecutePreprocessor.timeout = 900
c.ExecutePreprocessor.iopub_timeout = 60
# What takes the solution's place. nbgrader's own words are Python, and an answer may be C.
c.ClearSolutions.code_stub = {"python": ""}
'''


class Fail(AssertionError):
    """The answer is wrong, or there is none; the message says what was seen and what to do next."""

    def _render_traceback_(self) -> list[str]:
        return [f"{type(self).__name__}: {self}"]


class Inconclusive(Exception):
    """This machine cannot judge the answer: neither right nor wrong."""

    _render_traceback_ = Fail._render_traceback_


# ---------------------------------------------------------------------------------------------------
# What the grading cell does
# ---------------------------------------------------------------------------------------------------


def grade(slug: str, *, seconds: float = SECONDS) -> None:
    """Judge the answer that a `%%answer` cell holds; ends quietly if it passes.

    Args:
        slug: the exercise.
        seconds: time for racing. Where nbgrader runs this, a check that this was too short for gets five times as much.

    Raises:
        Fail: the answer is wrong, or there is none.
        Inconclusive: this machine cannot judge it.
        ExerciseError: there is no such exercise.
    """
    exercise = find_exercise(slug)
    if slug not in _answers:
        raise Fail(f"There is no answer yet: run the cell that begins with %%answer {slug}.")
    answer = "\n" + _answers[slug]  # the magic is line 1 of the cell
    verdict = check(exercise, answer, seconds=seconds)
    # An autograder gives more: a teacher's machine can wait.
    if verdict.reason in MORE_TIME and os.environ.get("NBGRADER_EXECUTION"):
        verdict = check(exercise, answer, seconds=TIMES_MORE * seconds)
    _show(verdict)
    # Nothing is returned: nbgrader takes a cell's value for a number of points.
    if verdict.verdict == "FAIL":
        raise Fail(verdict.says if verdict.reason == "compile" else _wrapped(verdict.says))
    if verdict.verdict == "INCONCLUSIVE":
        left = "This is not a wrong answer: handed in, it is left for the teacher to grade."
        raise Inconclusive(_wrapped(f"{verdict.says}\n{left}"))


def load_ipython_extension(shell: Any) -> None:
    """What `%load_ext racelab.assignment` calls: registers %%answer."""
    shell.register_magic_function(_answer, "cell", "answer")


def _answer(line: str, cell: str) -> None:
    """%%answer EXERCISE: the cell's text is an answer, for `grade`."""
    _answers[line.strip()] = _between_marks(cell)
    print(f"{line.strip()}: taken. The next cell judges it.")


def _wrapped(text: str) -> str:
    """For what a notebook shows as it is, like a traceback."""
    return "\n".join(fill(line, 90) for line in text.splitlines())


def _between_marks(text: str) -> str:
    """A teacher's source holds the starter, too; what is between the marks counts."""
    found = re.search(
        rf"^[^\n]*{re.escape(BEGIN)}[^\n]*\n(.*?)^[^\n]*{re.escape(END)}", text, re.M | re.S
    )
    return (found[1] if found else text).rstrip() + "\n"


def _show(verdict: Verdict) -> None:
    from IPython.display import display

    display(verdict)  # type: ignore[no-untyped-call, unused-ignore]


# ---------------------------------------------------------------------------------------------------
# What is handed out
# ---------------------------------------------------------------------------------------------------


def make_assignment(name: str, slugs: Sequence[str], course: Path) -> tuple[list[Path], bool]:
    """Write an assignment's source, and the settings that nbgrader needs, into a course's folder.

    Args:
        name: of the assignment.
        slugs: its exercises.
        course: nbgrader's folder of the course; made if it is not there.

    Returns:
        The notebooks, and whether the course's own settings load ours.

    Raises:
        ExerciseError: there is no such exercise, or a notebook is there that somebody has changed.
    """
    if not re.fullmatch(r"[\w-]+", name):
        raise ExerciseError(f"assignment {name!r}: letters, digits, - and _ make a name.")
    texts = {
        course / "source" / name / f"{slug}.ipynb": notebook(find_exercise(slug)) for slug in slugs
    }
    for path, text in texts.items():
        if path.exists() and path.read_text(encoding="utf-8") != text:
            raise ExerciseError(f"{path} is there, and differs: remove it to have it made anew.")
    for path, text in texts.items():
        write_whole(path, text)
    write_whole(course / OURS, SETTINGS)
    theirs = course / THEIRS
    if not theirs.exists():
        course_id = re.sub(r"[^\w-]", "_", course.resolve().name)
        write_whole(
            theirs,
            f"c = get_config()  # noqa: F821\nc.CourseDirectory.course_id = {course_id!r}\n{LOAD}\n",
        )
    return list(texts), OURS in theirs.read_text(encoding="utf-8")


def notebook(exercise: Exercise) -> str:
    """The source notebook of an exercise, as text."""
    points = POINTS[exercise.level]
    worth = f"{points} point{'s' if points > 1 else ''}"
    slug, name = exercise.slug, exercise.file_name
    comment = "" if exercise.source.suffix in (".py", ".pyx") else "// "
    task = f"""# {exercise.title}

{exercise.goal}

*{exercise.level.capitalize()}, about {exercise.minutes} minutes, {worth}. It belongs to chapter `{exercise.chapter}`.*

The third cell is the whole of `{name}`, as you find it. Change it there, and leave its first line as it is. Then run all cells; the last one judges
your answer, which may take half a minute, and says what it saw and what to do next.

A hint, in a cell of your own: `import racelab; print(racelab.hint("{slug}"))`"""
    answer = "\n".join(
        [
            f"%%answer {slug}",
            exercise.text("starter").rstrip("\n"),
            f"{comment}{BEGIN}",
            exercise.text("solution").rstrip("\n"),
            f"{comment}{END}",
        ]
    )
    test = f'from racelab.assignment import grade\n\ngrade("{slug}")  # {worth}'
    cells = [
        _cell(f"{slug}-task", "markdown", task, locked=True),
        _cell(f"{slug}-setup", "code", "%load_ext racelab.assignment", locked=True),
        _cell(f"{slug}-answer", "code", answer, solution=True),
        _cell(f"{slug}-grade", "code", test, locked=True, grade=True, points=points),
    ]
    made = {
        "cells": cells,
        "metadata": {"kernelspec": KERNEL, "language_info": {"name": "python"}},
        "nbformat": 4,
        "nbformat_minor": 5,
    }
    return json.dumps(made, indent=1, ensure_ascii=False) + "\n"


def _cell(grade_id: str, kind: str, source: str, **marks: Any) -> dict[str, Any]:
    """A cell with nbgrader's marks."""
    is_ = {"grade": False, "locked": False, "solution": False, "task": False, **marks}
    facts = {"grade_id": grade_id, "schema_version": 3, "cell_type": kind, **is_}
    cell: dict[str, Any] = {
        "cell_type": kind,
        "id": grade_id,
        "metadata": {"nbgrader": facts},
        "source": source,
    }
    return cell | ({"execution_count": None, "outputs": []} if kind == "code" else {})
