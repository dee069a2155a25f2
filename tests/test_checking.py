"""The checker can be trusted: three verdicts, learners' words, and no trick gets a PASS."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

from racelab import checking, lab
from racelab.checking import check
from racelab.course import Course
from racelab.exercise import (
    Exercise,
    ExerciseError,
    blocks_of,
    exercises,
    find_exercise,
    load_exercise,
    render,
)
from racelab.show import find_ext

ROOT = find_ext().parent
#: The step itself, which most tests here go without.
SANITIZED = checking._Check._sanitized


@pytest.fixture(scope="module")
def pair() -> Exercise:
    """The exercise that the tests below try to fool the checker with."""
    return load_exercise(ROOT / "exercises/two_counters/exercise.py")


@pytest.fixture(autouse=True)
def no_sanitizer(monkeypatch: pytest.MonkeyPatch) -> None:
    """What ThreadSanitizer adds is tested by itself."""
    monkeypatch.setattr(checking._Check, "_sanitized", lambda _self: None)


def with_line(text: str, after: str, line: str) -> str:
    """The text with a line put behind the first one that holds `after`."""
    head, found, tail = text.partition(after)
    assert found, f"{after!r} is not in the text"
    end = tail.index("\n")
    return head + found + tail[:end] + f"\n{line}" + tail[end:]


# -- tricks -----------------------------------------------------------------------------------------

IN_INIT = "exec_module(PyObject *module)\n{"
IN_STATS = "cache_stats(PyObject *op, PyObject *Py_UNUSED(ignored))\n{"

TRICKS = {
    "prints PASS": (
        IN_INIT,
        '    printf("PASS\\n"); fflush(stdout);',
        "race",
    ),
    "ends the process in C": (IN_STATS, "    exit(0);", "single"),
    "ends the process when two threads are there": (
        IN_STATS,
        '    if (PyImport_GetModule(PyUnicode_FromString("racelab._race"))) _exit(0);',
        "race",
    ),
    "replaces a builtin": (
        IN_INIT,
        '    PyRun_SimpleString("import builtins; builtins.next = lambda *a: (3, 2)");',
        "tampered",
    ),
    "replaces the judge": (
        IN_INIT,
        '    PyRun_SimpleString("import sys\\nfor m in list(sys.modules.values()):\\n'
        " if hasattr(m, 'pair'): m.pair = lambda *a: 'a pair it held'\");",
        "tampered",
    ),
    "turns the GIL on": ("", "", "gil"),
    "hands back a constant": (
        IN_STATS,
        '    return Py_BuildValue("(ll)", 0L, 0L);',
        "single",
    ),
}


@pytest.mark.parametrize("trick", TRICKS)
def test_trick_is_no_pass(pair: Exercise, trick: str) -> None:
    """Each of them is put into the starter, which would fail the race."""
    after, line, reason = TRICKS[trick]
    text = pair.text("starter").replace(
        "#include <stdatomic.h>", "#include <stdatomic.h>\n#include <unistd.h>"
    )
    if reason == "gil":
        text = text.replace("    {Py_mod_gil, Py_MOD_GIL_NOT_USED},\n", "")
    else:
        text = with_line(text, after, line)

    verdict = check(pair, text)

    assert (verdict.verdict, verdict.reason) == ("FAIL", reason), str(verdict)


def test_sleeping_is_no_pass(pair: Exercise) -> None:
    """An answer that is slow enough never meets anybody; so many rounds are asked for that it shows."""
    text = with_line(
        pair.text("starter"),
        IN_STATS,
        "    Py_BEGIN_ALLOW_THREADS usleep(20000); Py_END_ALLOW_THREADS",
    )
    text = text.replace("#include <stdatomic.h>", "#include <stdatomic.h>\n#include <unistd.h>")

    assert check(pair, text, seconds=4).verdict in ("FAIL", "INCONCLUSIVE")


def test_the_same_tampering_does_no_harm_to_an_honest_answer(pair: Exercise) -> None:
    """The guard looks at names that judge: an answer may import and define what it likes."""
    text = with_line(
        pair.text("solution"), IN_INIT, '    PyRun_SimpleString("import json, decimal");'
    )

    assert check(pair, text).verdict == "PASS"


# -- verdicts ---------------------------------------------------------------------------------------


def test_compile_error_is_at_the_learners_line(pair: Exercise, tmp_path: Path) -> None:
    file = tmp_path / "two_counters.c"
    text = with_line(pair.text("starter"), IN_STATS, "    long x = 1")
    file.write_text(text)
    line = text.splitlines().index("    long x = 1") + 1

    verdict = check(pair, file)

    assert (verdict.verdict, verdict.reason) == ("FAIL", "compile")
    assert f"two_counters.c:{line}" in verdict.says


def test_another_module_name_is_said_so(pair: Exercise, tmp_path: Path) -> None:
    file = tmp_path / "mine.c"
    file.write_text(pair.text("starter").replace("PyInit_two_counters", "PyInit_mine"))

    verdict = check(pair, file)

    assert verdict.reason == "compile"
    assert "PyInit_two_counters" in verdict.says


def on_one_core(code: str) -> dict[str, object]:
    """Run code in an interpreter pinned to one core; what it assigns to `result`."""
    core = str(min(os.sched_getaffinity(0)))
    script = f"import json\n{code}\nprint(json.dumps(result))"
    done = subprocess.run(
        ["taskset", "-c", core, sys.executable, "-c", script],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    found: dict[str, object] = json.loads(done.stdout)
    return found


ONE_CORE = """
from racelab.checking import check
from racelab.exercise import find_exercise
exercise = find_exercise("two_counters")
text = exercise.text({which!r}){change}
result = check(exercise, text).as_json()
"""


@pytest.mark.parametrize(
    ("which", "word"), [("starter", "FAIL"), ("solution", "PASS"), ("too_early", "FAIL")]
)
def test_on_one_core_the_verdict_is_widened_and_right(which: str, word: str) -> None:
    seen = on_one_core(ONE_CORE.format(which=which, change=""))

    assert (seen["verdict"], seen["widened"]) == (word, True)


def test_on_one_core_without_a_race_point_it_is_inconclusive() -> None:
    change = '.replace("RACE_POINT();", "")'
    seen = on_one_core(ONE_CORE.format(which="starter", change=change))

    assert (seen["verdict"], seen["reason"]) == ("INCONCLUSIVE", "no-race-point")


@pytest.mark.parametrize(
    ("label", "seen", "fits"),
    [
        ("crash(*)", "crash(SIGSEGV)", True),
        ("crash(*)", "a crash(SIGSEGV)", False),
        ("error(*)", "error(IndexError)", True),
        ("a wrong *", "a wrong sum", True),
        ("hang", "hang", True),
        ("hang", "hangs", False),
    ],
)
def test_advice_with_a_star_is_found(label: str, seen: str, fits: bool) -> None:
    assert lab.fits(label, seen) == fits


NOTE = "#0 {0} {1}:12:5\n#1 caller caller.c:1:1"


@pytest.mark.parametrize(
    ("at", "told"), [("/modules/sources/1/two_counters.c", True), ("/src/Objects/object.c", False)]
)
def test_what_thread_sanitizer_sees_deep_in_the_interpreter_is_not_the_answers(
    monkeypatch: pytest.MonkeyPatch, at: str, told: bool
) -> None:
    one = load_exercise(ROOT / "exercises/two_counters/exercise.py")
    report = SimpleNamespace(
        forbidden=["sanitizer(data race)"],
        repetitions=[SimpleNamespace(note=NOTE.format("access", at))],
        ran=[1],
        rounds=1,
    )
    monkeypatch.setattr(checking, "sanitizer_python", lambda _which: sys.executable)
    monkeypatch.setattr(checking, "compile", lambda *_a, **_k: None)
    monkeypatch.setattr(checking, "race", lambda *_a, **_k: report)
    judge = checking._Check(one, one.text("solution"), 1.0, None)

    if told:
        with pytest.raises(checking._Stop, match="ThreadSanitizer"):
            SANITIZED(judge)
    else:
        SANITIZED(judge)


def test_a_pass_names_its_bound(pair: Exercise) -> None:
    verdict = check(pair, pair.text("solution"))

    assert verdict.verdict == "PASS"
    assert verdict.rounds >= checking._needed(verdict.power_failed / verdict.power_rounds) / 2
    assert "95 % sure the rate is below" in verdict.says
    assert verdict.exit_status == 0


def test_what_is_too_weak_is_inconclusive(pair: Exercise, monkeypatch: pytest.MonkeyPatch) -> None:
    """A starter that never fails, natural or widened, proves nothing about an answer."""
    solution = pair.text("solution")
    monkeypatch.setattr(type(pair), "text", lambda _self, _which="starter": solution)

    verdict = check(pair, solution + "\n", seconds=3)

    assert (verdict.verdict, verdict.reason, verdict.exit_status) == ("INCONCLUSIVE", "no-power", 3)


def test_a_starter_that_turns_the_gil_on_is_raced_without_it() -> None:
    """Under the GIL it would show nothing, and no answer could ever be judged."""
    one = load_exercise(ROOT / "exercises/declare_it/exercise.py")

    silent = check(one, one.text("only_atomic"))
    promised = check(one, one.text("only_declares"))

    assert (silent.verdict, silent.reason) == ("FAIL", "gil"), str(silent)
    assert silent.says == one.advice["gil"]
    assert (promised.verdict, promised.reason) == ("FAIL", "race"), str(promised)
    assert promised.power_failed
    assert any("PYTHON_GIL=0" in step.text for step in promised.steps)


def test_a_question_is_answered_in_words_of_its_own() -> None:
    """All that is wrong, line by line, and where to go on: nothing about threads."""
    asked = load_exercise(ROOT / "exercises/how_many/exercise.py")

    verdict = check(asked, asked.text("starter"))
    said = dict(verdict.steps)["answers"]

    assert (verdict.verdict, verdict.reason) == ("FAIL", "single")
    assert said.startswith("LOW: ")
    assert "\nPROCESSES: " in said
    assert verdict.says.endswith("racelab hint how_many")
    assert "thread" not in str(verdict)


# -- marks ------------------------------------------------------------------------------------------


def marked(folder: Path, text: str, suffix: str = ".c") -> Path:
    file = folder / f"solution{suffix}"
    file.write_text(text)
    return file


GOOD = "a\n    // BEGIN STARTER\n    // old;\n    // BEGIN SOLUTION\n    new;\n    // END\nb\n"


def test_one_source_gives_both(tmp_path: Path) -> None:
    file = marked(tmp_path, GOOD)

    assert render(file, "starter") == "a\n    old;\nb\n"
    assert render(file, "solution") == "a\n    new;\nb\n"
    assert render(file, "solution", {1: "    odd;"}) == "a\n    odd;\nb\n"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("// END\n", ":1: END without BEGIN"),
        ("// BEGIN SOLUTION\nx\n", "has no END"),
        (
            "// BEGIN SOLUTION\nx\n// BEGIN STARTER\n// y\n// END\n",
            ":3: BEGIN STARTER inside of SOLUTION",
        ),
        (
            "// BEGIN SOLUTION\nx\n// BEGIN SOLUTION\ny\n// END\n",
            ":3: BEGIN SOLUTION inside of SOLUTION",
        ),
        ("// BEGIN OTHER\n// END\n", ":1: BEGIN OTHER is not STARTER or SOLUTION"),
        ("// BEGIN STARTER\nlive();\n// END\n", "stored as a comment"),
        ("x(); // END\n", ":1: a mark stands alone"),
    ],
)
def test_sloppy_marks_are_refused_by_line(tmp_path: Path, text: str, said: str) -> None:
    with pytest.raises(ExerciseError) as caught:
        render(marked(tmp_path, text), "starter")

    assert said in str(caught.value)


@pytest.mark.parametrize(
    "text", ["", "// BEGIN 1\nx\n", "// BEGIN 1\n// BEGIN 2\n// END\n", "// END\n"]
)
def test_sloppy_wrong_answers_are_refused(tmp_path: Path, text: str) -> None:
    with pytest.raises(ExerciseError):
        blocks_of(marked(tmp_path, text))


def test_a_wrong_answer_cannot_name_a_block_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(ExerciseError, match="no block 2"):
        render(marked(tmp_path, GOOD), "solution", {2: "x"})


# -- learners' files --------------------------------------------------------------------------------


@pytest.fixture
def desk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A learner's `work` of its own."""
    monkeypatch.setenv("RACELAB_WORK", str(tmp_path / "work"))
    monkeypatch.setenv("RACELAB_EXERCISES", str(ROOT / "exercises"))
    return tmp_path / "work"


