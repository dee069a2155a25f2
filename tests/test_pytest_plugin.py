"""The plugin in a stranger's project: a module and tests that know nothing of this repository."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import xml.etree.ElementTree as ElementTree
from pathlib import Path

import pytest

from racelab.build import compile

COUNTER = """\
#include <Python.h>
#include "racelab/race_point.h"
typedef struct { PyObject_HEAD volatile long value; } Counter;
static PyObject *bump(PyObject *self, PyObject *Py_UNUSED(a))
{
    long seen = ((Counter *)self)->value;
    RACE_POINT();
    ((Counter *)self)->value = seen + 1;
    Py_RETURN_NONE;
}
static PyObject *value(PyObject *self, PyObject *Py_UNUSED(a)) { return PyLong_FromLong(((Counter *)self)->value); }
static PyMethodDef methods[] = {
    {"bump", bump, METH_NOARGS, NULL}, {"value", value, METH_NOARGS, NULL}, {NULL, NULL, 0, NULL}};
static PyType_Slot slots[] = {{Py_tp_methods, methods}, {Py_tp_new, PyType_GenericNew}, {0, NULL}};
static PyType_Spec spec = {"stranger.Counter", sizeof(Counter), 0, Py_TPFLAGS_DEFAULT, slots};
static int fill(PyObject *module)
{
    PyObject *type = PyType_FromModuleAndSpec(module, &spec, NULL);
    int status = PyModule_AddObjectRef(module, "Counter", type);
    Py_XDECREF(type);
    return status;
}
static PyModuleDef_Slot module_slots[] = {
    {Py_mod_exec, fill},
#ifdef Py_GIL_DISABLED
    {Py_mod_gil, Py_MOD_GIL_NOT_USED},
#endif
    {0, NULL}};
static struct PyModuleDef module = {
    PyModuleDef_HEAD_INIT, .m_name = "stranger", .m_slots = module_slots};
PyMODINIT_FUNC PyInit_stranger(void) { return PyModuleDef_Init(&module); }
"""

TESTS = """\
import os
import stranger

def total(counter, returned, threads):
    assert counter.value() == threads, "a call was lost"

def value_only(counter):
    return counter.value()

def test_lost(race):
    race("bump", "bump", setup=stranger.Counter, check=total, widen=True, count=2, rounds=200)

def test_readers(race):
    result = race("value", value_only, setup=stranger.Counter, count=1, rounds=50, widen=True)
    assert result.rounds == 50

def test_closure(race):
    wanted = 0
    race("value", "value", setup=lambda: stranger.Counter(), count=1, rounds=20, widen=True,
         check=lambda counter: counter.value() == wanted)

def test_crash(race):
    race(os.abort, os.abort, count=1, rounds=1)

def test_raises(race):
    race([].pop, [].pop, count=1, rounds=5)

def test_allowed(race):
    race([].pop, [].pop, count=1, rounds=5, allow=["error(IndexError)"], widen=True)

def test_outside(race):
    assert "PYTEST_CURRENT_TEST" in os.environ
"""


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A folder with a compiled module and a test file."""
    built = compile(COUNTER)
    (tmp_path / built.path.name).write_bytes(built.path.read_bytes())
    (tmp_path / "test_stranger.py").write_text(TESTS)
    return tmp_path


def pytest_in(project: Path, *words: str) -> tuple[dict[str, str], str]:
    """Run pytest there; returns what became of each test, and what was printed."""
    command = [
        sys.executable,
        "-m",
        "pytest",
        "-p",
        "no:cacheprovider",
        "--junitxml=report.xml",
        *words,
    ]
    if "racelab.pytest_plugin" not in _entry_points():
        command += ["-p", "racelab.pytest_plugin"]
    env = {key: value for key, value in os.environ.items() if not key.startswith("PYTEST")}
    done = subprocess.run(
        command, cwd=project, capture_output=True, text=True, timeout=240, env=env
    )
    assert done.returncode in (0, 1), done.stdout + done.stderr
    found = {}
    for case in ElementTree.parse(project / "report.xml").iter("testcase"):
        kinds = [child.tag for child in case if child.tag in ("failure", "error", "skipped")]
        found[str(case.get("name"))] = kinds[0] if kinds else "passed"
    return found, done.stdout + done.stderr


def _entry_points() -> list[str]:
    from importlib.metadata import entry_points

    return [point.value for point in entry_points(group="pytest11")]


