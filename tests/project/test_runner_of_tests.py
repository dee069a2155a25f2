"""The command behind `make test`: it adds up what its sessions counted, and a session that broke off is a failure."""

from __future__ import annotations

import argparse
import importlib.util
import os
import sys
from dataclasses import replace
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[2]
SUITE = """
import os, pytest
def test_passes(): pass
def test_fails(): assert not {fails}
@pytest.mark.skip(reason="to be counted")
def test_skipped(): pass
@pytest.mark.race
def test_long(): raise AssertionError("only with --race")
def test_dies(): {dies} and os._exit(3)
"""


@pytest.fixture
def command(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> ModuleType:
    """tools/test.py, which leaves its reports in a folder of this test."""
    monkeypatch.syspath_prepend(ROOT / "tools")
    spec = importlib.util.spec_from_file_location("racelab_tools_test", ROOT / "tools/test.py")
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    monkeypatch.setitem(sys.modules, spec.name, module)
    spec.loader.exec_module(module)
    monkeypatch.setattr(module, "BUILD", tmp_path)
    return module


def session(command: ModuleType, folder: Path, title: str, **how: bool) -> Any:
    """A session over a suite of five tests, outside of this project's configuration."""
    file = folder / f"test_{title}.py"
    file.write_text(SUITE.format(fails=how.get("fails", False), dies=how.get("dies", False)))
    (folder / "pytest.ini").write_text("[pytest]\nmarkers = race\n")
    return command.Session(title, "checks", (str(file), "-c", str(folder / "pytest.ini")))


def test_sessions_side_by_side_add_up(
    command: ModuleType, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    group = (
        session(command, tmp_path, "first"),
        session(command, tmp_path, "second", fails=True),
        session(command, tmp_path, "third", dies=True),
    )

    total = command.together([group], argparse.Namespace(race=False, rest=["-q"]))
    shown = capfd.readouterr()

    assert total == {"passed": 5, "failed": 2, "skipped": 2}
    assert "test_second.py::test_fails" in shown.out
    assert shown.err.index("== second ==") < shown.err.index("== third ==")
    assert "ended with status 3 in 'third'" in shown.err


def test_long_tests_run_alone_and_nothing_else_with_them(
    command: ModuleType, tmp_path: Path
) -> None:
    group = (session(command, tmp_path, "first"),)

    total = command.together([group], argparse.Namespace(race=True, rest=["-q"]))

    assert total == {"failed": 1}


def test_a_session_may_take_the_tests_of_some_names(command: ModuleType, tmp_path: Path) -> None:
    whole = session(command, tmp_path, "some", fails=True)
    part = replace(whole, title="part", named="not fails")

    total = command.together([(part,)], argparse.Namespace(race=False, rest=["-q"]))

    assert total == {"passed": 2, "skipped": 1}


def test_a_patient_session_leaves_the_cores_to_others(command: ModuleType, tmp_path: Path) -> None:
    whole = session(command, tmp_path, "nice")
    Path(whole.paths[0]).write_text(
        f"import os\ndef test_nice(): assert os.nice(0) == {min(19, os.nice(0) + 10)}\n"
    )
    group = (replace(whole, title="patient", patient=True),)

    assert command.together([group], argparse.Namespace(race=False, rest=["-q"])) == {"passed": 1}
