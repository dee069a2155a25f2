"""A lab under a real debugger, in batch mode: where it crashes, who waits for what, and nothing left behind."""

from __future__ import annotations

import contextlib
import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

import racelab as rl
from racelab import cli, debuggers, lastrace, stacks, toolbox
from racelab.debuggers import batch, post_mortem, setting
from racelab.stacks import Thread, read_gdb, read_lldb

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
#: The same in C++: a method of a template, called by a lambda in a std::function.
POKE_CPP = r"""#include <Python.h>

#include <functional>

namespace shop {

template <typename T>
struct Shelf {
    T *volatile place = nullptr;

    __attribute__((noinline)) T
    take(int number) const
    {
        return *(place + number); /* dies here */
    }
};

__attribute__((noinline)) static long
ask(const std::function<long(int)> &asked)
{
    return asked(3) + 1;
}

}  // namespace shop

static PyObject *
poke(PyObject *, PyObject *)
{
    shop::Shelf<long> shelf;
    return PyLong_FromLong(shop::ask([&shelf](int number) { return shelf.take(number) + 1; }) + 1);
}

static PyMethodDef methods[] = {{"poke", poke, METH_NOARGS, nullptr}, {}};
static PyModuleDef_Slot slots[] = {
#ifdef Py_GIL_DISABLED
    {Py_mod_gil, Py_MOD_GIL_NOT_USED},
#endif
    {0, nullptr}};
static PyModuleDef module_def = {
    PyModuleDef_HEAD_INIT, "poker", nullptr, 0, methods, slots, nullptr, nullptr, nullptr};
PyMODINIT_FUNC
PyInit_poker(void)
{
    return PyModuleDef_Init(&module_def);
}
"""
#: The same in Cython.
POKE_PYX = """# cython: freethreading_compatible=True
cdef class Shelf:
    cdef int *place

    cdef int take(self, int number) except? -1:
        self.place[number] = 1  # dies here
        return number


def poke():
    cdef Shelf shelf = Shelf()
    return shelf.take(3) + 1
"""
DIES_AT_PYX = 1 + next(n for n, line in enumerate(POKE_PYX.splitlines()) if "dies here" in line)
DIES_AT_CPP = 1 + next(n for n, line in enumerate(POKE_CPP.splitlines()) if "dies here" in line)
LAB = """from racelab import ACCEPTABLE, FORBIDDEN, Lab

lab = Lab(
    "poker", sources=["{file}"], actors=["poke", "poke"], threads=[2],
    observe=lambda _state, _returned, _threads: "lived", observe_key=(),
    outcomes={{"lived": ACCEPTABLE("-"), "crash(*)": FORBIDDEN("-")}},
)
"""
#: What gdb and lldb have printed; see record_stacks.py.
STACKS = Path(__file__).with_name("reports") / "stacks"


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
    (tmp_path / "lab.py").write_text(LAB.format(file="poker.c"))
    return tmp_path / "lab.py"


@pytest.fixture
def poker_cpp(tmp_path: Path) -> Path:
    """The same in C++."""
    (tmp_path / "poker.cpp").write_text(POKE_CPP)
    (tmp_path / "lab.py").write_text(LAB.format(file="poker.cpp"))
    return tmp_path / "lab.py"


@pytest.fixture
def poker_pyx(tmp_path: Path) -> Path:
    """The same in Cython."""
    (tmp_path / "poker.pyx").write_text(POKE_PYX)
    (tmp_path / "lab.py").write_text(LAB.format(file="poker.pyx"))
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


@pytest.mark.parametrize("debugger", ["gdb", pytest.param("lldb", marks=pytest.mark.race)])
def test_a_cython_crash_is_shown_on_the_line_of_the_pyx(debugger: str, poker_pyx: Path) -> None:
    """Every frame is the extension's, and none of them tells a line of the C code that nobody wrote."""
    needs(debugger)
    seen = post_mortem(poker_pyx, debugger=debugger, seconds=20)

    crashed = seen.threads[0]
    assert seen.ending == "crash(SIGSEGV)"
    assert crashed.current
    assert {frame.file for frame in crashed.extension} == {"poker.pyx"}
    assert crashed.extension[0].function.endswith("Shelf_take")
    assert crashed.extension[0].line == DIES_AT_PYX
    assert DIES_AT_PYX + 6 in [frame.line for frame in crashed.extension]
    assert "self.place[number] = 1  # dies here" in seen.output or debugger == "lldb"


