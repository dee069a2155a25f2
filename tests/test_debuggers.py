"""A lab under a real debugger, in batch mode: where it crashes, who waits for what, and nothing left behind."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

import racelab as rl
from racelab import cli, debuggers, lastrace, toolbox
from racelab.debuggers import batch, post_mortem, setting

ROOT = Path(__file__).resolve().parent.parent

#: Dies in a certain function, at a certain line, called by another one.
POKE = """#include <Python.h>

static int *volatile nowhere;

static __attribute__((noinline)) int
touch(int value)
{
    *nowhere = value; /* dies here */
    return value + 1;
}

static PyObject *
poke(PyObject *Py_UNUSED(module), PyObject *Py_UNUSED(ignored))
{
    return PyLong_FromLong(touch(41) + 1);
}

static PyMethodDef methods[] = {{"poke", poke, METH_NOARGS, NULL}, {NULL, NULL, 0, NULL}};
static PyModuleDef_Slot slots[] = {
#ifdef Py_GIL_DISABLED
    {Py_mod_gil, Py_MOD_GIL_NOT_USED},
#endif
    {0, NULL}};
static struct PyModuleDef module = {
    PyModuleDef_HEAD_INIT, .m_name = "poker", .m_methods = methods, .m_slots = slots};
PyMODINIT_FUNC
PyInit_poker(void)
{
    return PyModuleDef_Init(&module);
}
"""
DIES_AT = POKE.splitlines().index("    *nowhere = value; /* dies here */") + 1
LAB = """from racelab import ACCEPTABLE, FORBIDDEN, Lab

lab = Lab(
    "poker", sources=["poker.c"], actors=["poke", "poke"], threads=[2],
    observe=lambda _state, _returned, _threads: "lived", observe_key=(),
    outcomes={"lived": ACCEPTABLE("-"), "crash(*)": FORBIDDEN("-")},
)
"""


def needs(name: str) -> None:
    """Skip where a debugger is not here or may not trace."""
    if missing := toolbox.missing([name]):
        pytest.skip("; ".join(missing))


@pytest.fixture(params=["gdb", "lldb"])
def debugger(request: pytest.FixtureRequest) -> str:
    needs(request.param)
    return str(request.param)


@pytest.fixture
def gdb() -> str:
    needs("gdb")
    return "gdb"


@pytest.fixture
def poker(tmp_path: Path) -> Path:
    """A lab whose every call dies."""
    (tmp_path / "poker.c").write_text(POKE)
    (tmp_path / "lab.py").write_text(LAB)
    return tmp_path / "lab.py"


def raced_now() -> Iterator[str]:
    """Command lines of processes that race under a debugger."""
    for entry in Path("/proc").glob("[0-9]*/cmdline"):
        with contextlib.suppress(OSError):
            line = entry.read_text().replace("\0", " ")
            if "/racelab-debug-" in line:
                yield line


def nothing_left(program: str, within_s: float = 10.0) -> bool:
    """Whether nobody races this program any more, within a moment."""
    end = time.monotonic() + within_s
    while any(program in line for line in raced_now()):
        if time.monotonic() > end:
            return False
        time.sleep(0.1)
    return True


# ---------------------------------------------------------------------------------------------------
# Post mortem
# ---------------------------------------------------------------------------------------------------


def test_a_crash_is_shown_where_it_happened(debugger: str, poker: Path) -> None:
    seen = post_mortem(poker, debugger=debugger, seconds=20)

    crashed = seen.threads[0]
    assert seen.ending == "crash(SIGSEGV)"
    assert crashed.current
    assert [(frame.function, frame.file) for frame in crashed.extension] == [
        ("touch", "poker.c"),
        ("poke", "poker.c"),
    ]
    assert crashed.frames[0].line == DIES_AT
    text = str(seen)
    assert f"touch(value=41) at poker.c:{DIES_AT}" in text
    assert "frames of racelab's core and the interpreter" in text
    assert text.index("crashed here") < text.index("the others")
    assert seen.exit_status == 0
    assert nothing_left("race_poker.py")


def test_a_hang_says_who_waits_for_which_lock(debugger: str) -> None:
    """Each holds the lock that the other one waits for: the two addresses are each other's."""
    seen = post_mortem("hang", debugger=debugger, seconds=20)

    waiting = [thread for thread in seen.threads if thread.extension]
    assert seen.ending == "hang"
    assert "deadlock" in seen.why
    assert len(waiting) == 2
    first, second = (thread.waits for thread in waiting)
    assert first
    assert first != second
    assert {thread.extension[0].function for thread in waiting} == {"hold_both"}
    assert {thread.extension[1].function for thread in waiting} == {"doors_enter", "doors_leave"}
    assert f"waits for lock {first}" in str(seen)
    assert nothing_left("race_hang.py")