def racelab(*words: str) -> subprocess.CompletedProcess[str]:
    """The command, in a process of its own."""
    return subprocess.run(
        [sys.executable, "-m", "racelab", *words],
        capture_output=True,
        text=True,
        cwd=ROOT,
        timeout=120,
    )


def test_start_keeps_what_the_learner_wrote_and_reset_keeps_it_beside(desk: Path) -> None:
    exercise = find_exercise("two_counters")
    path = exercise.start()
    path.write_text("mine")

    assert exercise.start().read_text() == "mine"
    first = exercise.reset()
    assert path.read_text() == exercise.text("starter")
    assert exercise.reset() is None, "a starter need not be kept"
    path.write_text("mine too")
    second = exercise.reset()
    assert (first.read_text(), second.read_text()) == ("mine", "mine too")
    assert path.is_relative_to(desk)


def test_check_before_start_says_what_to_do(desk: Path) -> None:
    done = racelab("check", "two_counters")

    assert done.returncode == 2
    assert "racelab start two_counters" in done.stderr
    assert not desk.exists()


@pytest.mark.usefixtures("desk")
def test_an_exercise_that_is_not_there_is_one_sentence() -> None:
    done = racelab("check", "no_such")

    assert done.returncode == 2
    assert "there are: " in done.stderr
    assert "Traceback" not in done.stderr