def test_a_cpp_crash_is_shown_from_the_method_to_the_call(debugger: str, poker_cpp: Path) -> None:
    """Templates, a lambda and a std::function: their names hold brackets, and no frame is lost for it."""
    seen = post_mortem(poker_cpp, debugger=debugger, seconds=20)

    crashed = seen.threads[0]
    assert seen.ending == "crash(SIGSEGV)"
    assert crashed.extension[0].place == f"shop::Shelf<long>::take at poker.cpp:{DIES_AT_CPP}"
    assert crashed.extension[-1].function == "poke"
    assert [frame.number for frame in crashed.frames] == list(range(len(crashed.frames)))


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


def test_a_cold_lab_is_raced_in_one_process_after_another(gdb: str) -> None:
    """A second round in the same process would find what the first one has left."""
    seen = post_mortem("once_only", "fixed", debugger=gdb, seconds=12)

    assert seen.ending == ""
    found = re.search(
        r"Nothing forbidden in (\d+) cold rounds, each in a process of its own", seen.why
    )
    assert found
    assert 2 <= int(found[1]) < 100
    assert nothing_left("race_once_only.py")


def test_a_cold_lab_shows_its_bug(gdb: str) -> None:
    seen = post_mortem("once_only", debugger=gdb, seconds=60, widen=True)

    assert seen.ending == "two tables"
    assert seen.why.startswith("after 1 round;")


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
# What debuggers have printed, read where there is none
# ---------------------------------------------------------------------------------------------------


def recorded(name: str) -> tuple[str, list[Thread]]:
    """A recorded run's first line, and its threads as `post_mortem` reads them."""
    text = (STACKS / f"{name}.txt").read_text()
    sources = {"hang": "endings_broken.c", "cython": "poker.pyx", "cpp": "poker.cpp"}
    source = next((file for word, file in sources.items() if word in name), "poker.c")
    read = read_gdb if name.startswith("gdb") else read_lldb
    return text.partition("\n")[0], read(text, {source})


RECORDED = sorted(path.stem for path in STACKS.glob("*.txt"))


def test_every_kind_of_stack_is_recorded_of_both_debuggers() -> None:
    kinds = {(name[:3], name.partition("-")[2]) for name in RECORDED}
    bugs = ("c-crash", "cpp-crash", "cython-crash", "c-hang")
    assert kinds == {(tool, bug) for tool in ("gdb", "lld") for bug in bugs}


@pytest.mark.parametrize("name", RECORDED)
def test_no_frame_of_a_recorded_stack_is_lost(name: str) -> None:
    """Each has a number: they follow each other, and the outermost is the one that begins a thread."""
    said, threads = recorded(name)

    assert said.split()[0] == re.match(r"[a-z]+", name)[0]  # type: ignore[index]
    assert len(threads) == 3
    for thread in threads:
        numbers = [frame.number for frame in thread.frames]
        assert sorted(set(numbers)) == list(range(numbers[-1] + 1))
        assert re.match(r"_start|_*clone3?$", thread.frames[-1].function)
        assert all(f.function.count("(") == f.function.count(")") for f in thread.frames)
        assert {frame.kind for frame in thread.frames} <= {
            "extension",
            "core",
            "interpreter",
            "system",
        }
    assert any(thread.extension for thread in threads)
    assert sum(thread.current for thread in threads) == 1