def test_a_strangers_tests(project: Path) -> None:
    found, said = pytest_in(project)

    assert found == {
        "test_lost": "failure",
        "test_readers": "passed",
        "test_closure": "passed",
        "test_crash": "failure",
        "test_raises": "failure",
        "test_allowed": "passed",
        "test_outside": "passed",
    }, said
    assert "check failed: a call was lost" in said  # the outcome table
    assert "rounds failed" in said  # the rate and its interval
    summary = said.partition("= races =")[2]
    clean = next(line for line in summary.splitlines() if "test_readers: 0 of 50 rounds" in line)
    assert ", if rounds are independent" in clean
    assert "crash(SIGABRT)" in said
    assert "error(IndexError)" in said
    assert "racelab/src" not in said.replace(os.sep, "/")  # a failure shows no stack of ours


def test_results_are_in_the_report(project: Path) -> None:
    pytest_in(project, "-k", "test_readers")
    (value,) = [p.get("value") for p in ElementTree.parse(project / "report.xml").iter("property")]

    assert json.loads(str(value))["rounds"] == 50


def test_test_files_in_folders_that_are_no_packages(project: Path) -> None:
    """--import-mode=importlib names a test file by its path; no child could import it by that."""
    folder = project / "inner" / "deep"
    folder.mkdir(parents=True)
    (project / "pytest.ini").write_text("[pytest]\naddopts = --import-mode=importlib\n")
    (folder / "test_deep.py").write_text(
        "def go():\n    return 1\ndef test_it(race):\n    race(go, count=1, rounds=5, widen=True)\n"
    )
    found, said = pytest_in(project, "inner/deep/test_deep.py")

    assert found == {"test_it": "passed"}, said


def test_options_set_count_and_threads(project: Path) -> None:
    (project / "test_options.py").write_text(
        "import stranger\n"
        "def test_it(race):\n"
        "    r = race('value', setup=stranger.Counter, rounds=10, widen=True)\n"
        "    assert (r.threads, len(r.repetitions)) == (4, 3)\n"
    )
    found, said = pytest_in(project, "test_options.py", "--race-count=3", "--race-threads=4")

    assert found == {"test_it": "passed"}, said


def test_a_failing_race_saves_a_script_that_reproduces_it(project: Path) -> None:
    (project / "test_save.py").write_text(
        "import os\ndef go():\n    raise KeyError('no')\ndef test_it(race):\n    race(go, go, count=1, rounds=5)\n"
    )
    _, said = pytest_in(project, "test_save.py", "--race-save=scripts")
    script = project / "scripts" / "race_it.py"
    done = subprocess.run(
        [sys.executable, "-I", "-S", str(script), "2"], capture_output=True, text=True, timeout=60
    )

    assert "Stand-alone script: scripts/race_it.py" in said
    assert f"Run it with: {sys.executable} scripts/race_it.py" in said
    assert done.returncode == 1, done.stderr
    assert "error(KeyError)" in done.stdout


TALLY = """\
from pathlib import Path
import racelab as rl

Counter = rl.load(rl.compile(Path(__file__).with_name("stranger.c"))).Counter

def test_stranger(race):
    race("bump", "bump", setup=Counter, check=lambda counter: counter.value() == 2, widen=True, rounds=100, count=1)
"""


def test_a_script_never_takes_the_place_of_a_file_of_somebody_else(tmp_path: Path) -> None:
    """A class in C without a text signature, in a file named as its test, saved into the suite's own folder."""
    (tmp_path / "stranger.c").write_text(COUNTER)
    (tmp_path / "test_stranger.py").write_text(TALLY)
    first, said = pytest_in(tmp_path, "--race-save=.")
    script = tmp_path / "race_stranger.py"
    second, again = pytest_in(tmp_path, "--race-save=.")

    assert (tmp_path / "test_stranger.py").read_text() == TALLY
    assert "Stand-alone script: race_stranger.py" in said, said
    assert first == second == {"test_stranger": "failure"}, again  # the script is not collected
    assert "Stand-alone script: race_stranger.py" in again  # our own file may be written anew

    script.write_text("mine = 1\n")
    _, third = pytest_in(tmp_path, "--race-save=.")

    assert script.read_text() == "mine = 1\n"
    assert "race_stranger.py was not written by racelab and stays as it is" in third


def test_a_saved_script_finds_what_racelab_compiled_after_the_cache_is_gone(tmp_path: Path) -> None:
    (tmp_path / "stranger.c").write_text(COUNTER)
    (tmp_path / "test_stranger.py").write_text(TALLY)
    _, said = pytest_in(tmp_path, "--race-save=races")
    files = tmp_path / "races" / "race_stranger_files"
    script = tmp_path / "races" / "race_stranger.py"
    done = subprocess.run(
        [sys.executable, "-I", "-S", str(script), "0.1"], capture_output=True, text=True, timeout=60
    )

    assert {path.suffix for path in files.iterdir()} == {".so", ".c"}, said
    assert done.returncode in (0, 1), done.stderr
    assert "holds" in done.stdout
    assert ".cache" not in script.read_text()


