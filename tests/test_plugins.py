"""Chapter 05: the suite with the planted bugs, the sessions over it, and the two plugins that exclude one another."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).resolve().parent.parent
CRASHED = """\
test_planted.py::test_bump PASSED                                        [ 16%]
ext/planted/test_planted.py::test_label PARALLEL FAILED                  [ 50%]
test_planted.py::test_give """
REPEATED = """\
test_planted.py::test_bump[1-3] PASSED                                   [ 33%]
test_planted.py::test_bump[2-3] FAILED                                   [ 66%]
test_planted.py::test_bump[3-3] PASSED                                   [100%]
"""
WORKERS = """\
test_planted.py::test_label
[gw0] [ 50%] FAILED test_planted.py::test_label
test_planted.py::test_give
[gw0] node down: Not properly terminated
[gw0] [ 66%] FAILED test_planted.py::test_give
replacing crashed worker gw0
test_planted.py::test_show
[gw1] [100%] PASSED test_planted.py::test_show
=================================== FAILURES ===================================
_______________________________ test_planted.py ________________________________
worker 'gw0' crashed while running 'test_planted.py::test_give'
=========================== short test summary info ============================
FAILED test_planted.py::test_bump - named in a report, and not run
"""
UNSAFE = "test_habits.py::test_warns PASSED [thread-unsafe]: calls pytest.warns [ 57%]\n"


@pytest.fixture(scope="module")
def sessions() -> ModuleType:
    """ext/planted/sessions.py, which is in no package."""
    path = ROOT / "ext/planted/sessions.py"
    spec = importlib.util.spec_from_file_location("planted_sessions", path)
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # dataclasses look there
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize(
    ("printed", "ending", "wanted"),
    [
        (
            CRASHED,
            "crash(SIGSEGV)",
            {"test_bump": "passed", "test_label": "failed", "test_give": "crash(SIGSEGV)"},
        ),
        (REPEATED, "ok", {"test_bump": "failed"}),
        (
            WORKERS,
            "ok",
            {"test_label": "failed", "test_give": "lost its worker", "test_show": "passed"},
        ),
        (UNSAFE, "ok", {"test_warns": "passed"}),
        ("", "not-run", {}),
    ],
    ids=["crashed", "repeated", "workers", "thread-unsafe", "nothing"],
)
def test_what_pytest_printed_is_read_right(
    sessions: ModuleType, printed: str, ending: str, wanted: dict[str, str]
) -> None:
    assert sessions.read(printed, ending) == wanted


def test_the_matrix_counts_sessions_and_gives_bounds(sessions: ModuleType) -> None:
    seen = ["failed", "passed", "crash(SIGSEGV)", "not reached"]
    rows = [
        {"tool": "t", "session": n, "test": "test_bump", "seen": words, "seconds": 1.0 + n}
        for n, words in enumerate(seen)
    ]
    rows += [{**row, "test": "test_show", "seen": "passed"} for row in rows[:3]]

    assert sessions.matrix(rows, ["test_bump", "test_show", "test_give"]).splitlines()[-1] == (
        "| t | **2 of 3** | 0 of 3 | not run | below 63 % | 2.5 |"
    )
    assert sessions.seconds(rows) == {"t": [1.0, 2.0, 3.0, 4.0]}


def test_every_planted_bug_but_one_is_found_where_its_window_is_held_open(
    sessions: ModuleType,
) -> None:
    """What a short race leaves out, as on a busy machine, is raced again for longer."""
    wanted = {*sessions.BUGS} - {"test_answer"}
    found: set[str] = set()
    for words in ([], ["--race-seconds=2"], ["--race-seconds=4"]):
        missing = " or ".join(sorted({*sessions.BUGS} - found))
        seen = sessions.session("race fixture", "-k", missing, *words, widen=True, timeout_s=120)
        found |= {test for test, words in seen.tests.items() if sessions.was_found(words)}
        if found >= wanted:
            break

    assert found == wanted, seen.text


def test_nothing_is_found_in_the_repaired_module(sessions: ModuleType) -> None:
    seen = sessions.session("race fixture", variant="fixed", widen=True, timeout_s=120)

    assert set(seen.tests.values()) == {"passed"}, seen.text
    assert set(seen.tests) == {*sessions.BUGS}


@pytest.mark.parametrize("tool", ["pytest-run-parallel", "pytest-freethreaded"])
def test_a_plugin_finds_the_shared_buffer_in_threads(sessions: ModuleType, tool: str) -> None:
    many = sessions.session(tool, "-k", "label", widen=True, timeout_s=60)
    assert many._repr_markdown_().startswith(f"**{tool}** (widened): ")
    assert many.tests == {"test_label": "failed"}, many.text
    if tool == "pytest-freethreaded":
        assert many.lines(r"ConcurrencyError: \d+ failures in 320 iterations across 8 threads")


def test_one_thread_finds_no_bug(sessions: ModuleType) -> None:
    alone = sessions.session("pytest-repeat", "--count=3", widen=True, timeout_s=60)
    assert set(alone.tests.values()) == {"passed"}, alone.text


def test_a_hang_costs_a_worker_and_no_session(sessions: ModuleType) -> None:
    seen = sessions.session(
        "pytest-run-parallel", *sessions.ISOLATED, "-k", "give or answer", widen=True, timeout_s=90
    )

    assert seen.tests == {"test_give": "lost its worker", "test_answer": "passed"}, seen.text
    assert seen.ending.outcome == "ok"


def test_the_two_plugins_cannot_be_loaded_together(sessions: ModuleType) -> None:
    """Both have an option `--iterations`. If one day they can, the chapter is to be rewritten."""
    both = sessions.session("pytest-freethreaded", "-p", "pytest_run_parallel.plugin")

    assert both.tests == {}
    assert "ValueError: option dest 'iterations' already used" in both.text


def test_no_other_pytest_loads_the_plugin_with_its_own_folder(sessions: ModuleType) -> None:
    assert (sessions.PLUGINS / "pytest_freethreaded").is_dir(), "make env"
    assert importlib.util.find_spec("pytest_freethreaded") is None


def test_pytest_ends_a_session_in_which_the_gil_was_enabled(sessions: ModuleType) -> None:
    import racelab as rl

    silent = rl.compile(ROOT / "ext/interpreter/interpreter_broken.c")
    how = {"file": "test_gil.py", "modules": [silent]}
    loud = sessions.session("pytest-run-parallel", **how)
    hushed = sessions.session("pytest-run-parallel", **how, gil=0)

    assert "GIL was dynamically re-enabled" in loud.text
    assert "GIL was dynamically re-enabled" not in hushed.text
