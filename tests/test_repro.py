"""Stand-alone scripts: they hold what the lab's callables need, or refuse to be written."""

from __future__ import annotations

import subprocess
import sys
import threading
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from racelab.lab import ACCEPTABLE, FORBIDDEN, Actor, Invariant, Lab, load_labs
from racelab.racing import race
from racelab.repro import save, script
from racelab.result import Result

EXT = Path(__file__).resolve().parent.parent / "ext"
LIMIT = 2


def helper(value: int) -> int:
    """Used by `grade` below, so that it must be in the script, too."""
    return value * LIMIT


def grade(_state: object, returned: Sequence[int], threads: int) -> str:
    """An observe that depends on a function and a constant of this file."""
    return "right" if sum(returned) == helper(threads) else "wrong"


def two(_state: list[int]) -> int:
    """An actor."""
    return LIMIT


def demo() -> Lab:
    """A lab of functions only; nothing in it can fail."""
    return Lab(
        "demo",
        setup=list,
        actors=[two, Actor(two)],
        observe=grade,
        outcomes={"right": ACCEPTABLE, "wrong": FORBIDDEN},
        rounds=20,
        count=1,
    )


def test_what_callables_need_is_in_the_script(tmp_path: Path) -> None:
    lab = demo()
    target = save(tmp_path / "repro.py", lab, race(lab))
    alone = subprocess.run(
        [sys.executable, "-I", "-S", str(target), "0.2"], capture_output=True, text=True, timeout=60
    )

    assert alone.returncode == 0, alone.stderr
    assert alone.stdout.split()[-1] == "right"


def test_a_check_is_asked_in_the_script_too(tmp_path: Path) -> None:
    def even(_state: object, returned: tuple[int, ...]) -> None:
        assert sum(returned) % 2 == 1, "even"

    lab = Lab(
        "x",
        actors=[lambda: 1, lambda: 1],
        observe=Invariant(even),
        outcomes={"holds": ACCEPTABLE},
        rounds=9,
        count=1,
    )
    seen = race(lab)
    target = save(tmp_path / "repro.py", lab, seen)
    alone = subprocess.run(
        [sys.executable, "-I", "-S", str(target), "2"], capture_output=True, text=True, timeout=60
    )

    assert seen.forbidden == {"check failed: even": 9}
    assert (alone.returncode, "check failed: even" in alone.stdout) == (1, True), alone.stderr


def test_a_lambda_in_a_lab_file_is_found() -> None:
    lab = load_labs(EXT / "lost_update" / "lab.py")[0]
    text = script(lab, race(lab, "broken", rounds=10, count=1))

    assert "counter.value == threads" in text
    compile(text, "repro.py", "exec")


def test_what_cannot_be_written_down_is_named() -> None:
    lock = threading.Lock()
    lab = Lab("x", actors=[lambda: lock.locked()], threads=[1])
    seen = race(demo())

    with pytest.raises(ValueError, match=r"uses lock, a lock that a script cannot hold"):
        script(lab, seen_for(lab, seen))


def seen_for(lab: Lab, seen: Result) -> Result:
    """The same result under another lab's number of threads."""
    return replace(seen, threads=lab.allowed_threads[0])


def test_a_folder_that_is_not_there_is_named() -> None:
    lab = demo()

    with pytest.raises(ValueError, match="cannot be written"):
        save("/no/folder/repro.py", lab, race(lab))