@pytest.mark.parametrize("tool", ["gdb13", "lldb19"])
@pytest.mark.parametrize(
    ("bug", "innermost", "outermost"),
    [
        ("c-crash", f"touch at poker.c:{DIES_AT}", "poke"),
        ("cpp-crash", f"shop::Shelf<long>::take at poker.cpp:{DIES_AT_CPP}", "poke"),
        (
            "cython-crash",
            f"__pyx_f_5poker_5Shelf_take at poker.pyx:{DIES_AT_PYX}",
            "__pyx_pw_5poker_1poke",
        ),
    ],
)
def test_a_recorded_crash_is_read_from_the_line_to_the_call(
    tool: str, bug: str, innermost: str, outermost: str
) -> None:
    _, threads = recorded(f"{tool}-{bug}")

    (crashed,) = (thread for thread in threads if thread.current)
    assert crashed.extension[0] == crashed.frames[0]
    assert crashed.extension[0].place == innermost
    assert crashed.extension[-1].function == outermost
    assert (
        crashed.lines()[-1]
        == f"... {len(crashed.frames) - crashed.extension[-1].number - 1} frames "
        "of racelab's core and the interpreter"
    )
    assert crashed.extension[0].arguments.endswith(("value=41", "number=3"))
    assert not crashed.waits


@pytest.mark.parametrize("tool", ["gdb13", "lldb19"])
def test_a_recorded_hang_is_two_threads_that_wait_for_each_other(tool: str) -> None:
    _, threads = recorded(f"{tool}-c-hang")

    first, second = (thread for thread in threads if thread.extension)
    assert {first.extension[0].function, second.extension[0].function} == {"hold_both"}
    assert {t.extension[1].function for t in (first, second)} == {"doors_enter", "doors_leave"}
    held = [
        re.search(r"first=(?:0x)?0*([0-9a-f]+)", t.extension[0].arguments)[1]  # type: ignore[index]
        for t in (first, second)
    ]
    assert [first.waits, second.waits] == [f"0x{held[1]}", f"0x{held[0]}"]


@pytest.mark.parametrize(
    ("text", "opens", "name", "arguments"),
    [
        ("touch (value=41)", " (", "touch", "value=41"),
        ("operator() (__closure=0x10)", " (", "operator()", "__closure=0x10"),
        ("std::function<long (int)>::operator() (this=0x10)", " (", "std::function<long (int)>::operator()", "this=0x10"),
        ("shop::ask(const std::function<long(int)> &) (asked=...)", " (", "shop::ask", "asked=..."),
        ("operator<< <char> (s=0x10)", " (", "operator<< <char>", "s=0x10"),
        ("std::vector<int>::operator[] (this=0x10)", " (", "std::vector<int>::operator[]", "this=0x10"),
        ("(anonymous namespace)::f (x=1)", " (", "(anonymous namespace)::f", "x=1"),
        ("say (text=0x10 \"a (b\")", " (", "say", "text=0x10 \"a (b\""),
        ("shop::Shelf<long>::take(this=0x10, number=3) const", "(", "shop::Shelf<long>::take", "this=0x10, number=3"),
        ("shop::Shelf<int>::operator->(this=0x10)", "(", "shop::Shelf<int>::operator->", "this=0x10"),
        ("_start", "(", "_start", ""),
    ],
)  # fmt: skip
def test_a_call_is_split_whatever_its_name_holds(
    text: str, opens: str, name: str, arguments: str
) -> None:
    assert stacks._call(text, opens) == (name, arguments)


def test_a_folder_with_a_space_does_not_hide_a_frame() -> None:
    text = f"{stacks.MARK} stacks\nThread 1 (LWP 1):\n#0  f (x=1) at /tmp/my code/shelf.c:7\n"
    (thread,) = read_gdb(text, {"shelf.c"})
    assert thread.extension[0].place == "f at shelf.c:7"


def test_what_cython_made_is_the_extension_too() -> None:
    """Of a module that the reader has built without line directives, and of Cython's own helpers."""
    text = f"{stacks.MARK} stacks\nThread 1 (LWP 1):\n" + "".join(
        f"#{n}  f (x=1) at {file}:7\n"
        for n, file in enumerate(
            ["/b/shelf.c", "cython_utility", "(tree fragment)", "Objects/list.c"]
        )
    )
    (thread,) = read_gdb(text, {"shelf.pyx"})
    assert [frame.kind for frame in thread.frames] == [*["extension"] * 3, "interpreter"]


