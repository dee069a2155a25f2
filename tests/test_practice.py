"""Exercises in a notebook: the page of one, the magic that judges a cell, and the panel's buttons."""

from __future__ import annotations

import contextlib
import html
import os
import pty
import re
import select
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

import racelab as rl
from racelab import checking, cli, practice
from racelab.checking import Verdict
from racelab.course import Course
from racelab.exercise import Exercise, ExerciseError, find_exercise
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


GIVEN = [one for one in rl.exercises(ROOT / "exercises") if one.given]


@pytest.mark.parametrize("exercise", GIVEN, ids=str)
def test_a_page_has_the_source_that_is_asked_about(exercise: Exercise) -> None:
    """Whole, with the numbers of its lines, and before what the learner begins with: the questions are about it."""
    page = rl.show_exercise(exercise.slug)._repr_html_()
    before = page.partition("What you begin with")[0]
    (given,) = exercise.given
    name = f"exercises/{exercise.slug}/{given.name}"
    plain = html.unescape(re.sub(r"<[^>]+>", "", re.sub(r"<pre[^>]*>", "\n", before)))
    shown = [line.split(maxsplit=1) for line in plain.splitlines()]
    lines = enumerate(given.read_text().splitlines(), start=1)

    assert f"What you read: {name}" in plain
    assert name in exercise.text("starter")
    for number, text in lines:
        assert [str(number), *([text.strip()] if text.strip() else [])] in shown


def test_only_what_has_a_source_to_read_shows_one() -> None:
    assert {"two_locks", "who_freed", "who_holds", "from_report"} <= {one.slug for one in GIVEN}
    assert "What you read" not in rl.show_exercise(SLUG)._repr_html_()


def test_the_panel_opens_the_source_to_read() -> None:
    pytest.importorskip("ipywidgets")

    assert "Read <a href" in texts(rl.panel("two_locks"))
    assert "{&quot;path&quot;: &quot;exercises/two_locks/given.c&quot;}" in texts(
        rl.panel("two_locks")
    )
    assert "Read <a" not in texts(rl.panel(SLUG))


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
    Course().note(Verdict(everyone[0].slug, "PASS", "right", (), ""))

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


# -- verdicts that more time may change, and an exercise that cannot be told ----------------------------


TOO_BUSY = """
from racelab.exercise import Exercise, Undecided

def single(module):
    import os
    if module.WORD != "right" or not os.path.exists({enough!r}):
        raise Undecided("the clock jumped")

exercise = Exercise({slug!r}, "Say a word", "01_interpreter", "easy", 5, "It says a word.", ["Say it."], single=single)
"""
SOLUTION = """# BEGIN STARTER
# WORD = ""
# BEGIN SOLUTION
WORD = "right"
# END
"""


