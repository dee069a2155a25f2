"""The sessions of ext/gdb: an output that does not show what the chapter tells of is refused."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

import racelab as rl
from racelab.sessions import load_sessions

ROOT = Path(__file__).resolve().parent.parent
PAGE = (ROOT / "notebooks/16_gdb.md").read_text(encoding="utf-8")


def output(name: str) -> str:
    (row,) = rl.recorded("gdb").rows(name)
    text: str = row["output"]
    return text


def test_a_core_file_that_ends_above_the_module_is_refused() -> None:
    """Freeing an object alone takes several frames: with three of each thread the C line may be missing."""
    core = load_sessions("gdb")["core"]
    before, died = output("core").split("\nThread 1 (")
    assert core.lacks(f"{before}\nThread 1 ({died}") == ""

    frames = [line for line in died.splitlines() if "borrowed_ref_broken.c" not in line]
    cut = "\n".join(frames)

    assert core.lacks(f"{before}\nThread 1 ({cut}") != ""
    asked = re.search(r"thread apply all bt (\d+)", (ROOT / "ext/gdb/core.sh").read_text())
    assert asked
    assert int(asked[1]) >= 8


@pytest.mark.parametrize("name", ["doors", "solve", "core", "crash", "child"])
def test_no_frame_is_selected_by_a_number_that_another_machine_need_not_have(name: str) -> None:
    """How many frames the C library has on top of the module's is its own affair."""
    assert not re.search(r"'(?:up|down|frame) \d+'", load_sessions("gdb")[name].command)


def test_gdb_is_in_the_child_that_crashed_and_has_kept_its_parent() -> None:
    child = load_sessions("gdb")["child"]
    text = output("child")

    assert child.lacks(text) == ""
    assert child.lacks(text.replace("Thread 2.", "Thread 1.")) != "", "the parent has not crashed"
    assert "[Detaching" not in text


def test_every_session_is_shown() -> None:
    shown = set(re.findall(r'rl\.session\("gdb", "(\w+)"', PAGE))
    assert shown == set(load_sessions("gdb"))


def test_what_every_command_begins_with_is_told() -> None:
    for word in ("`-q`", "`-nx`"):
        assert word in PAGE.partition("### In brief")[0]
