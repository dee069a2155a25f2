"""Two exercises handed out and collected with nbgrader's own commands, as book/nbgrader.md says. `make test-race` runs it."""

from __future__ import annotations

import csv
import json
import os
import re
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
RACELAB = ROOT / ".venv-ft/bin/racelab"
NBGRADER = ROOT / ".venv-nbgrader/bin/nbgrader"
WRONG = {"two_counters": "too_early", "silent_test": "asks_nobody"}
#: A right answer that one core cannot judge: nothing holds its window open.
NO_RACE_POINT = "RACE_POINT();"
LIMIT_S = 600

pytestmark = [
    pytest.mark.race,
    pytest.mark.timeout(2 * LIMIT_S),
    pytest.mark.skipif(not NBGRADER.exists(), reason="there is no nbgrader: make env-nbgrader"),
]


class Course:
    """A course in a folder of its own, with its exchange and its students' desks."""

    def __init__(self, place: Path) -> None:
        self.place, self.folder, self.exchange = place, place / "course", place / "exchange"
        self.exchange.mkdir()
        self.exchange.chmod(0o777)

    def run(self, *command: object, cwd: Path, core: str | None = None) -> str:
        """Run a command; what it printed."""
        dropped = ("PYTHON_GIL", "NBGRADER_EXECUTION")
        variables = {key: value for key, value in os.environ.items() if key not in dropped}
        variables["PATH"] = f"{NBGRADER.parent}:{variables['PATH']}"  # it calls alembic by name
        variables["JUPYTER_PATH"] = str(ROOT / ".kernels/share/jupyter")
        for name in ("JUPYTER_DATA_DIR", "JUPYTER_RUNTIME_DIR", "JUPYTER_CONFIG_DIR", "IPYTHONDIR"):
            variables[name] = str(self.place / "jupyter" / cwd.name / name.lower())
        words = [*(["taskset", "-c", core] if core else []), *map(str, command)]
        done = subprocess.run(
            words, cwd=cwd, env=variables, capture_output=True, text=True, timeout=LIMIT_S
        )
        said = done.stdout + done.stderr
        assert done.returncode == 0, f"{words} -> {done.returncode}\n{said}"
        return said

    def teacher(self, *command: object, **how: object) -> str:
        return self.run(
            NBGRADER, *command, f"--Exchange.root={self.exchange}", cwd=self.folder, **how
        )

    def student(self, name: str, *command: object) -> str:
        desk = self.place / "desks" / name
        desk.mkdir(parents=True, exist_ok=True)
        who = (f"--course={self.folder.name}", f"--CourseDirectory.student_id={name}")
        return self.run(NBGRADER, *command, *who, f"--Exchange.root={self.exchange}", cwd=desk)

    def notebook(self, name: str, slug: str) -> Path:
        return self.place / "desks" / name / "races" / f"{slug}.ipynb"

    def answer(self, name: str, slug: str, text: str) -> None:
        """Put a text into the answer's cell, as a student does."""
        made = json.loads(self.notebook(name, slug).read_text())
        cell = next(c for c in made["cells"] if source(c).startswith("%%answer"))
        cell["source"] = f"%%answer {slug}\n{text}"
        self.notebook(name, slug).write_text(json.dumps(made))

    def grades(self) -> dict[str, list]:
        """What the gradebook holds: points by itself, of how many, and whether a person has to look."""
        said = self.run(NBGRADER.with_name("python"), "-c", GRADES, self.folder, cwd=self.folder)
        return json.loads(said.splitlines()[-1])


def source(cell: dict) -> str:
    return "".join(cell["source"])


def text_of(slug: str, which: str) -> str:
    """A text of an exercise."""
    code = f"from racelab.exercise import find_exercise; print(find_exercise({slug!r}).text({which!r}))"
    return subprocess.run(
        [ROOT / ".venv-ft/bin/python", "-c", code],
        cwd=ROOT,
        check=True,
        capture_output=True,
        text=True,
    ).stdout


GRADES = """
import json, sys
from nbgrader.api import Gradebook
with Gradebook(f"sqlite:///{sys.argv[1]}/gradebook.db") as book:
    print(json.dumps({
        f"{one.student.id} {notebook.name}": [grade.auto_score, grade.max_score, grade.needs_manual_grade]
        for one in book.find_assignment("races").submissions
        for notebook in one.notebooks
        for grade in notebook.grades
    }))
"""


