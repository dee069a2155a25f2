"""Exercises in a notebook: the page of one, the magic that judges a cell, and the panel's buttons."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

import racelab as rl
from racelab import checking, practice
from racelab.course import Course
from racelab.exercise import ExerciseError, find_exercise
from racelab.show import find_ext

ROOT = find_ext().parent
SLUG = "two_counters"


@pytest.fixture(autouse=True)
def desk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A learner's `work` of its own; what ThreadSanitizer adds is tested elsewhere."""
    monkeypatch.setenv("RACELAB_WORK", str(tmp_path / "work"))
    monkeypatch.setenv("RACELAB_BOOK", str(ROOT))
    monkeypatch.setattr(checking._Check, "_sanitized", lambda _self: None)
    return tmp_path / "work"


def test_a_page_folds_what_gives_it_away() -> None:
    exercise = find_exercise(SLUG)
    page = rl.show_exercise(SLUG)._repr_html_()
    shown = page.partition("<details>")[0]

    assert exercise.title in shown
    assert exercise.goal in shown
    assert page.count("<details>") == page.count("</details>") == len(exercise.hints) + 3
    assert exercise.hints[0] not in shown


def test_hints_come_one_by_one_and_the_last_one_stays() -> None:
    hints = find_exercise(SLUG).hints

    said = [rl.hint(SLUG) for _ in range(len(hints) + 1)]

    assert said[0] == f"Hint 1 of {len(hints)}: {hints[0]}"
    assert said[-1] == said[-2] == f"Hint {len(hints)} of {len(hints)}: {hints[-1]}"


def test_the_first_check_makes_the_copy_and_remembers(desk: Path) -> None:
    verdict = rl.check(SLUG)

    assert verdict.verdict == "FAIL"
    assert (desk / SLUG / f"{SLUG}.c").is_file()
    assert Course().of(SLUG).checks == 1
    page = verdict._repr_html_()
    assert 'role="status"' in page
    assert f"rl.hint(&quot;{SLUG}&quot;)" in page
    assert "racelab hint" not in page
    assert f"racelab hint {SLUG}" in str(verdict)


def test_text_is_judged_without_touching_the_copy(desk: Path) -> None:
    assert rl.check(SLUG, find_exercise(SLUG).text("solution")).verdict == "PASS"
    assert not desk.exists()


def test_no_such_exercise_is_one_sentence() -> None:
    with pytest.raises(ExerciseError, match="there are: "):
        rl.show_exercise("no_such")


# -- the panel --------------------------------------------------------------------------------------


def texts(panel: Any) -> str:
    """Everything that the panel shows as HTML."""
    return "\n".join(part.value for part in panel.children if hasattr(part, "value"))


def button(panel: Any, name: str) -> Any:
    """The button of that name."""
    row = next(part for part in panel.children if hasattr(part, "children"))
    return next(one for one in row.children if one.description == name)


def test_the_panel_checks_hints_compares_and_starts_over(desk: Path) -> None:
    pytest.importorskip("ipywidgets")
    exercise = find_exercise(SLUG)
    shown = rl.panel(SLUG)
    mine = desk / SLUG / exercise.file_name

    button(shown, "Check").click()
    assert "FAIL" in texts(shown)
    button(shown, "Next hint").click()
    assert exercise.hints[0] in texts(shown).replace("&#x27;", "'")
    button(shown, "Compare with a solution").click()
    assert "PyMutex" in texts(shown)
    mine.write_text(exercise.text("solution"))
    button(shown, "Check").click()
    assert "PASS" in texts(shown)
    assert "1 of " in texts(shown)
    button(shown, "Start over").click()
    assert mine.read_text() == exercise.text("starter")
    assert ".before-reset-1" in texts(shown)


def test_a_click_opens_the_copy_in_jupyterlab() -> None:
    beside_the_book = practice._file(ROOT / "work/lost_update/lost_update.c")

    assert "docmanager:open" in beside_the_book
    assert "{&quot;path&quot;: &quot;work/lost_update/lost_update.c&quot;}" in beside_the_book
    assert practice._file(Path("/elsewhere/a<b.c")) == "<code>/elsewhere/a&lt;b.c</code>"


def test_what_does_not_compile_is_shown_and_the_buttons_come_back(desk: Path) -> None:
    pytest.importorskip("ipywidgets")
    shown = rl.panel(SLUG)
    (desk / SLUG / f"{SLUG}.c").write_text("int x = <script>;\n")

    button(shown, "Check").click()

    assert "FAIL" in texts(shown)
    assert "<script>" not in texts(shown)
    assert not button(shown, "Check").disabled


def test_without_a_name_the_panel_begins_with_the_next_one() -> None:
    pytest.importorskip("ipywidgets")
    everyone = rl.exercises()
    Course()._keep(everyone[0].slug, passed=True, checks=1)

    shown = practice._Panel(None)

    assert shown.choice.value == everyone[1].slug
    assert ", passed" in shown.choice.options[0][0]


def test_the_same_answer_twice_is_one_try(desk: Path) -> None:
    question = find_exercise("how_many")
    copy = question.start()
    for _ in range(2):
        rl.check("how_many")
    assert (Course().of("how_many").checks, Course().of("how_many").tries) == (2, 1)

    copy.write_text(copy.read_text() + "\n# another thought\n")
    rl.check("how_many")
    assert Course().of("how_many").tries == 2
    assert desk.is_dir()
