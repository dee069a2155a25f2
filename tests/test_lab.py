"""Declarations: what a lab accepts, what it refuses, and how outcomes are graded."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import cloudpickle
import pytest

from racelab.lab import (
    ACCEPTABLE,
    FORBIDDEN,
    INTERESTING,
    Actor,
    Invariant,
    Lab,
    find_lab,
    load_labs,
)

LAB_FILE = """
from racelab import ACCEPTABLE, Lab
one = Lab("one", sources=["one_{variant}.c"], actors=["go"], threads=[1, 2])
many = [Lab("two", actors=[print, print])]
"""


@pytest.fixture
def lab_file(tmp_path: Path) -> Path:
    """A file with two labs, one of which has three variants beside it."""
    for variant in ("broken", "fixed", "fixed_twice", "other"):
        (tmp_path / f"one_{variant}.c").write_text("")
    path = tmp_path / "lab.py"
    path.write_text(LAB_FILE)
    return path


def test_a_grade_with_a_reason_is_still_that_grade() -> None:
    assert FORBIDDEN("because").name == "FORBIDDEN"
    assert FORBIDDEN("because").text == "because"
    assert FORBIDDEN.text == ""


def test_declared_outcomes_have_their_grade_and_undeclared_are_forbidden() -> None:
    lab = Lab(
        "x",
        actors=["a"],
        threads=[1],
        outcomes={
            "good": ACCEPTABLE,
            "odd": INTERESTING,
            "error(*)": INTERESTING,
            "error(OSError)": ACCEPTABLE,
        },
    )

    assert lab.grade("good").name == "ACCEPTABLE"
    assert lab.grade("error(KeyError)").name == "INTERESTING"
    assert lab.grade("error(OSError)").name == "ACCEPTABLE"  # exact before pattern
    assert lab.grade("crash(SIGSEGV)").name == "FORBIDDEN"
    assert lab.grade("goodness").name == "FORBIDDEN"
    assert "not declared" in lab.grade("unheard of").text


@pytest.mark.parametrize("label", ["not-run", "gil-enabled"])
def test_endings_that_say_nothing_are_no_pass_and_no_failure(label: str) -> None:
    assert Lab("x", actors=["a"], threads=[1]).grade(label).name == "NOT-RUN"


@pytest.mark.parametrize("label", ["not-run", "gil-enabled"])
def test_no_pattern_is_meant_for_endings_that_say_nothing(label: str) -> None:
    def grade(outcome: str) -> str:
        return Lab("x", actors=["a"], threads=[1], outcomes={outcome: ACCEPTABLE}).grade(label).name

    assert [grade("*"), grade(f"{label[:3]}*"), grade(label)] == [
        "NOT-RUN",
        "NOT-RUN",
        "ACCEPTABLE",
    ]


def test_actors_repeat_to_fill_but_never_the_maker() -> None:
    lab = Lab("x", actors=["read", Actor("write", made_by=True), "count"], threads=[3, 7])

    assert [actor.body for actor in lab.cast(7)] == [
        "read", "write", "count", "read", "count", "read", "count",
    ]  # fmt: skip


def test_a_number_of_threads_that_was_not_declared_is_refused() -> None:
    with pytest.raises(ValueError, match="2, 4 threads, not for 3"):
        Lab("x", actors=["a", "b"], threads=[2, 4]).cast(3)


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"name": "no good"}, "a name is letters"),
        ({"actors": []}, "no actors"),
        ({"threads": [1]}, "at least 2"),
        ({"mode": "fast"}, "mode='fast'"),
        ({"outcomes": {"x": "FORBIDDEN"}}, "use ACCEPTABLE"),
        ({"actors": [Actor("a", made_by=True), Actor("b", made_by=True)]}, "more than one actor"),
    ],
)
def test_a_declaration_that_cannot_work_is_refused(fields: dict[str, object], said: str) -> None:
    good: dict[str, object] = {"name": "x", "actors": ["a", "b"], "threads": [2]}

    with pytest.raises((ValueError, TypeError), match=said):
        Lab(**{**good, **fields})  # type: ignore[arg-type]


@pytest.mark.parametrize("arguments", [{"body": 3}, {"body": "a", "burst": 0}])
def test_an_actor_that_cannot_act_is_refused(arguments: dict[str, object]) -> None:
    with pytest.raises((ValueError, TypeError), match="Actor"):
        Actor(**arguments)  # type: ignore[arg-type]


def test_a_file_may_declare_several_labs(lab_file: Path) -> None:
    found = load_labs(lab_file)

    assert [lab.name for lab in found] == ["one", "two"]
    assert find_lab(f"{lab_file}:two").name == "two"
    with pytest.raises(ValueError, match="several labs: one, two"):
        find_lab(lab_file)
    with pytest.raises(ValueError, match="no lab 'three'; there are: one, two"):
        find_lab(f"{lab_file}:three")


def test_what_a_file_declared_stays_what_is_found_under_its_name(tmp_path: Path) -> None:
    """Else it is pickled with all that it uses, and a function of C cannot be; a file that changed is run again."""
    path = tmp_path / "lab.py"
    text = (
        "import ctypes\nfrom racelab import Lab\nsleep = ctypes.PyDLL(None).usleep\n"
        "def go(state): sleep(1)\nlab = Lab('naps', actors=[go])\n"
    )
    path.write_text(text)

    first = load_labs(path)[0]
    again = load_labs(path)[0]
    body = first.declared_actors[0].body
    assert cloudpickle.loads(cloudpickle.dumps(replace(first))).declared_actors[0].body is body
    assert again.declared_actors[0].body is body

    path.write_text(text.replace("naps", "sleeps"))
    assert load_labs(path)[0].name == "sleeps"


def test_variants_are_those_whose_files_are_there(lab_file: Path) -> None:
    lab = find_lab(f"{lab_file}:one")

    assert lab.variants == ("broken", "fixed", "fixed_twice")
    assert lab.variant(None) == "broken"
    assert [path.name for path in lab.pair] == ["one_broken.c", "one_fixed.c"]
    with pytest.raises(ValueError, match="no variant 'other'; it has: broken, fixed, fixed_twice"):
        lab.variant("other")


@pytest.mark.parametrize(
    ("text", "said"),
    [("1 / 0", "ZeroDivisionError"), ("x = 3", "declares no lab"), ("def (", "SyntaxError")],
)
def test_a_file_that_is_no_lab_is_named(tmp_path: Path, text: str, said: str) -> None:
    path = tmp_path / "lab.py"
    path.write_text(text)

    with pytest.raises(ValueError, match=said) as caught:
        load_labs(path)

    assert str(path) in str(caught.value)


def test_a_missing_file_is_named() -> None:
    with pytest.raises(FileNotFoundError, match=r"/no/lab\.py"):
        find_lab("/no/lab.py")


class _State:
    value = 2


def _one(state: _State) -> bool:
    return state.value == 2


def _two(_state: _State, returned: object) -> bool:
    return returned == (1,)


def _three(_state: _State, _returned: object, threads: int) -> None:
    assert threads == 2, "count the threads"


@pytest.mark.parametrize(
    ("check", "returned", "threads", "label"),
    [
        (None, (), 2, "holds"),
        (_one, (), 2, "holds"),
        (_two, (1,), 2, "holds"),
        (_two, (2,), 2, "check failed"),
        (_three, (), 2, "holds"),
        (_three, (), 3, "check failed: count the threads"),
    ],
)
def test_a_check_gets_what_it_asks_for(
    check: object, returned: tuple[int, ...], threads: int, label: str
) -> None:
    assert Invariant(check)(_State(), returned, threads) == label  # type: ignore[arg-type]


@pytest.mark.parametrize("role", ["setup", "observe"])
def test_what_is_neither_a_name_nor_a_callable_is_refused(role: str) -> None:
    with pytest.raises(TypeError, match=f"lab x: {role}=3 is neither"):
        Lab("x", actors=["go"], threads=[1], **{role: 3})  # type: ignore[arg-type]
