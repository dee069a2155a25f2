"""Stand-alone scripts: they hold what the lab's callables need, or refuse to be written."""

from __future__ import annotations

import shutil
import subprocess
import sys
import threading
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Literal

import pytest

from racelab.lab import ACCEPTABLE, FORBIDDEN, Actor, Invariant, Lab, load_labs
from racelab.racing import race
from racelab.repro import check_target, save, script
from racelab.result import Result

EXT = Path(__file__).resolve().parent.parent / "ext"
LIMIT = 2
CALLS: list[int] = []
WORDS = {"right": {"wrong"}}


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

    with pytest.raises(ValueError, match="there is no folder /no/folder"):
        save("/no/folder/repro.py", lab, race(lab))


def test_a_file_of_somebody_else_stays(tmp_path: Path) -> None:
    lab, mine = demo(), tmp_path / "mine.py"
    mine.write_text("answer = 42\n")

    with pytest.raises(ValueError, match=r"mine\.py was not written by racelab"):
        save(mine, lab, race(lab))
    assert mine.read_text() == "answer = 42\n"
    ours = save(tmp_path / "ours.py", lab, race(lab))
    assert save(ours, lab, race(lab)) == ours


def test_files_of_somebody_else_beside_a_script_stay(tmp_path: Path) -> None:
    """Found before anything is raced: `check_target` is asked first."""
    target, folder = tmp_path / "ours.py", tmp_path / "ours_files"
    lab = load_labs(EXT / "lost_update" / "lab.py")[0]
    seen = race(lab, "broken", rounds=10, count=1)
    folder.mkdir()
    (folder / "lost_update_broken.c").write_text("int mine;\n")
    with pytest.raises(ValueError, match=r"lost_update_broken\.c is not as racelab has left it"):
        check_target(target)
    assert (folder / "lost_update_broken.c").read_text() == "int mine;\n"

    (folder / "lost_update_broken.c").unlink()
    assert save(save(target, lab, seen), lab, seen) == target  # over its own files
    (folder / "lost_update_broken.c").write_text("int changed;\n")
    with pytest.raises(ValueError, match=r"lost_update_broken\.c is not as racelab has left it"):
        save(target, lab, seen)
    assert (folder / "lost_update_broken.c").read_text() == "int changed;\n"

    (tmp_path / "plain_files").write_text("a file\n")
    with pytest.raises(ValueError, match="plain_files is no folder that racelab has made"):
        check_target(tmp_path / "plain.py")


def test_two_sources_of_one_name_are_both_beside_the_script(tmp_path: Path) -> None:
    for folder, text in (("a", MODULE), ("b", "int other(void) { return 1; }\n")):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "twin.c").write_text(text)
    lab = Lab(
        "twins",
        sources=[tmp_path / "a" / "twin.c", tmp_path / "b" / "twin.c"],
        actors=["one", "one"],
        outcomes={"*": ACCEPTABLE},
    )
    target = save(tmp_path / "repro.py", lab, race(lab, rounds=9, count=1))
    texts = {path.read_text() for path in (tmp_path / "repro_files").glob("*.c")}

    assert texts == {MODULE, "int other(void) { return 1; }\n"}
    assert run_alone(target).returncode == 0


COUNTS = """\
#include <Python.h>
#include <stdlib.h>
static PyObject *widened(PyObject *self, PyObject *unused)
{
    return PyUnicode_FromString(getenv("RACELAB_WIDEN") ? "widened" : "plain");
}
static PyMethodDef methods[] = {{"widened", widened, METH_NOARGS, NULL}, {NULL, NULL, 0, NULL}};
static PyModuleDef_Slot slots[] = {{0, NULL}};
static struct PyModuleDef def = {PyModuleDef_HEAD_INIT, "counts", NULL, 0, methods, slots};
PyMODINIT_FUNC PyInit_counts(void) { return PyModuleDef_Init(&def); }
"""


def counts(tmp_path: Path, **more: object) -> Lab:
    """A lab of a module that turns the GIL on, which it does not declare to do without."""
    (tmp_path / "counts.c").write_text(COUNTS)
    settings = {"actors": ["widened", "widened"], "outcomes": {"*": ACCEPTABLE}, **more}
    return Lab("counts", sources=[tmp_path / "counts.c"], **settings)  # type: ignore[arg-type]


@pytest.mark.parametrize("mode", ["rounds", "cold"])
def test_a_script_that_fails_has_seen_nothing_forbidden(mode: str, tmp_path: Path) -> None:
    lab = counts(tmp_path, mode=mode)
    target = save(tmp_path / "repro.py", lab, race(lab, rounds=1, count=1, gil=0))
    assert run_alone(target).returncode == 0
    shutil.rmtree(tmp_path / "repro_files")
    alone = run_alone(target)

    assert alone.returncode == 2, alone.stdout + alone.stderr
    assert "No module named 'counts'" in alone.stderr
    assert "FORBIDDEN" not in alone.stdout