@pytest.fixture
def undecided(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A book of two exercises that no machine can judge before the file is there whose path this gives."""
    enough = tmp_path / "enough"
    for slug in ("first", "second"):
        folder = tmp_path / "book/exercises" / slug
        folder.mkdir(parents=True)
        (folder / "exercise.py").write_text(TOO_BUSY.format(slug=slug, enough=str(enough)))
        (folder / "solution.py").write_text(SOLUTION)
    monkeypatch.setenv("RACELAB_BOOK", str(tmp_path / "book"))
    return enough


def test_the_panel_offers_more_time_where_it_may_help(
    undecided: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("ipywidgets")
    given: list[float] = []
    usual = checking.check

    def spied(*args: Any, **how: Any) -> Verdict:
        given.append(how["seconds"])
        return usual(*args, **how)

    monkeypatch.setattr(checking, "check", spied)
    shown = practice._Panel("first")
    more = shown.buttons["More time"]
    assert more.layout.display == "none"

    shown.buttons["Check"].click()
    assert "INCONCLUSIVE" in texts(shown.box)
    assert (more.layout.display, more.description, more.disabled) == (
        "",
        "More time (100 s)",
        False,
    )
    more.click()
    assert more.description == "More time (500 s)"
    undecided.touch()
    find_exercise("first").learners.write_text("WORD = 'right'\n")
    more.click()
    assert "PASS" in texts(shown.box)
    assert more.layout.display == "none"
    shown.buttons["Check"].click()
    assert given == [20, 100, 500, 20]


class Watched:
    """`racelab watch` in a terminal."""

    def __init__(self, *words: str) -> None:
        self.said = ""
        self.pid, self.terminal = pty.fork()
        if self.pid == 0:
            os.execv(sys.executable, [sys.executable, "-m", "racelab", "watch", *words])

    def until(self, text: str, times: int = 1, seconds: float = 60) -> None:
        """Read until it has said this so often."""
        end = time.monotonic() + seconds
        while self.said.count(text) < times:
            ready = select.select([self.terminal], [], [], max(0, end - time.monotonic()))[0]
            assert ready, self.said
            with contextlib.suppress(OSError):  # it has ended
                if more := os.read(self.terminal, 1 << 16):
                    self.said += more.decode()
                    continue
            raise AssertionError(f"it ended without {text!r}: {self.said}")

    def types(self, text: str) -> None:
        """As at a keyboard."""
        os.write(self.terminal, text.encode())

    def close(self) -> None:
        """No process is left, whatever has happened."""
        with contextlib.suppress(ProcessLookupError):
            os.kill(self.pid, signal.SIGKILL)
        os.waitpid(self.pid, 0)
        os.close(self.terminal)


@pytest.fixture
def watch() -> Iterator[Callable[..., Watched]]:
    """Starts them, and ends them."""
    started: list[Watched] = []

    def start(*words: str) -> Watched:
        started.append(Watched(*words))
        return started[-1]

    yield start
    for one in started:
        one.close()


def test_an_exercise_that_cannot_be_told_does_not_hold_a_watch(
    undecided: Path, desk: Path, watch: Callable[..., Watched]
) -> None:
    shown = watch()
    shown.until("You need not stay at this one: type n and Enter for the next one")
    assert "racelab watch first --seconds 100" in shown.said
    shown.types("what?\n")
    shown.until("Ctrl-C ends.\r\n", times=2)
    shown.types("n\n")
    shown.until(str(desk / "second/second.py"))
    shown.until("You need not stay at this one", times=2)
    undecided.touch()
    (desk / "second/second.py").write_text("WORD = 'right'\n")
    shown.until("PASS")

    shown.until("Not passed yet: first. For one of them: racelab watch first")
    assert Course().of("second").passed
    assert "Done." not in shown.said


def test_one_can_choose_what_to_watch(
    undecided: Path, desk: Path, watch: Callable[..., Watched]
) -> None:
    shown = watch("second", "--seconds", "3")
    shown.until("end with Ctrl-C and choose, racelab watch EXERCISE")
    assert "racelab watch second --seconds 15" in shown.said
    assert "n and Enter" not in shown.said, "one was chosen: there is no next one"
    undecided.touch()
    (desk / "second/second.py").write_text("WORD = 'right'\n")
    shown.until("Done.\r\n")
    assert not (desk / "first").exists()


def test_the_list_says_what_comes_next_until_there_is_none(
    undecided: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def last_line() -> str:
        assert cli.main(["exercises"]) == 0
        return capsys.readouterr().out.splitlines()[-1]

    assert not undecided.exists()
    assert last_line() == "0 of 2 passed. Begin with: racelab start first"
    Course().note(Verdict("first", "PASS", "right", (), ""))
    assert last_line() == "1 of 2 passed. Go on with: racelab start second"
    Course().note(Verdict("second", "PASS", "right", (), ""))
    assert last_line() == "2 of 2 passed."


NOTES = """
import sys
from racelab.checking import Verdict
from racelab.checking import Verdict
from racelab.course import Course
from racelab.exercise import find_exercise

course, who, times = Course(), sys.argv[1], int(sys.argv[2])
exercise = find_exercise("two_counters")
print("ready", flush=True)
sys.stdin.readline()
for number in range(times):
    word = "PASS" if who == "a" and number == 0 else "FAIL"
    course.note(Verdict("two_counters", word, "race", (), "", answer=f"{who}{number}"))
    course.next_hint(exercise)
"""


def test_two_processes_at_once_lose_no_check_and_no_pass(desk: Path) -> None:
    """As a terminal's `racelab watch` beside a notebook's panel."""
    times = 100
    both = [
        subprocess.Popen(
            [sys.executable, "-c", NOTES, who, str(times)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        for who in "ab"
    ]
    try:
        for one in both:
            assert one.stdout is not None
            assert one.stdout.readline() == "ready\n"
        for one in both:
            assert one.stdin is not None
            one.stdin.write("go\n")
            one.stdin.flush()
        assert [one.wait(timeout=60) for one in both] == [0, 0]
    finally:
        for one in both:
            one.kill()
            one.communicate()

    standing = Course().of(SLUG)
    assert (standing.checks, standing.tries, standing.passed) == (2 * times, 2 * times, True)
    assert standing.hints == len(find_exercise(SLUG).hints)
    assert not list(desk.glob("*.broken"))