@pytest.mark.parametrize("name", RECORDED)
def test_a_recorded_stack_has_nothing_of_its_machine(name: str) -> None:
    text = (STACKS / f"{name}.txt").read_text()
    assert not re.search(r"/root\b|/home/|/Users/|racelab-debug-|\.cache/|\b0x[0-9a-f]{5,}\b", text)
    assert set(re.findall(r"(?<![\w.~/>*+-])/(\w[\w.+-]*)/", text)) <= {
        "build",
        "lib",
        "lib64",
        "tmp",
        "usr",
    }


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


def test_the_last_race_is_made_again_by_its_own_interpreter(
    gdb: str, poker: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also after a race by a debug interpreter, say: here by the one that this environment was made from."""
    monkeypatch.setattr(lastrace, "_file", lambda: tmp_path / "last_race.json")
    other = os.path.realpath(sys.executable)
    assert other != sys.executable
    result = rl.race(poker, count=1, rounds=5, progress=False, python=other)

    assert debuggers.last_race()[0].python == other
    assert debuggers._chosen(result, None, {})[0].python == other
    assert debuggers._chosen(None, None, {"python": sys.executable})[1] == ()
    seen = post_mortem(debugger=gdb, seconds=20)
    assert seen.ending == "crash(SIGSEGV)"
    assert f"raced by {other}" in str(seen)
    assert f"program_name='{other}'" in seen.output


def noted(folder: Path, **more: object) -> None:
    """A last race, as its note in the cache says it."""
    facts = {
        "lab": "lost_update", "file": None, "variant": "broken", "threads": 2, "gil": False, "release": "barrier",
        "stride": 1, "widened": False, "sanitizer": None, "date": "2026-01-01", "offsets_ns": [0.0, 30.0],
        "seen": ["updates lost"], "python": "", "reports": [], **more,
    }  # fmt: skip
    (folder / "racelab").mkdir(exist_ok=True)
    (folder / "racelab/last_race.json").write_text(json.dumps(facts))


def test_options_come_before_what_was_noted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    noted(tmp_path)

    as_noted, _ = debuggers._chosen(None, None, {})
    assert (as_noted.threads, as_noted.gil, as_noted.offsets_ns) == (2, 0, (0.0, 30.0))
    other, _ = debuggers._chosen(None, None, {"threads": 4, "gil": 1, "widen": True})
    assert (other.threads, other.gil, other.widen, other.offsets_ns) == (4, 1, True, ())


@pytest.mark.parametrize(
    ("more", "why"),
    [
        ({"python": "/nowhere/python3.13td"}, "/nowhere/python3.13td is not there any more"),
        ({"lab": "lab", "file": "/nowhere/lab.py"}, "/nowhere/lab.py"),
    ],
)
def test_what_is_gone_is_named(
    more: dict[str, object],
    why: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Not "nothing was raced yet": something was."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setenv("RACELAB_GDB", "true")
    noted(tmp_path, **more)

    assert cli.main(["post-mortem"]) == 2
    said = capsys.readouterr().err
    assert said.count("\n") == 1
    assert "what was raced last cannot be found again" in said
    assert why in said


def test_a_race_with_a_sanitizer_is_made_again_without_it_and_says_so(
    gdb: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The report that it had is printed: what the release build shows is something else."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    report = "WARNING: data race\n  write of size 8 by T1"
    noted(tmp_path, sanitizer="thread", python="/nowhere/python3.13t-tsan", reports=[report])
    seen = post_mortem(debugger=gdb, seconds=30)

    assert seen.ending == "updates lost"
    said = str(seen)
    assert (
        "It was raced with the thread sanitizer. Raced again here: the release build, without it"
        in said
    )
    assert f"the sanitizer's report of that race:\n{report}" in said
    assert "data race" in seen._repr_html_()


@pytest.mark.race
@pytest.mark.parametrize(
    ("sanitizer", "tool", "lab"),
    [("address", "asan", "borrowed_weakref"), ("thread", "tsan", "lost_update")],
)
def test_the_report_of_a_sanitizer_is_kept(
    sanitizer: str, tool: str, lab: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    needs(tool)
    monkeypatch.setattr(lastrace, "_file", lambda: tmp_path / "last_race.json")
    result = rl.race(lab, sanitizer=sanitizer, count=3, rounds=300, progress=False)

    for race in (result, None):
        chosen, (said, report) = debuggers._chosen(race, None, {})
        assert chosen.python == ""
        assert sanitizer in said
        assert report.endswith(str(result.reports[0][0]))


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


def talk(*words: str, typed: str, within_s: float = 120) -> tuple[str, int]:
    """A session of `racelab debug` in which this was typed: what it said, and its exit status."""
    command = [sys.executable, "-m", "racelab", "debug", *words]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
    with subprocess.Popen(command, text=True, cwd=ROOT, start_new_session=True, **pipes) as ours:  # type: ignore[call-overload]
        try:
            said, _ = ours.communicate(typed, timeout=within_s)
        finally:
            if ours.poll() is None:  # with the debugger, and that takes along what it traces
                os.killpg(ours.pid, signal.SIGKILL)
    return said, ours.returncode


def test_a_cold_lab_is_raced_once_per_run_at_a_prompt(gdb: str) -> None:
    said, _ = talk("once_only", "fixed", "--with", gdb, typed="run\nrun\nquit\n")

    assert "once_only fixed under gdb: it is raced once per process." in said
    assert "type it again, for a fresh process each time" in said
    again = "in the one round of this process, which is not cold any more: type `run` to race again"
    assert said.count(again) == 2, said
    assert nothing_left("race_once_only.py")


def test_a_time_limit_holds_at_a_prompt_too(gdb: str) -> None:
    said, status = talk(
        "lost_update", "fixed", "--with", gdb, "--seconds", "2", typed="run\nquit\n"
    )

    assert re.search(r"nothing forbidden in [\d,]+ rounds and 2 s: type `run`", said)
    assert status == 0


def test_advice_for_cython_is_a_line_of_the_pyx(gdb: str) -> None:
    said, _ = talk("cy_attribute", "--with", gdb, typed="quit\n")

    assert "break cy_attribute_broken.pyx:50    stops in the window" in said
    assert "stops in the import first, say `continue`" in said


def test_a_hang_is_stopped_in_every_run_at_a_prompt(gdb: str) -> None:
    """The second process gets no less than the first one."""
    said, _ = talk("hang", "--with", gdb, "--seconds", "20", typed="run\nrun\nquit\n")

    assert said.count("received signal SIGTRAP") == 2, said
    assert nothing_left("race_hang.py")


def test_a_batch_that_is_ended_by_its_time_says_so(
    gdb: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """`continue` after a hang goes on hanging."""
    monkeypatch.setattr(debuggers, "PRINT_S", 4.0)
    words = ["debug", "hang", "--with", gdb, "--seconds", "15", "--batch", "continue"]

    assert cli.main(words) == 2
    said = capsys.readouterr()
    assert "SIGTRAP" in said.out
    assert said.err.startswith(
        "racelab: gdb has not come to the end of its commands, ended by us after "
    )
    assert said.err.count("\n") == 1
    assert nothing_left("race_hang.py")


@pytest.mark.parametrize("gil", ["0", "1"])
def test_the_gil_can_be_set(
    gil: str, gdb: str, poker: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    """0 is a setting, and not the lack of one."""
    words = ["--gil", gil, "--batch", "show environment PYTHON_GIL", "--seconds", "10"]
    cli.main(["debug", str(poker), "--with", gdb, *words])

    assert f"PYTHON_GIL = {gil}" in capfd.readouterr().out


def test_advice_names_the_first_line_of_the_window() -> None:
    from racelab.lab import find_lab

    file = find_lab("borrowed_ref").source_files("broken")[0]
    (line,) = debuggers._race_lines(file)
    assert "PyList_GetItem" in file.read_text().splitlines()[line - 1]
    file = find_lab("cy_attribute").source_files("broken")[0]
    lines = [file.read_text().splitlines()[line - 1] for line in debuggers._race_lines(file)]
    assert lines[0].strip() == "live = self.item.is_live()"


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
