"""Every exercise can be told: the starter fails, each wrong answer fails for its own reason, the solution passes."""

from __future__ import annotations

import builtins
import inspect
import re
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from racelab import checking
from racelab.checking import check
from racelab.exercise import Exercise, exercises, load_exercise, work_folder
from racelab.racing import RaceError, sanitizer_python
from racelab.show import find_ext

ROOT = find_ext().parent
ALL = exercises(ROOT / "exercises")
EVERY = [(one, name) for one in ALL for name in one.wrong]
#: What races and is right each time: only ThreadSanitizer tells of it.
SILENT = [(one, name) for one, name in EVERY if one.caught_by(name) == "sanitizer"]
WRONG = [pair for pair in EVERY if pair not in SILENT]


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


@pytest.mark.parametrize(("exercise", "name"), SILENT, ids=called)
def test_nothing_but_the_sanitizer_sees_it(exercise: Exercise, name: str) -> None:
    """Without ThreadSanitizer it passes: else another step were to name in its first line."""
    assert judged(exercise, name) == ("PASS", "right")


@pytest.mark.race
@pytest.mark.parametrize(("exercise", "name"), SILENT, ids=called)
def test_sanitizer_sees_it(exercise: Exercise, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.undo()
    try:
        sanitizer_python("thread")
    except RaceError as error:
        pytest.skip(str(error))

    assert judged(exercise, name) == ("FAIL", "sanitizer")


# -- what a test is tried on ------------------------------------------------------------------------


def looks(what: object) -> dict[str, object]:
    """What is to be seen of a function or an object without using it."""
    return {
        "names": [getattr(what, name, None) for name in ("__name__", "__qualname__", "__module__")],
        "type": [type(what).__name__, type(what).__qualname__, type(what).__module__],
        "text": [what.__doc__, re.sub("0x[0-9a-f]+", "", repr(what))],
        "attributes": [(name, type(getattr(what, name)).__name__) for name in dir(what)],
        "source": inspect.getsource(what if inspect.isfunction(what) else type(what)),
        "code": getattr(what, "__code__", None),
        "closure": getattr(what, "__closure__", None),
    }


@pytest.mark.parametrize("slug", ["silent_test", "right_tool"])
def test_right_and_wrong_code_look_the_same(slug: str, tmp_path: Path) -> None:
    """Else a test that looks at names, and at nothing that happens, would be a right answer."""
    one = load_exercise(ROOT / "exercises" / slug / "exercise.py")
    seen = []

    def look(make: Callable[[], object]) -> None:
        seen.append((looks(make), looks(make())))

    # right_tool loads the file again: what it finds there gets `look` by the one way that is open.
    file = tmp_path / f"{slug}.py"
    file.write_text(
        "import builtins\n"
        "def test_take(make_pool): builtins.look(make_pool)\n"
        "def test_take_raced(make_pool): builtins.look(make_pool)\n"
    )
    module = SimpleNamespace(__name__=slug, __file__=str(file), test_cache_is_filled_once=look)
    builtins.look = look  # type: ignore[attr-defined]
    try:
        for trial in one.trials:
            trial.run(module)
    finally:
        del builtins.look  # type: ignore[attr-defined]

    assert len(seen) >= len(one.trials)
    assert all(each == seen[0] for each in seen)


def test_what_a_cache_raises_does_not_say_which_it_is() -> None:
    """A traceback has the names of all functions that it went through."""
    one = load_exercise(ROOT / "exercises/silent_test/exercise.py")
    names = set()

    def ask(make_cache: Callable[[], Any]) -> None:
        with pytest.raises(KeyError) as caught:
            make_cache().lookup("no such constant")
        names.add(tuple(entry.frame.code.raw.co_qualname for entry in caught.traceback[1:]))

    for trial in one.trials:
        trial.run(SimpleNamespace(test_cache_is_filled_once=ask))

    assert len(names) == 1, names


# -- a busy machine ---------------------------------------------------------------------------------


def altered(slug: str, folder: Path, *changes: tuple[str, str], begin: str = "") -> Exercise:
    """A copy of an exercise whose judge was changed, and which races nothing."""
    shutil.copytree(ROOT / "exercises" / slug, folder / slug)
    file = folder / slug / "exercise.py"
    text = file.read_text(encoding="utf-8")
    for old, new in changes:
        assert text.count(old) == 1, f"{slug}: {old!r}"
        text = text.replace(old, new)
    file.write_text(text.replace("\nfrom racelab", f"\n{begin}\nfrom racelab", 1), encoding="utf-8")
    return replace(load_exercise(file), lab=None)


NOTHING_TO_MEASURE = {
    "let_others_run": [("BLOCK = 1 << 20", "BLOCK = 1 << 4")],
    "cheapest_lock": [("times = min(10**6, int(", "times = min(1, int(")],
    "who_waits": [("timeout_s=20", "timeout_s=0.01")],
}


@pytest.mark.parametrize("slug", NOTHING_TO_MEASURE)
def test_where_nothing_can_be_measured_a_right_answer_does_not_fail(
    slug: str, tmp_path: Path
) -> None:
    """The machine, not the answer, keeps it from being judged; here: a long call that is over at once."""
    verdict = check(altered(slug, tmp_path, *NOTHING_TO_MEASURE[slug]), text_of(slug), seconds=20)

    assert (verdict.verdict, verdict.reason) == ("INCONCLUSIVE", "too-slow"), str(verdict)


def text_of(slug: str, which: str = "solution") -> str:
    """A stored text of an exercise."""
    return load_exercise(ROOT / "exercises" / slug / "exercise.py").text(which)


@pytest.mark.parametrize(
    ("otherwise", "word"), [((1, 0, 0), "PASS"), ((1, 0, 1), "INCONCLUSIVE"), ((1, 1, 1), "FAIL")]
)
def test_a_scenario_that_comes_out_now_so_now_otherwise_is_nobodys_mistake(
    otherwise: tuple[int, ...], word: str, tmp_path: Path
) -> None:
    """A right prediction fails only if the machine contradicts it each time."""
    so = 'next(OTHERWISE) and found.update({"ATTACHED": []})'
    odd = altered(
        "who_waits",
        tmp_path,
        ("    return found\n", f"    {so}\n    return found\n"),
        begin=f"OTHERWISE = iter({otherwise})\n",
    )

    verdict = check(odd, text_of("who_waits"))

    assert verdict.verdict == word, str(verdict)


# Stops the whole process for a while, at most twice, as a machine does that has others to serve; and then the thread
# has something to do, so that who waits for it by the clock is sure to lose patience.
STALL = """
import os, signal, subprocess, time

stalls = iter(range(2))


def stalled(seconds, work, call, *args):
    if next(stalls, None) is not None:
        subprocess.Popen(["sh", "-c", f"sleep {seconds}; kill -CONT {os.getpid()}"])
        os.kill(os.getpid(), signal.SIGSTOP)
        end = time.thread_time() + work
        while time.thread_time() < end:
            pass
    return call(*args)

"""
LATE = {
    "callback_inside": ("said.append(task())", "said.append(stalled(2.5, 1.0, task))"),
    "cython_cache": (
        "        module.size_of(some_name())\n",
        "        stalled(1.5, 0.3, module.size_of, some_name())\n",
    ),
}


@pytest.mark.parametrize("slug", LATE)
def test_a_machine_that_stands_still_for_a_while_fails_nobody(slug: str, tmp_path: Path) -> None:
    """What is to end soon is given turns, or time of its own, and no time of the clock."""
    verdict = check(altered(slug, tmp_path, LATE[slug], begin=STALL), text_of(slug))

    assert verdict.verdict == "PASS", str(verdict)


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