def test_python_frames_stand_beside_the_c_stack(gdb: str) -> None:
    needs("py-bt")
    seen = post_mortem("self_lock", debugger=gdb, seconds=20)

    stuck = next(thread for thread in seen.threads if thread.extension)
    assert stuck.python[0].startswith("keep_below (lab.py:")
    assert "Python: keep_below" in str(seen)


def test_what_is_forbidden_and_no_crash_stops_it_too(gdb: str) -> None:
    seen = post_mortem("lost_update", debugger=gdb, seconds=20, widen=True)

    assert seen.ending == "updates lost"
    assert "rounds" in seen.why
    assert seen.threads[0].current  # stopped, not ended


def test_what_does_not_show_is_inconclusive_in_time(gdb: str) -> None:
    begin = time.monotonic()
    seen = post_mortem("borrowed_ref", "fixed", debugger=gdb, seconds=3)

    assert seen.ending == ""
    assert seen.threads == ()
    assert "INCONCLUSIVE" in str(seen)
    assert "rounds" in str(seen)
    assert seen.exit_status == 3
    assert time.monotonic() - begin < 60
    assert nothing_left("race_borrowed_ref.py")


@pytest.mark.race
def test_another_interpreter_is_raced_as_well(gdb: str, poker: Path) -> None:
    needs("debug")
    seen = post_mortem(poker, debugger=gdb, seconds=20, python=toolbox.interpreter_of("debug"))

    assert seen.threads[0].extension[0].function == "touch"


def test_the_page_has_the_stacks_and_folds_the_rest(gdb: str, poker: Path) -> None:
    page = post_mortem(poker, debugger=gdb, seconds=20)._repr_html_()

    assert "<details>" in page
    assert "touch(value=41)" in page
    assert "&lt;" in page or "<method" not in page


# ---------------------------------------------------------------------------------------------------
# The last race
# ---------------------------------------------------------------------------------------------------