@pytest.mark.parametrize(("gil", "widen"), [(0, True), (1, False)])
def test_a_script_has_the_gil_and_the_race_points_as_the_race_had(
    gil: Literal[0, 1], widen: bool, tmp_path: Path
) -> None:
    lab = counts(tmp_path, observe=gil_and_points)
    seen = race(lab, rounds=9, count=1, gil=gil, widen=widen, allow_gil=True, offsets_ns=[0, 400])
    target = save(tmp_path / "repro.py", lab, seen)
    alone = run_alone(target)

    assert list(seen.outcomes) == [f"{bool(gil)}, {'widened' if widen else 'plain'}"]
    assert alone.returncode == 0, alone.stderr
    assert alone.stdout.endswith(f"  {next(iter(seen.outcomes))}\n"), alone.stdout
    text = target.read_text()
    assert f"with -X gil={gil}, because" in text
    assert ("sets RACELAB_WIDEN=1" in text) == widen
    assert "delays of 0, 400 ns between the threads, which this script cannot make." in text


def gil_and_points(_state: object, returned: Sequence[str], _threads: int) -> str:
    """Under which settings the module runs."""
    return f"{sys._is_gil_enabled()}, {returned[0]}"


SEVERAL = """\
from functools import wraps
from time import sleep
from racelab import ACCEPTABLE, Actor, Lab

def lab(name, *actors, **more):
    return Lab(name, actors=actors, **{"setup": list, "observe": lambda s, r, t: str(sorted(s)),
               "outcomes": {"[1, 2]": ACCEPTABLE}, **more})

def twice(n):
    def act(s): s.append(n)
    return act

def plain(f):
    @wraps(f)
    def wrapper(s): return f(s)
    return wrapper

class State(list):
    time = 0

class Two:
    def act(self, s): s.append(2)

put = lambda s, n: s.append(n)

@plain
def decorated(s): put(s, 1); sleep(0)

def second(s, n=len([1, 2])): put(s, n)

two = lab("two", lambda s: s.append(1), lambda s: s.append(2))
inner = lab("inner", lambda s: (lambda s: s.append(1))(s), lambda s: (lambda s: s.append(2))(s))
defaults = lab("defaults", *[lambda s, n=n: s.append(n) for n in (1, 2)])
aliases = lab("aliases", decorated, second)
arguments = lab("arguments", Actor(put, args=(1,)), Actor(put, args=(2,)))
closures = lab("closures", twice(1), twice(2))
lambdas = lab("lambdas", *[(lambda n: lambda s: s.append(n))(n) for n in (1, 2)])
local = lab("local", Actor(put, args=(1,)), Actor(put, args=(2,)), setup=State)
bound = lab("bound", twice(1), Two().act)
"""


@pytest.mark.parametrize("name", ["two", "inner", "defaults", "aliases", "arguments"])
def test_a_script_runs_what_was_raced(name: str, tmp_path: Path) -> None:
    (tmp_path / "several.py").write_text(SEVERAL)
    lab = next(lab for lab in load_labs(tmp_path / "several.py") if lab.name == name)
    seen = race(lab, rounds=20, count=1)
    alone = run_alone(save(tmp_path / "repro.py", lab, seen))

    assert seen.outcomes == {"[1, 2]": 20}
    assert alone.returncode == 0, alone.stdout + alone.stderr
    assert alone.stdout.endswith("  [1, 2]\n")


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("closures", "act would mean two different things in the script"),
        ("lambdas", "n would mean two different things in the script"),
        ("local", "the script needs State from racelab_lab_.*, which .* does not find"),
        ("bound", "bound method Two.act .* cannot be written into a script"),
    ],
)
def test_what_a_script_would_get_wrong_is_refused(name: str, said: str, tmp_path: Path) -> None:
    (tmp_path / "several.py").write_text(SEVERAL)
    lab = next(lab for lab in load_labs(tmp_path / "several.py") if lab.name == name)
    seen = race(lab, rounds=20, count=1)

    assert seen.outcomes == {"[1, 2]": 20}
    with pytest.raises(ValueError, match=said):
        save(tmp_path / "repro.py", lab, seen)
    assert not (tmp_path / "repro.py").exists()


MODULE = """\
#include <Python.h>
int other(void);
static PyObject *one(PyObject *self, PyObject *unused) { return PyLong_FromLong(other()); }
static PyMethodDef methods[] = {{"one", one, METH_NOARGS, NULL}, {NULL, NULL, 0, NULL}};
static PyModuleDef_Slot slots[] = {{Py_mod_gil, Py_MOD_GIL_NOT_USED}, {0, NULL}};
static struct PyModuleDef def = {PyModuleDef_HEAD_INIT, "twin", NULL, 0, methods, slots};
PyMODINIT_FUNC PyInit_twin(void) { return PyModuleDef_Init(&def); }
"""


def odd(_state: object, returned: Sequence[int], _threads: int) -> str:
    """A label that no docstring may break on."""
    return f'{sum(returned)} """ \\x'


def test_what_the_lab_did_not_declare_is_forbidden_in_the_script_too(tmp_path: Path) -> None:
    lab = replace(demo(), observe=odd, outcomes={"right": ACCEPTABLE})
    target = save(tmp_path / "repro.py", lab, race(lab))
    alone = run_alone(target)

    assert alone.returncode == 1, alone.stderr
    assert alone.stdout.rstrip().endswith("FORBIDDEN")
    assert "  FORBIDDEN\nSeen by" in target.read_text()