def test_from_start_to_pass_in_a_terminal(desk: Path) -> None:
    assert racelab("start", "two_counters").returncode == 0
    failed = racelab("check", "two_counters")
    hints = [racelab("hint", "two_counters").stdout for _ in range(2)]
    (desk / "two_counters/two_counters.c").write_text(
        find_exercise("two_counters").text("solution")
    )
    passed = racelab("check", "two_counters", "--json")
    listing = racelab("exercises").stdout

    assert (failed.returncode, passed.returncode) == (1, 0)
    assert "a pair it never held" in failed.stdout
    assert hints[0].startswith("Hint 1 of ")
    assert hints[1].startswith("Hint 2 of ")
    assert json.loads(passed.stdout)["verdict"] == "PASS"
    assert "passed" in listing
    assert Course().of("two_counters").checks == 2


def test_a_broken_progress_file_stops_nobody(desk: Path) -> None:
    desk.mkdir()
    (desk / "progress.json").write_text("{half")

    assert Course().of("two_counters").checks == 0
    assert (desk / "progress.json.broken").read_text() == "{half"


def test_list_of_exercises_is_what_the_contract_says() -> None:
    rows = json.loads(racelab("exercises", "--json").stdout)

    assert [set(row) for row in rows] == [{"slug", "title", "chapter", "level", "minutes"}] * len(
        rows
    )
    assert [row["slug"] for row in rows] == [one.slug for one in exercises(ROOT / "exercises")]