def test_the_last_race_is_made_again(
    gdb: str, poker: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    result = rl.race(poker, count=1, rounds=5, progress=False)

    note = json.loads((tmp_path / "cache/racelab/last_race.json").read_text())
    assert (note["lab"], note["threads"], note["seen"]) == ("poker", 2, ["crash(SIGSEGV)"])
    assert not list((tmp_path / "cache/racelab").glob("*.new"))
    lastrace.labs.clear()  # as in another process
    chosen, seen = debuggers.last_race()
    assert (chosen.lab.name, chosen.threads, seen) == ("poker", 2, ("crash(SIGSEGV)",))
    assert post_mortem(debugger=gdb, seconds=20).ending == "crash(SIGSEGV)"
    lastrace.labs["poker"] = chosen.lab
    assert post_mortem(result, debugger=gdb, seconds=20).ending == "crash(SIGSEGV)"


@pytest.mark.parametrize("text", [None, "{", "[]", '{"lab": "no_such_lab", "file": null}'])
def test_a_last_race_that_is_not_to_be_found_is_one_sentence(
    text: str | None,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setenv("RACELAB_GDB", "true")
    if text is not None:
        (tmp_path / "racelab").mkdir()
        (tmp_path / "racelab/last_race.json").write_text(text)

    assert cli.main(["post-mortem"]) == 2
    said = capsys.readouterr().err
    assert said.count("\n") == 1
    assert "name a LAB" in said


# ---------------------------------------------------------------------------------------------------
# Debuggers that are not here, or may not
# ---------------------------------------------------------------------------------------------------


def fake(folder: Path, says: str) -> str:
    """A debugger that says this, whatever it is asked."""
    script = folder / "fake"
    script.write_text(f"#!/bin/sh\ncat <<'END'\n{says}\nEND\n")
    script.chmod(0o755)
    return str(script)


def test_a_debugger_that_is_not_here_is_one_sentence(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("RACELAB_GDB", "/nowhere/gdb")

    assert cli.main(["post-mortem", "hang"]) == 2
    assert capsys.readouterr().err == "racelab: gdb is not here: make tools.\n"


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("gdb", "warning: ptrace: Operation not permitted\nDuring startup program exited."),
        ("gdb", "Could not trace the inferior process."),
        ("lldb", "error: process launch failed: 'A' packet returned an error: 8"),
    ],
)
def test_a_refused_trace_is_one_sentence(
    name: str,
    says: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv(f"RACELAB_{name.upper()}", fake(tmp_path, says))

    assert cli.main(["debug", "hang", "--with", name, "--batch", "bt"]) == 2
    said = capsys.readouterr().err
    assert said.count("\n") == 1
    assert f"{name} may not trace another process here" in said
    assert "recorded" in said


# ---------------------------------------------------------------------------------------------------
# The debugger itself, and what it leaves
# ---------------------------------------------------------------------------------------------------


def test_batch_mode_runs_the_commands_given(debugger: str, poker: Path) -> None:
    command = {"gdb": "info source", "lldb": "frame info"}[debugger]
    seen = batch(poker, debugger=debugger, commands=["run", command], seconds=20)

    assert "poker.c" in seen.text[seen.text.index("SIGSEGV") :]


def test_a_debugger_takes_commands_where_it_has_a_prompt(gdb: str, poker: Path) -> None:
    """`racelab debug` without --batch: the debugger reads what is typed, after the advice where to stop."""
    done = subprocess.run(
        [sys.executable, "-m", "racelab", "debug", str(poker), "--with", gdb],
        input="run\nbt 2\nquit\n", capture_output=True, text=True, timeout=120, cwd=ROOT,
    )  # fmt: skip

    assert "poker under gdb: it is raced until its bug shows." in done.stdout
    assert f"poker.c:{DIES_AT}" in done.stdout
    assert done.returncode == 0
    assert nothing_left("race_poker.py")


def test_advice_names_the_first_line_of_the_window() -> None:
    from racelab.lab import find_lab

    file = find_lab("borrowed_ref").source_files("broken")[0]
    (line,) = debuggers._race_lines(file)
    assert "PyList_GetItem" in file.read_text().splitlines()[line - 1]


@pytest.mark.parametrize("debugger", ["gdb", pytest.param("lldb", marks=pytest.mark.race)])
def test_a_time_limit_ends_the_debugger_and_the_race(debugger: str) -> None:
    needs(debugger)
    seen = batch(
        "lost_update", "fixed", debugger=debugger, commands=["run"], seconds=100, timeout_s=6
    )

    assert seen.ended_by == "limit"
    assert nothing_left("race_lost_update.py")


@pytest.mark.parametrize("debugger", ["gdb", pytest.param("lldb", marks=pytest.mark.race)])
def test_nothing_is_left_when_we_are_killed(debugger: str) -> None:
    needs(debugger)
    code = (
        "from racelab.debuggers import batch; "
        f"batch('per_thread', 'fixed', debugger={debugger!r}, commands=['run'], seconds=100)"
    )
    ours = subprocess.Popen([sys.executable, "-c", code], cwd=ROOT)
    try:
        end = time.monotonic() + 30
        while not any("race_per_thread.py" in line and "-b" not in line for line in raced_now()):
            assert time.monotonic() < end, "it never began"
            time.sleep(0.1)
        time.sleep(2)
    finally:
        ours.send_signal(signal.SIGKILL)
        ours.wait()

    assert nothing_left("race_per_thread.py", within_s=20)


def test_a_setting_is_checked_before_anything_is_started() -> None:
    with pytest.raises(ValueError, match="declared for"):
        setting("borrowed_ref", threads=77)
    with pytest.raises(ValueError, match="gdb or lldb"):
        batch("hang", debugger="windbg")


def test_no_variable_of_ours_reaches_the_program(gdb: str, poker: Path) -> None:
    """PYTHON_GIL by hand would turn every race off."""
    os.environ["PYTHON_GIL"] = "1"
    try:
        seen = batch(poker, debugger=gdb, commands=["show environment PYTHON_GIL"])
    finally:
        del os.environ["PYTHON_GIL"]
    assert "not defined" in seen.text