def test_a_pattern_grades_in_the_script_as_in_the_table(tmp_path: Path) -> None:
    lab = replace(demo(), observe=odd, outcomes={"4 *": ACCEPTABLE})
    seen = race(lab)
    target = save(tmp_path / "repro.py", lab, seen)
    alone = run_alone(target)

    assert not seen.forbidden
    assert alone.returncode == 0, alone.stdout + alone.stderr
    assert "FORBIDDEN" not in alone.stdout
    assert "Seen by racelab: nothing forbidden; " in target.read_text()


def test_a_script_says_first_that_an_interpreter_has_a_gil(tmp_path: Path) -> None:
    ordinary = with_gil()
    lab = demo()
    target = save(tmp_path / "repro.py", lab, race(lab))
    done = subprocess.run([ordinary, str(target)], capture_output=True, text=True, timeout=60)

    assert done.returncode == 2
    assert len(done.stderr.splitlines()) == 1, done.stderr
    assert f"with a GIL: run this with {sys.executable}" in done.stderr


def test_a_script_that_is_imported_races_nothing(tmp_path: Path) -> None:
    lab = demo()
    save(tmp_path / "repro.py", lab, race(lab))
    done = subprocess.run(
        [sys.executable, "-c", "import repro; print('here')", "not", "numbers"],
        cwd=tmp_path, capture_output=True, text=True, timeout=60,
    )  # fmt: skip

    assert done.stdout == "here\n", done.stderr


def test_a_script_has_its_module_beside_it(tmp_path: Path) -> None:
    lab = load_labs(EXT / "lost_update" / "lab.py")[0]
    target = save(tmp_path / "repro.py", lab, race(lab, "broken", rounds=10, count=1))
    names = {path.name.partition(".")[0] for path in (tmp_path / "repro_files").iterdir()}

    assert "lost_update_broken" in names
    assert str(Path.home()) not in target.read_text().replace(sys.executable, "")
    assert run_alone(target).returncode in (0, 1)


def among(_state: object, _returned: Sequence[int], _threads: int) -> str:
    """Depends on a dict and a set of this file."""
    return next(iter(WORDS))


def test_sets_and_dicts_of_plain_values_go_into_the_script(tmp_path: Path) -> None:
    lab = replace(demo(), observe=among)
    alone = run_alone(save(tmp_path / "repro.py", lab, race(lab)))

    assert alone.returncode == 0, alone.stderr
    assert alone.stdout.split()[-1] == "right"


def observe(_state: object, returned: Sequence[int], threads: int) -> str:
    """Named as people name it, and as the harness does."""
    return call(returned, threads)


def call(returned: Sequence[int], threads: int) -> str:
    """A helper with a name that a script could want for itself."""
    return grade(None, returned, threads)


def test_functions_keep_their_names_in_the_script(tmp_path: Path) -> None:
    lab = replace(demo(), observe=observe)
    alone = run_alone(save(tmp_path / "repro.py", lab, race(lab)))

    assert alone.returncode == 0, alone.stderr
    assert alone.stdout.split()[-1] == "right"


def first_call(_state: object, returned: Sequence[int], _threads: int) -> str:
    """What a process has kept of its calls so far: nothing, in a process of its own."""
    CALLS.extend(returned)
    return "first" if len(CALLS) == len(returned) else "later"


def test_a_cold_race_has_a_process_for_each_round_in_the_script_too(tmp_path: Path) -> None:
    lab = replace(demo(), mode="cold", observe=first_call, outcomes={"first": ACCEPTABLE}, count=2)
    seen = race(lab, rounds=1)
    alone = run_alone(save(tmp_path / "repro.py", lab, seen))

    assert seen.outcomes == {"first": 2}
    assert alone.returncode == 0, alone.stdout + alone.stderr
    assert alone.stdout.split()[-1] == "processes"

    failing = replace(lab, outcomes={"first": FORBIDDEN})
    alone = run_alone(save(tmp_path / "repro.py", failing, race(failing)))

    assert alone.returncode == 1, alone.stderr
    assert "first  FORBIDDEN" in alone.stdout
    assert "1  processes; FORBIDDEN in the last one" in alone.stdout


def run_alone(script: Path) -> subprocess.CompletedProcess[str]:
    """The script, by an interpreter that finds no packages."""
    command = [sys.executable, "-I", "-S", str(script), "0.2"]
    return subprocess.run(command, capture_output=True, text=True, timeout=60)


def with_gil() -> str:
    """An interpreter that is not free-threaded."""
    ask = "import sysconfig; print(sysconfig.get_config_var('Py_GIL_DISABLED') or 0)"
    for name in ("/usr/bin/python3", "python3"):
        found = shutil.which(name)
        if found is None:
            continue
        said = subprocess.run([found, "-c", ask], capture_output=True, text=True, timeout=60).stdout
        if said.strip() == "0":
            return found
    pytest.skip("no interpreter with a GIL here")