@pytest.fixture(scope="module")
def course(tmp_path_factory: pytest.TempPathFactory) -> Course:
    """The whole way: made, handed out, answered by four students, collected, graded, given back."""
    course = Course(tmp_path_factory.mktemp("nbgrader"))
    course.run(RACELAB, "assignment", "races", *WRONG, "--into", course.folder, cwd=course.place)
    course.teacher("validate", *(f"source/races/{slug}.ipynb" for slug in WRONG))
    course.teacher("generate_assignment", "races")
    course.teacher("release_assignment", "races")
    for name in ("ada", "ben", "cleo", "dan"):
        course.student(name, "fetch_assignment", "races")
    for slug, wrong in WRONG.items():
        course.answer("ada", slug, text_of(slug, "solution"))
        course.answer("cleo", slug, text_of(slug, wrong))
        course.answer("dan", slug, text_of(slug, "solution").replace(NO_RACE_POINT, ""))
    for name in ("ada", "ben", "cleo", "dan"):
        course.student(name, "submit", "races")
    course.teacher("collect", "races")
    course.teacher("autograde", "races", "--CourseDirectory.student_id_exclude=dan")
    course.log = course.teacher("autograde", "races", "--student=dan", core="0")
    course.teacher("generate_feedback", "races")
    course.teacher("release_feedback", "races")
    course.student("ada", "fetch_feedback", "races")
    course.teacher("export")
    course.at_first = course.grades()
    course.teacher("autograde", "races", "--student=dan", "--force")
    course.at_last = course.grades()
    return course


def scores(course: Course) -> dict[str, float]:
    """What nbgrader exports, by student."""
    with (course.folder / "grades.csv").open() as file:
        return {row["student_id"]: float(row["score"]) for row in csv.DictReader(file)}


def test_grades_in_the_export(course: Course) -> None:
    """Both exercises are easy: one point each. What is left for the teacher has no points yet."""
    assert scores(course) == {"ada": 2, "ben": 0, "cleo": 0, "dan": 1}


def test_gradebook_leaves_inconclusive_to_the_teacher(course: Course) -> None:
    assert course.at_first == {
        "ada two_counters": [1, 1, False],
        "ada silent_test": [1, 1, False],
        "ben two_counters": [0, 1, False],
        "ben silent_test": [0, 1, False],
        "cleo two_counters": [0, 1, False],
        "cleo silent_test": [0, 1, False],
        "dan two_counters": [None, 1, True],
        "dan silent_test": [1, 1, False],
    }
    assert "INCONCLUSIVE, left for manual grading: two_counters of races by dan" in course.log


def test_a_machine_with_more_cores_decides(course: Course) -> None:
    if len(os.sched_getaffinity(0)) < 2:
        pytest.skip("needs two cores")
    assert course.at_last == {**course.at_first, "dan two_counters": [1, 1, False]}


def test_what_is_handed_out_gives_nothing_away(course: Course) -> None:
    """Only notebooks, though the teacher has run the source; in them the starter, and no line that only the solution has."""
    released = course.exchange / course.folder.name / "outbound/races"
    assert sorted(path.name for path in released.iterdir()) == sorted(f"{s}.ipynb" for s in WRONG)
    for slug in WRONG:
        made = json.loads((released / f"{slug}.ipynb").read_text())
        sources = [source(cell) for cell in made["cells"]]
        answer = next(text for text in sources if text.startswith("%%answer"))
        assert answer.strip() == f"%%answer {slug}\n{text_of(slug, 'starter')}".strip()
        starter, solution = (set(text_of(slug, w).splitlines()) for w in ("starter", "solution"))
        assert solution - starter
        assert not (solution - starter) & set("\n".join(sources).splitlines())
        assert not any(cell.get("outputs") for cell in made["cells"])
        assert made["metadata"]["kernelspec"]["name"] == "racelab"


def test_feedback_reaches_the_student(course: Course) -> None:
    """Below the folder of the answers, one folder for each time that they were handed in."""
    found = (course.place / "desks/ada/races/feedback").glob("*/*.html")
    assert sorted(page.stem for page in found) == sorted(WRONG)


@pytest.mark.parametrize(
    ("name", "slug", "said"),
    [
        ("ada", "two_counters", "95 % sure the rate is below"),
        ("ben", "two_counters", "this is the starter: nothing has been changed yet"),
        ("cleo", "two_counters", "another thread still gets in"),
        ("cleo", "silent_test", "your test does not ask each of them how it went"),
        ("dan", "two_counters", "This is not a wrong answer"),
    ],
)
def test_feedback_says_what_the_checker_said(
    course: Course, name: str, slug: str, said: str
) -> None:
    page = (course.folder / "feedback" / name / "races" / f"{slug}.html").read_text()
    assert said in re.sub(r"(<[^>]+>|\s)+", " ", page).replace("&amp;", "&")