def test_tests_of_one_name_do_not_share_a_script(project: Path) -> None:
    body = "def go():\n    raise KeyError('no')\ndef test_it(race):\n    race(go, go, count=1, rounds=5)\n"
    for name in ("test_one.py", "test_two.py"):
        (project / name).write_text(body)
    pytest_in(project, "test_one.py", "test_two.py", "--race-save=races")

    assert sorted(path.name for path in (project / "races").glob("*.py")) == [
        "race_it.py",
        "race_it_2.py",
    ]

    for path in (project / "races").glob("*.py"):
        path.unlink()
    for name in ("test_one.py", "test_two.py", "test_one.py"):  # each in a run of its own
        pytest_in(project, name, "--race-save=races")

    one, two = sorted((project / "races").glob("*.py"), key=lambda path: len(path.name))
    assert (one.name, two.name) == ("race_it.py", "race_it_2.py")
    assert "test_one.py::test_it" in one.read_text()
    assert "test_two.py::test_it" in two.read_text()


def test_a_script_that_cannot_be_written_leaves_no_file(project: Path) -> None:
    (project / "test_lock.py").write_text(
        "import threading\nL = threading.Lock()\ndef go():\n    with L: raise KeyError('no')\n"
        "def test_it(race):\n    race(go, go, count=1, rounds=5)\n"
    )
    _, said = pytest_in(project, "test_lock.py", "--race-save=races")

    assert "No stand-alone script: go uses L, a lock that a script cannot hold" in said
    assert list((project / "races").iterdir()) == []


def test_wrong_arguments_are_one_sentence(project: Path) -> None:
    (project / "test_wrong.py").write_text(
        "def test_it(race):\n    race(len, check=len, observe=len)\n"
    )
    _, said = pytest_in(project, "test_wrong.py")

    assert "give check=, or observe= and outcomes=, not both" in said


def test_a_compile_error_shows_no_stack_of_ours(tmp_path: Path) -> None:
    (tmp_path / "bad.c").write_text(
        "#include <Python.h>\nint x = ;\nPyMODINIT_FUNC PyInit_bad(void);\n"
    )
    (tmp_path / "test_top.py").write_text("import racelab as rl\nrl.compile('bad.c')\n")
    (tmp_path / "test_in.py").write_text(
        "import racelab as rl\ndef test_it():\n    rl.compile('bad.c')\n"
        "def test_mode(race):\n    race(len, mode='warm')\n"
    )
    for name, place in (("test_top.py", "test_top.py:2"), ("test_in.py", "test_in.py:3")):
        command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", name]
        if "racelab.pytest_plugin" not in _entry_points():
            command += ["-p", "racelab.pytest_plugin"]
        said = subprocess.run(
            command, cwd=tmp_path, capture_output=True, text=True, timeout=120
        ).stdout

        assert f"{place}: BuildError\nbad.c does not compile; the error is at bad.c:2." in said, (
            said
        )
        assert "int x = ;" in said
        assert "_run_compiler" not in said
        if name == "test_in.py":
            assert "test_in.py:5: ValueError\nmode='warm' is not one of" in said


@pytest.mark.parametrize(
    ("plugin", "words"),
    [
        ("pytest_repeat", ["--count=2"]),
        ("xdist", ["-n", "2"]),
        ("pytest_timeout", ["--timeout=120"]),
        ("pytest_run_parallel", ["--parallel-threads=2"]),
    ],
)
def test_beside_other_plugins(project: Path, plugin: str, words: list[str]) -> None:
    pytest.importorskip(plugin)
    found, said = pytest_in(project, *words, "-k", "lost or readers")

    assert {found[name] for name in found if "lost" in name} == {"failure"}, said
    assert {found[name] for name in found if "readers" in name} == {"passed"}, said


def test_a_test_that_runs_out_of_time_leaves_no_child(project: Path) -> None:
    pytest.importorskip("pytest_timeout")
    (project / "test_slow.py").write_text(
        "import time\ndef test_it(race):\n    race(lambda: time.sleep(100), count=1, rounds=1, timeout_s=90)\n"
    )
    found, said = pytest_in(project, "test_slow.py", "--timeout=4")

    assert found == {"test_it": "failure"}, said
    assert "Timeout" in said
    mark = str(project)
    left = []
    for path in Path("/proc").iterdir():
        if path.name.isdigit():
            try:
                left += [path.name] if mark == str((path / "cwd").readlink()) else []
            except OSError:
                continue
    assert left == []
