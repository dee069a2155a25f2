"""The C core `_race`: what it counts is what happened, and it ends the way it says.

Every race runs in a child process with a time limit. The core is compiled from its sources here,
with the warnings on, so that these tests need no installed racelab; the compiler and flags of each
build are the test's own (no time-stamp counter, ThreadSanitizer, AddressSanitizer).
"""

from __future__ import annotations

import ast
import functools
import json
import mmap
import os
import re
import shutil
import signal
import struct
import subprocess
import sys
import sysconfig
import textwrap
import time
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[1]
SOURCE = ROOT / "src" / "racelab"
WARNINGS = ("-Wall", "-Wextra", "-Wpedantic", "-Werror")
CORES = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1

needs_two_cores = pytest.mark.skipif(CORES < 2, reason="no race shows on one core")
linux = pytest.mark.skipif(sys.platform != "linux", reason="pins threads, reads /proc")

pytestmark = [
    pytest.mark.skipif(sys.version_info < (3, 13), reason="the core needs CPython 3.13 or newer"),
    pytest.mark.skipif(shutil.which("gcc") is None, reason="compiles the core with gcc"),
]

# A type as extension authors write it: an increment in two steps, a slot filled when first asked.
VICTIM = r"""
#include <Python.h>
#include <signal.h>
#include <stddef.h>
typedef struct { PyObject_HEAD long n; long made; PyObject *slot; } Victim;
static PyObject *bump(PyObject *self, PyObject *Py_UNUSED(x))
{
    volatile long *n = &((Victim *)self)->n;
    *n = *n + 1;
    Py_RETURN_NONE;
}
static PyObject *lazy(PyObject *self, PyObject *Py_UNUSED(x))
{
    Victim *v = (Victim *)self;
    if (v->slot == NULL) {
        PyObject *made = PyList_New(0);
        if (made == NULL) {
            return NULL;
        }
        v->slot = made;  /* never freed: who owns it is just what is not known */
        v->made++;
    }
    return PyLong_FromVoidPtr(v->slot);
}
static PyObject *die(PyObject *Py_UNUSED(self), PyObject *Py_UNUSED(x))
{
    raise(SIGSEGV);
    Py_RETURN_NONE;
}
static PyObject *liar(PyObject *Py_UNUSED(self), PyObject *Py_UNUSED(x)) { return NULL; }
static void dealloc(PyObject *self)
{
    PyTypeObject *type = Py_TYPE(self);
    type->tp_free(self);
    Py_DECREF(type);
}
static PyMethodDef methods[] = {
    {"bump", bump, METH_NOARGS, NULL}, {"lazy", lazy, METH_NOARGS, NULL},
    {"die", die, METH_NOARGS, NULL}, {"liar", liar, METH_NOARGS, NULL}, {NULL, NULL, 0, NULL}};
static PyMemberDef members[] = {
    {"n", Py_T_LONG, offsetof(Victim, n), 0, NULL},
    {"made", Py_T_LONG, offsetof(Victim, made), 0, NULL}, {NULL, 0, 0, 0, NULL}};
static PyType_Slot slots[] = {{Py_tp_methods, methods}, {Py_tp_members, members},
                              {Py_tp_dealloc, (void *)dealloc}, {0, NULL}};
static PyType_Spec spec = {"victim.Victim", sizeof(Victim), 0, Py_TPFLAGS_DEFAULT, slots};
static int fill(PyObject *module)
{
    return PyModule_Add(module, "Victim", PyType_FromSpec(&spec));
}
static PyModuleDef_Slot module_slots[] = {
    {Py_mod_exec, (void *)fill}, {Py_mod_gil, Py_MOD_GIL_NOT_USED}, {0, NULL}};
static PyModuleDef module = {PyModuleDef_HEAD_INIT, "victim", NULL, 0, NULL, module_slots,
                             NULL, NULL, NULL};
PyMODINIT_FUNC PyInit_victim(void) { return PyModuleDef_Init(&module); }
"""


# ---- building and running ------------------------------------------------------------------------


def include_of(python: str) -> str:
    code = "import sysconfig; print(sysconfig.get_path('include'))"
    return subprocess.check_output([python, "-c", code], text=True, timeout=60).strip()


def suffix_of(python: str) -> str:
    code = "import sysconfig; print(sysconfig.get_config_var('EXT_SUFFIX'))"
    return subprocess.check_output([python, "-c", code], text=True, timeout=60).strip()


def compile_core(
    folder: Path, *flags: str, python: str = sys.executable, cc: str = "gcc", warn: bool = True
) -> Path:
    """Compile `_race` and `victim` for `python` into `folder`, which goes on a child's path."""
    include, suffix = include_of(python), suffix_of(python)
    victim = folder / "victim.c"
    victim.write_text(VICTIM)
    common = [cc, "-std=c11", "-O2", "-g", "-fPIC", "-shared", "-pthread", f"-I{include}", *flags]
    for name, sources, extra in (
        ("_race", sorted(SOURCE.glob("_race*.c")), WARNINGS if warn else ()),
        ("victim", [victim], ()),
    ):
        target = folder / f"{name}{suffix}"
        done = subprocess.run(
            [*common, *extra, *map(str, sources), "-o", str(target)],
            capture_output=True,
            text=True,
            timeout=300,
        )
        assert done.returncode == 0, done.stderr
    return folder


@pytest.fixture(scope="session")
def core(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return compile_core(tmp_path_factory.mktemp("core"))


PRELUDE = """
import gc, json, mmap, os, signal, sys, threading, time
import _race
from victim import Victim

assert _race.__file__.startswith(os.environ["PYTHONPATH"]), _race.__file__

def say(**facts):
    print(json.dumps(facts), flush=True)

def attached(r):
    return sum(r["outcomes"].values())

def all_rounds(r):
    return attached(r) + sum(r["outcomes_detached"].values())
"""


def child_environment(core: Path, **more: str) -> dict[str, str]:
    kept = {k: v for k, v in os.environ.items() if not k.startswith(("PYTHON", "RACELAB", "COV_"))}
    return {**kept, "PYTHONPATH": str(core), **more}


def start(core: Path, code: str, *argv: str, python: str = sys.executable, **env: str) -> Any:
    options = ["-P", "-X", "faulthandler", "-W", "error"]  # -P: no other _race from this folder
    return subprocess.Popen(
        [python, *options, "-c", PRELUDE + textwrap.dedent(code), *argv],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=child_environment(core, **env),
    )


def finish(child: Any, timeout_s: float) -> tuple[int, str, str]:
    """Wait for the child; one that is still there at the time limit is killed and fails the test."""
    try:
        out, err = child.communicate(timeout=timeout_s)
    except subprocess.TimeoutExpired:
        child.kill()
        out, err = child.communicate()
        pytest.fail(f"the child was still running after {timeout_s} s\n{out}\n{err}")
    return child.returncode, out, err


def race(core: Path, code: str, *argv: str, timeout_s: float = 120, **env: str) -> dict[str, Any]:
    """Run code in a child; returns what it said in its last line."""
    status, out, err = finish(start(core, code, *argv, **env), timeout_s)
    assert status == 0, f"exit status {status}\n{out}\n{err}"
    said: dict[str, Any] = json.loads(out.splitlines()[-1])
    return said


# ---- what is counted -----------------------------------------------------------------------------


def test_import_leaves_the_gil_as_it_was(core: Path) -> None:
    said = race(core, "say(gil=_race.gil_enabled())")  # warnings are errors in the child

    assert said["gil"] is not bool(sysconfig.get_config_var("Py_GIL_DISABLED"))


def test_names_in_the_stub_are_the_names_of_the_module(core: Path) -> None:
    tree = ast.parse((SOURCE / "_race.pyi").read_text())
    stub = {node.name for node in tree.body if isinstance(node, ast.FunctionDef | ast.ClassDef)}
    stub |= {
        node.target.id
        for node in tree.body
        if isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name)
    }
    stub -= {"Body", "Actor"}  # names for type checkers only
    known_race = next(node for node in tree.body if isinstance(node, ast.ClassDef))
    members = {node.name for node in known_race.body if isinstance(node, ast.FunctionDef)}

    said = race(
        core,
        """
        say(names=[n for n in dir(_race) if n[0] != "_"],
            members=[n for n in dir(_race.KnownRace) if n[0] != "_"])
        """,
    )

    assert set(said["names"]) == stub
    assert set(said["members"]) == members | {"value"}


@pytest.mark.parametrize("release", ["barrier", "tsc"])
@pytest.mark.parametrize(("threads", "stride", "made_by"), [(2, 1, None), (2, 7, 1), (3, 1, 0)])
def test_every_round_is_counted_once_and_atomic_increments_count(
    core: Path, release: str, threads: int, stride: int, made_by: int | None
) -> None:
    said = race(
        core,
        f"""
        r = _race.run(setup=_race.KnownRace, actors=["bump_atomic"], threads={threads},
                      rounds=5003, observe="value", release={release!r}, stride={stride},
                      made_by={made_by})
        say(labels=list(r["outcomes"] | r["outcomes_detached"]), n=all_rounds(r),
            rounds=r["rounds"], thread=r["thread"], stopped=r["stopped"], attached=attached(r),
            bins=sum(n for _, _, n in r["skew_ns"]["bins"]), stride=r["stride"],
            release=r["release"], skew=[r["skew_ns"][k] for k in ("p50", "p95", "max")])
        """,
    )

    assert said["labels"] == [str(threads)]
    assert said["n"] == said["rounds"] == 5003
    assert said["stopped"] == "rounds"
    assert all(t["entered"] == t["finished"] == 5003 for t in said["thread"])
    assert sum(t["graded"] for t in said["thread"]) == 5003
    assert said["stride"] == stride
    assert said["release"] == release
    if stride == 1:
        assert said["bins"] == said["attached"]
    assert said["skew"] == sorted(said["skew"])


@needs_two_cores
@pytest.mark.parametrize("release", ["barrier", "tsc"])
@pytest.mark.parametrize(("actor", "observe", "right"), [("bump", "n", "2"), ("lazy", "made", "1")])
def test_a_race_that_a_python_barrier_never_shows_is_seen(
    core: Path, release: str, actor: str, observe: str, right: str
) -> None:
    said = race(
        core,
        f"""
        wrong = {{"n": "1", "made": "2"}}[{observe!r}]
        r = _race.run(setup=Victim, actors=[{actor!r}], threads=2, seconds=60, observe={observe!r},
                      release={release!r}, stop_on=[wrong], keep_returned=False)
        # A round in which a thread had detached is tallied apart, and stops the run all the same.
        say(outcomes=[*r["outcomes"], *r["outcomes_detached"]], stopped=r["stopped"], first=r["first"])
        """,
    )

    assert said["stopped"] == "stop_on"
    assert set(said["outcomes"]) - {right}
    assert set(said["first"]) == set(said["outcomes"])  # the very first round may be a wrong one


def test_calibration_counts_what_it_lost(core: Path) -> None:
    said = race(
        core,
        """
        r = _race.calibrate(seconds=60 if _race.cores() > 1 else 0.2, rounds=200_000)
        say(lost=r["lost"], rate=r["lost_rate"], shows=r["shows"], n=all_rounds(r),
            labels=list(r["outcomes"] | r["outcomes_detached"]))
        """,
    )

    assert set(said["labels"]) <= {"all counted", "updates lost"}
    assert said["rate"] == pytest.approx(said["lost"] / said["n"])
    assert said["shows"] is (said["lost"] > 0)
    assert said["shows"] or CORES < 2


def test_labels_by_returned_values_keep_types_apart(core: Path) -> None:
    said = race(
        core,
        """
        values = [1, True, 1.0, 10**30, None, "1", b"1", (1,), -7, 300, object(), 1, True]
        turns = iter(values * 9)
        r = _race.run(setup=lambda: [next(turns)], actors=[lambda s: s[0]], rounds=9 * len(values))
        say(outcomes=r["outcomes"])
        """,
    )

    assert said["outcomes"] == {
        **{"1": 18, "True": 18, "1.0": 9, str(10**30): 9, "None": 9, "'1'": 9, "b'1'": 9},
        **{"(1,)": 9, "-7": 9, "300": 9, "<object object>": 9},
    }


def test_observe_sees_state_returned_values_and_threads(core: Path) -> None:
    said = race(
        core,
        """
        class State:
            def first(self): return "a"
            def second(self, x, y): return (x, y)
        seen = set()
        def observe(state, returned, threads):
            seen.add((type(state).__name__, returned, threads))
            return f"{len(returned)} values"
        r = _race.run(setup=State, actors=["first", ("second", 5, 6)], bursts=[2, 3], rounds=30,
                      observe=observe)
        say(labels=list(r["first"]), seen=repr(seen), bursts=r["bursts"])
        """,
    )

    assert said["labels"] == ["5 values"]
    assert said["seen"] == repr({("State", ("a", "a", (5, 6), (5, 6), (5, 6)), 2)})
    assert said["bursts"] == [2, 3]


def test_observe_key_calls_observe_once_per_combination(core: Path) -> None:
    said = race(
        core,
        """
        calls = []
        class State:
            n = 0
            def __init__(self): State.n += 1; self.kind = State.n % 3
            def act(self): return self.kind
        def observe(state, returned, threads):
            calls.append(1)
            return f"kind {state.kind}"
        r = _race.run(setup=State, actors=["act", "act"], rounds=3000, observe=observe,
                      observe_key="kind", made_by=0)
        say(calls=len(calls), counts=[r["outcomes"].get(f"kind {k}", 0)
            + r["outcomes_detached"].get(f"kind {k}", 0) for k in range(3)])
        """,
    )

    assert said["calls"] == 3
    assert said["counts"] == [1000, 1000, 1000]


def test_exceptions_of_actors_and_of_observe_are_outcomes(core: Path) -> None:
    said = race(
        core,
        """
        class OwnError(Exception): pass
        def sometimes(state):
            if next(state) == 0: raise OwnError("the third time")
        def observe(state, returned, threads):
            if next(state) > 2: raise LookupError("nothing here")
            return "fine"
        r = _race.run(setup=lambda: iter(range(5)), actors=[sometimes, next], rounds=1,
                      observe=observe, offsets_ns=[0, 5e8], spin_limit_us=1e6)
        q = _race.run(setup=Victim, actors=["liar"], rounds=10)
        p = _race.run(setup=lambda: iter([1, 2]), actors=[next], rounds=10, observe=observe)
        s = _race.run(setup=lambda: iter([1, 5]), actors=[next], rounds=10, observe=observe)
        say(first=[*r["first"], *q["first"], *p["first"], *s["first"]],
            text=r["errors"]["error(OwnError)"], where=s["errors"]["observe-error(LookupError)"])
        """,
    )

    assert said["first"] == [
        "error(OwnError)",
        "error(SystemError)",
        "fine",
        "observe-error(LookupError)",
    ]
    assert "the third time" in said["text"]
    assert "in sometimes" in said["text"]
    assert "nothing here" in said["where"]


def test_names_mean_what_attribute_access_means(core: Path) -> None:
    said = race(
        core,
        """
        class Bare:
            __slots__ = ()
            def plain(self): return "method"
            @staticmethod
            def static(): return "static"
            @classmethod
            def cls(cls): return cls.__name__
        class Dict(Bare):
            def __init__(self): self.plain = lambda: "instance"
        class Own(Bare):
            __slots__ = ()
            def __getattribute__(self, name): return lambda: "own " + name
        class Missing: pass
        labels = []
        for state, name in ((Bare, "plain"), (Bare, "static"), (Bare, "cls"), (Dict, "plain"),
                            (Own, "plain"), (Missing, "plain"), (list, "__len__"), (dict, "copy")):
            labels += _race.run(setup=state, actors=[name], rounds=5)["first"]
        turns = iter(range(1000))
        mixed = _race.run(setup=lambda: (Bare, Dict)[next(turns) % 2](), actors=["plain"], rounds=10,
                          made_by=0)
        say(labels=labels, mixed=mixed["outcomes"])
        """,
    )

    assert said["labels"] == [
        "'method'",
        "'static'",
        "'Bare'",
        "'instance'",
        "'own plain'",
        "error(AttributeError)",
        "0",
        "{}",
    ]
    assert said["mixed"] == {"'method'": 5, "'instance'": 5}


def test_too_many_labels_are_gathered_and_long_ones_cut(core: Path) -> None:
    said = race(
        core,
        """
        turns = iter(range(10**9))
        r = _race.run(setup=None, actors=[lambda: next(turns)], rounds=500, labels=4)
        long = _race.run(setup=None, actors=[lambda: "\\u00e9" * 300], rounds=5)
        say(outcomes=r["outcomes"], long=list(long["outcomes"]))
        """,
    )

    assert said["outcomes"] == {"0": 1, "1": 1, "2": 1, "(other outcomes)": 497}
    assert said["long"][0].endswith("...")
    assert 118 <= len(said["long"][0].encode()) <= 124


def test_offsets_delay_one_actor(core: Path) -> None:
    """Delays as long as a time slice: a busy machine disturbs single rounds, not most of them."""
    said = race(
        core,
        """
        from collections import Counter
        def who(log, name): log.append(name)
        counts = {}
        for ns in (3_000_000, -3_000_000):
            r = _race.run(setup=list, actors=[(who, "a"), (who, "b")], offsets_ns=[0, ns],
                          rounds=100, observe=lambda log, returned, threads: "".join(log))
            both = Counter(r["outcomes"]) + Counter(r["outcomes_detached"])
            counts[ns] = (both, r["offsets_ns"])
        say(later=counts[3_000_000], earlier=counts[-3_000_000])
        """,
    )

    later, offsets = said["later"]
    assert later.get("ab", 0) > 4 * later.get("ba", 0)
    assert offsets == pytest.approx([0, 3_000_000], rel=0.01)
    earlier, offsets = said["earlier"]
    assert earlier.get("ba", 0) > 4 * earlier.get("ab", 0)
    assert offsets == pytest.approx([3_000_000, 0], rel=0.01)


# ---- who makes, who frees, and what is left ------------------------------------------------------


@pytest.mark.parametrize("made_by", [None, 0, 1])
def test_states_are_freed_by_the_thread_that_made_them(core: Path, made_by: int | None) -> None:
    said = race(
        core,
        f"""
        makers, strangers = set(), []
        class State:
            def __init__(self):
                self.maker = threading.get_ident()
                makers.add(self.maker)
            def act(self): return self
            def __del__(self):
                if threading.get_ident() != self.maker: strangers.append(1)
        r = _race.run(setup=State, actors=["act", "act"], rounds=2000, made_by={made_by},
                      keep_returned=False, observe="maker", labels=4)
        first = len(makers)
        who = _race.run(setup=State, actors=[lambda state: threading.get_ident()], threads=2,
                        rounds=200, made_by={made_by},
                        observe=lambda state, returned, threads: returned.index(state.maker))
        say(makers=first, strangers=len(strangers), who=sorted(who["first"]))
        """,
    )

    assert said == {
        "makers": 2 if made_by is None else 1,
        "strangers": 0,
        "who": ["0", "1"] if made_by is None else [str(made_by)],
    }


RSS = """
def rss_mb():
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 2**20
"""


@linux
@pytest.mark.parametrize("made_by", [0, 1, None])
def test_memory_stays_flat_though_threads_free_what_others_made(
    core: Path, made_by: int | None
) -> None:
    # Two ints that the second thread makes in C and the maker of the list frees: they queue up
    # for the second thread, which runs no Python code of its own.
    said = race(
        core,
        RSS
        + textwrap.dedent(f"""
        def some(rounds):
            _race.run(setup=list, actors=["copy", ("extend", range(1000, 1020))], rounds=rounds,
                      made_by={made_by}, keep_returned=False, observe_key=(),
                      observe=lambda state, returned, threads: "done")
            return rss_mb()
        some(3_000)
        say(before=some(3_000), after=some(60_000))
        """),
    )

    assert said["after"] - said["before"] < 3


@linux
@pytest.mark.race
def test_memory_stays_flat_for_ten_million_rounds(core: Path) -> None:
    said = race(
        core,
        RSS
        + textwrap.dedent("""
        def some(rounds):
            _race.run(setup=Victim, actors=["bump", "bump"], rounds=rounds, observe="n")
            return rss_mb()
        say(before=some(10_000), after=some(10_000_000))
        """),
        timeout_s=580,
    )

    assert said["after"] - said["before"] < 20


@linux
def test_threads_and_references_are_gone_after_the_run(core: Path) -> None:
    said = race(
        core,
        """
        import weakref
        class Callable:  # functions and classes are immortal on 3.13t once there are threads
            def __init__(self, body): self.body = body
            def __call__(self, *args): return self.body(*args)
        setup, actor = Callable(lambda: [0]), Callable(lambda state: state)
        observe, extra = Callable(lambda state, returned, threads: "x"), Callable(len)
        refs = [weakref.ref(x) for x in (setup, actor, observe, extra)]
        before = len(os.listdir("/proc/self/task"))
        for _ in range(3):
            _race.run(setup=setup, actors=["copy", actor, (lambda state, more: more, extra)],
                      rounds=50, observe=observe)
        tasks = len(os.listdir("/proc/self/task")) - before
        del setup, actor, observe, extra
        gc.collect()
        say(tasks=tasks, alive=sum(r() is not None for r in refs))
        """,
    )

    assert said == {"tasks": 0, "alive": 0}


# ---- how it ends ---------------------------------------------------------------------------------


def test_time_limit_and_first_failure_end_the_run(core: Path) -> None:
    said = race(
        core,
        """
        a = _race.run(setup=None, actors=[int], seconds=0.05)
        b = _race.run(setup=None, actors=[int, str], seconds=60, stop_on={"0, ''"})
        c = _race.run(setup=None, actors=[int], rounds=10**15, seconds=0)
        say(stopped=[r["stopped"] for r in (a, b, c)], rounds=[r["rounds"] for r in (a, b, c)])
        """,
    )

    assert said["stopped"] == ["seconds", "stop_on", "seconds"]
    assert all(rounds > 0 for rounds in said["rounds"])


def test_ctrl_c_ends_all_threads_and_keeps_the_tally(core: Path) -> None:
    child = start(
        core,
        """
        tally = mmap.mmap(-1, _race.tally_size(2))
        def watch():
            while _race.read_tally(tally)["rounds"] == 0: time.sleep(0.01)
            os.kill(os.getpid(), signal.SIGINT)
        watcher = threading.Thread(target=watch)
        watcher.start()
        try:
            _race.run(setup=list, actors=["copy", "copy"], seconds=600, tally=tally)
        except KeyboardInterrupt:
            t = _race.read_tally(tally)
            watcher.join()
            say(state=t["state"], rounds=t["rounds"], n=all_rounds(t),
                tasks=len(os.listdir("/proc/self/task")))
        """,
    )
    status, out, err = finish(child, 60)

    assert status == 0, err
    said = json.loads(out)
    assert said["state"] == "failed"
    assert said["rounds"] == said["n"] > 0
    assert said["tasks"] == 1


def test_ctrl_c_comes_through_though_an_actor_hangs(core: Path) -> None:
    child = start(
        core,
        """
        threading.Timer(0.3, os.kill, (os.getpid(), signal.SIGINT)).start()
        try:
            _race.run(setup=None, actors=[int, threading.Event().wait], rounds=10)
        except KeyboardInterrupt:
            say(interrupted=True)
            os._exit(5)
        """,
    )
    status, out, err = finish(child, 60)

    assert status == 5, err
    assert json.loads(out) == {"interrupted": True}


@pytest.mark.parametrize("made_by", [None, 1])
def test_an_exception_in_setup_ends_the_run_and_keeps_the_tally(
    core: Path, made_by: int | None
) -> None:
    said = race(
        core,
        f"""
        tally = mmap.mmap(-1, _race.tally_size(2))
        left = iter(range(1000))
        try:
            _race.run(setup=lambda: [next(left)], actors=["copy", "copy"], rounds=5000,
                      tally=tally, observe=lambda *a: "x", made_by={made_by})
        except StopIteration:
            t = _race.read_tally(tally)
            say(state=t["state"], rounds=t["rounds"], n=all_rounds(t))
        """,
    )

    assert said["state"] == "failed"
    assert 0 < said["rounds"] == said["n"] < 5000


@linux
def test_memory_error_ends_the_run_cleanly(core: Path) -> None:
    said = race(
        core,
        """
        import resource
        hoard = []
        with open("/proc/self/statm") as file:
            now = int(file.read().split()[0]) * os.sysconf("SC_PAGE_SIZE")
        resource.setrlimit(resource.RLIMIT_AS, (now + 2**29, now + 2**29))
        try:
            _race.run(setup=lambda: hoard.append(bytearray(2**20)), actors=[id, id], rounds=10**6)
        except MemoryError:
            n = len(hoard)
            hoard.clear()
            say(n=n)
        """,
    )

    assert said["n"] > 10


HEADER = struct.Struct("=QIIIIIIIIdQQQIIQII")
THREAD = struct.Struct("=QQQQIIQQQ")
LABEL = struct.Struct("=QQQQI124s")


def decode(tally: bytes) -> dict[str, Any]:
    """The layout as `_race.pyi` documents it, read without the core."""
    fields = HEADER.unpack_from(tally)
    assert fields[0] == int.from_bytes(b"RACTALY1", "little")
    _, version, header_size, threads, labels, label_size, thread_size, bins, state = fields[:9]
    assert (version, header_size, label_size) == (1, 256, LABEL.size)
    outcomes: dict[str, int] = {}
    detached: dict[str, int] = {}
    rows = []
    for t in range(threads):
        base = header_size + t * thread_size
        row = THREAD.unpack_from(tally, base)
        rows.append(row[:4])
        for i in range(row[5]):
            at = base + 64 + 8 * bins + i * label_size
            count, apart, _, _, length, text = LABEL.unpack_from(tally, at)
            label = text[:length].decode()
            outcomes[label] = outcomes.get(label, 0) + count
            detached[label] = detached.get(label, 0) + apart
    assert len(rows) == threads
    assert labels >= 2
    return {
        "state": state,
        "rounds": fields[15],
        "threads": rows,
        "outcomes": {k: v for k, v in outcomes.items() if v},
        "outcomes_detached": {k: v for k, v in detached.items() if v},
    }


@pytest.mark.parametrize("how", ["crash", "exit"])
def test_a_child_that_dies_has_reported_its_rounds(core: Path, tmp_path: Path, how: str) -> None:
    path = tmp_path / "tally"
    path.write_bytes(bytes(200_000))
    child = start(
        core,
        """
        turns = iter(range(10**9))
        end = (lambda: Victim().die()) if sys.argv[2] == "crash" else (lambda: os._exit(7))
        def actor(state):
            if next(turns) == 3000: end()
        with open(sys.argv[1], "r+b") as file:
            tally = mmap.mmap(file.fileno(), 0)
        _race.run(setup=list, actors=[actor, "copy"], rounds=10**9, tally=tally,
                  observe=lambda *a: "fine")
        """,
        str(path),
        how,
    )
    status, _, err = finish(child, 60)
    seen = decode(path.read_bytes())

    assert status == (-signal.SIGSEGV if how == "crash" else 7), err
    assert seen["state"] == 1  # running
    graded = sum(seen["outcomes"].values()) + sum(seen["outcomes_detached"].values())
    assert set(seen["outcomes"] | seen["outcomes_detached"]) == {"fine"}
    assert graded == seen["rounds"] > 0
    entered, finished = seen["threads"][0][:2]
    assert (entered, finished) == (3001, 3000)
    assert graded <= finished


def test_the_documented_layout_is_what_the_core_writes(core: Path, tmp_path: Path) -> None:
    path = tmp_path / "tally"
    path.write_bytes(bytes(200_000))
    said = race(
        core,
        """
        with open(sys.argv[1], "r+b") as file:
            tally = mmap.mmap(file.fileno(), 0)
        empty = _race.read_tally(tally)["state"]
        r = _race.run(setup=list, actors=["copy", "copy"], rounds=999, tally=tally)
        t = _race.read_tally(tally)
        same = all(r[key] == t[key] for key in t)
        say(empty=empty, same=same, outcomes=t["outcomes"], detached=t["outcomes_detached"],
            magic=_race.TALLY_MAGIC, version=_race.TALLY_VERSION,
            thread=[[x[k] for k in ("entered", "finished", "detached", "graded")]
                    for x in t["thread"]])
        """,
        str(path),
    )
    with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as tally:
        seen = decode(tally[:])

    assert said["empty"] == "empty"
    assert said["same"]
    assert seen["state"] == 2  # finished
    assert seen["rounds"] == 999
    assert seen["outcomes"] == said["outcomes"]
    assert seen["outcomes_detached"] == said["detached"]
    assert [list(row) for row in seen["threads"]] == said["thread"]


# ---- waiting -------------------------------------------------------------------------------------


def test_stop_the_world_gets_through_while_others_wait(core: Path) -> None:
    said = race(
        core,
        """
        r = _race.run(setup=list, actors=[lambda s: gc.collect(), "copy", "copy"], rounds=100,
                      observe=lambda *a: "collected")
        say(n=all_rounds(r))
        """,
    )

    assert said["n"] == 100


def test_rounds_after_a_long_wait_are_tallied_apart(core: Path) -> None:
    said = race(
        core,
        """
        def slow(state): time.sleep(0.002)
        r = _race.run(setup=None, actors=[(slow, 0), int], rounds=60)
        say(detached=sum(r["outcomes_detached"].values()), n=all_rounds(r),
            bins=sum(n for _, _, n in r["skew_ns"]["bins"]),
            per_thread=[t["detached"] for t in r["thread"]])
        """,
    )

    assert said["n"] == 60
    assert said["detached"] >= 50
    assert said["bins"] == 60 - said["detached"]
    assert said["per_thread"][1] > said["per_thread"][0]


@pytest.mark.parametrize("threads", [4, 9, 24])
def test_threads_may_outnumber_cores(core: Path, threads: int) -> None:
    said = race(
        core,
        f"""
        os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:2])
        r = _race.run(setup=_race.KnownRace, actors=["bump_atomic"], threads={threads},
                      rounds=400, observe="value", release="tsc")
        say(labels=list(r["first"]), n=all_rounds(r), cost=r["ns_per_switch"],
            switches=r["switches"], cpus=r["cpus"])
        """,
    )

    assert said["labels"] == [str(threads)]
    assert said["n"] == 400
    assert said["switches"] > 0
    assert said["cost"] > 0
    assert said["cpus"] is None


def test_switch_cost_is_a_cost(core: Path) -> None:
    said = race(core, "say(ns=_race.switch_cost_ns(switches=2000))")

    assert said["ns"] > 50


@linux
def test_threads_are_spread_or_pinned_or_free(core: Path) -> None:
    said = race(
        core,
        """
        mine = sorted(os.sched_getaffinity(0))
        def where(): return tuple(sorted(os.sched_getaffinity(0)))
        def run(**more):
            r = _race.run(setup=None, actors=[where], threads=min(2, len(mine)), rounds=20, **more)
            (label,) = r["first"]
            return r["cpus"], label
        say(spread=run(), any=run(cpus="any"), one=run(cpus=mine[:1]), mine=mine,
            after=sorted(os.sched_getaffinity(0)))
        """,
    )

    cpus, label = said["spread"]
    assert label == ", ".join(f"({cpu},)" for cpu in cpus)
    assert len(set(cpus)) == len(cpus)
    assert said["any"][0] is None
    assert set(said["one"][0]) == {said["mine"][0]}
    assert said["after"] == said["mine"]


# ---- other builds --------------------------------------------------------------------------------


def test_with_the_gil_on_it_works_and_says_so(core: Path) -> None:
    if not sysconfig.get_config_var("Py_GIL_DISABLED"):
        pytest.skip("this build always has its GIL; the other tests run on it already")
    said = race(
        core,
        """
        r = _race.run(setup=_race.KnownRace, actors=["bump", "bump"], rounds=300, observe="value")
        say(gil=r["gil"], n=all_rounds(r), labels=list(r["first"]), spin=r["spin_limit_us"])
        """,
        PYTHON_GIL="1",
    )

    assert said["gil"] is True
    assert said["n"] == 300
    assert said["labels"] == ["2"]
    assert said["spin"] == 0


@pytest.mark.parametrize("release", ["barrier", "tsc"])
def test_without_a_time_stamp_counter_the_clock_is_clock_gettime(
    tmp_path: Path, release: str
) -> None:
    core = compile_core(tmp_path, "-DRACELAB_NO_TSC")
    said = race(
        core,
        f"""
        r = _race.run(setup=_race.KnownRace, actors=["bump_atomic"], threads=2, rounds=2000,
                      observe="value", release={release!r}, offsets_ns=[0, 50])
        say(clock=r["clock"], hz=r["tick_hz"], n=all_rounds(r), labels=list(r["first"]),
            without=_race.RUNNING_WITHOUT_TSC)
        """,
    )

    assert said == {
        "clock": "clock_gettime",
        "hz": 1e9,
        "n": 2000,
        "labels": ["2"],
        "without": True,
    }


def clang() -> str | None:
    """The newest clang here; Debian's carry their version in their name."""
    names = ["clang", *(f"clang-{version}" for version in range(30, 13, -1))]
    return next(filter(shutil.which, names), None)


@pytest.mark.parametrize("family", ["gcc", "clang"])
def test_no_compiler_has_anything_to_say(family: str) -> None:
    compiler = clang() if family == "clang" else family
    if compiler is None or shutil.which(compiler) is None:
        pytest.skip(f"{family} is not here")
    strict = ["-std=c11", "-O2", *WARNINGS, "-fsyntax-only", f"-I{include_of(sys.executable)}"]
    for extra in ((), ("-DRACELAB_NO_TSC",)):
        done = subprocess.run(
            [compiler, *strict, *extra, *map(str, sorted(SOURCE.glob("_race*.c")))],
            capture_output=True,
            text=True,
            timeout=120,
        )
        assert done.returncode == 0, done.stderr


@functools.cache
def interpreter(flavor: str) -> str | None:
    """Path of a special interpreter if there is one already; nothing is built here."""
    tool = ROOT / "tools" / "interpreter.py"
    if not tool.exists():
        return None
    done = subprocess.run(
        [sys.executable, str(tool), "--flavor", flavor, "--where"],
        capture_output=True,
        text=True,
        timeout=60,
    )
    path = done.stdout.strip()
    return path if done.returncode == 0 and path and Path(path).exists() else None


# One of everything, with actors that are right: what a sanitizer reports is the core's own fault.
CORRECT = """
counter = dict(setup=_race.KnownRace, rounds=2000, observe="value")
for more in ({}, {"release": "tsc"}, {"stride": 5}, {"made_by": 1}, {"bursts": [3, 2]},
             {"offsets_ns": [0, 200]}, {"keep_returned": False}, {"spin_limit_us": 0}):
    r = _race.run(actors=["bump_atomic", "bump_atomic"], **counter, **more)
    assert all_rounds(r) == 2000, r
for threads in (4, 9):
    _race.run(actors=["bump_atomic"], threads=threads, **{**counter, "rounds": 100})
def fails(state): raise ValueError(len(state))
_race.run(setup=list, actors=["copy", fails], rounds=300)
_race.run(setup=list, actors=["copy", "copy"], rounds=300, observe=lambda s, r, T: str(r))
_race.run(setup=list, actors=["copy", len], rounds=300, observe=lambda s, r, T: "x", observe_key=())
_race.run(setup=None, actors=[int, float, str, time.monotonic], rounds=300, labels=8)
try:
    _race.run(setup=lambda it=iter(range(500)): [next(it)], actors=["copy", "copy"], rounds=5000,
              made_by=1)
except StopIteration:
    pass
tally = mmap.mmap(-1, _race.tally_size(2))
tally, seen = memoryview(tally), memoryview(tally)  # a mmap counts its users without a lock
stop = threading.Event()
def watch():
    while not stop.is_set(): _race.read_tally(seen)
watcher = threading.Thread(target=watch)
watcher.start()
r = _race.run(actors=["bump_atomic", "nothing"], tally=tally, **counter)
stop.set(); watcher.join()
_race.calibrate(rounds=3000)
_race.switch_cost_ns(switches=200)
say(done=True)
"""


def test_thread_sanitizer_finds_nothing(tmp_path: Path) -> None:
    python = interpreter("tsan")
    compiler = clang()
    if python is None or compiler is None:
        pytest.skip("needs the ThreadSanitizer interpreter and clang (make tsan)")
    core = compile_core(tmp_path, "-fsanitize=thread", python=python, cc=compiler)
    child = start(core, CORRECT, python=python, TSAN_OPTIONS="halt_on_error=0 exitcode=66")
    status, out, err = finish(child, 500)

    assert "ThreadSanitizer" not in err, err
    assert status == 0, err
    assert json.loads(out.splitlines()[-1]) == {"done": True}


def test_address_sanitizer_finds_nothing(tmp_path: Path) -> None:
    python = interpreter("asan")
    if python is None:
        pytest.skip("needs the AddressSanitizer interpreter (make asan)")
    core = compile_core(tmp_path, "-fsanitize=address,undefined", python=python)
    child = start(core, CORRECT, python=python, ASAN_OPTIONS="detect_leaks=0")
    status, out, err = finish(child, 500)

    assert "Sanitizer" not in err, err
    assert "runtime error" not in err, err
    assert status == 0, err
    assert json.loads(out.splitlines()[-1]) == {"done": True}


# ---- race points ---------------------------------------------------------------------------------


@linux
def test_on_one_core_only_a_widened_race_shows(core: Path) -> None:
    code = """
        os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
        r = _race.calibrate(rounds=2000, seconds=60)
        say(rate=r["lost_rate"], widened=r["widened"])
    """
    plain = race(core, code)
    off = race(core, code, RACELAB_WIDEN="0")
    wide = race(core, code, RACELAB_WIDEN="1")

    assert (plain["widened"], off["widened"], wide["widened"]) == (False, False, True)
    assert plain["rate"] < 0.02
    assert off["rate"] < 0.02
    assert wide["rate"] > 0.5


@pytest.mark.parametrize(
    "command",
    [
        ["gcc", "-x", "c", "-std=c99"],
        ["gcc", "-x", "c", "-std=c11"],
        ["gcc", "-x", "c", "-std=gnu17"],
        ["g++", "-x", "c++", "-std=c++11"],
        ["g++", "-x", "c++", "-std=c++20"],
        ["clang-19", "-x", "c", "-std=c11"],
        ["clang++-19", "-x", "c++", "-std=c++17"],
    ],
    ids=" ".join,
)
def test_race_point_header_stands_alone(tmp_path: Path, command: list[str]) -> None:
    if shutil.which(command[0]) is None:
        pytest.skip(f"{command[0]} is not here")
    unit = tmp_path / "unit"
    unit.write_text('#include "race_point.h"\nvoid f(void);\nvoid f(void) { RACE_POINT(); }\n')
    done = subprocess.run(
        [*command, *WARNINGS, "-O2", f"-I{SOURCE}", "-c", str(unit), "-o", str(tmp_path / "o")],
        capture_output=True,
        text=True,
        timeout=60,
    )

    assert done.returncode == 0, done.stderr


# ---- wrong use -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("arguments", "error", "says"),
    [
        ("setup=None, actors=[int]", "ValueError", "never end"),
        ("actors=[int], rounds=0", "ValueError", "rounds=0"),
        ("actors=[int], rounds='9'", "TypeError", "rounds=...) takes an int, not '9'"),
        ("actors=[int], rounds=2**70", "ValueError", "rounds="),
        ("actors=[int], seconds=-1", "ValueError", "seconds=-1"),
        ("actors=[int], seconds=float('nan')", "ValueError", "seconds=nan"),
        ("actors=[int], seconds='x'", "TypeError", "seconds"),
        ("rounds=1", "TypeError", "actors"),
        ("actors=[], rounds=1", "ValueError", "actors"),
        ("actors='bump', rounds=1", "TypeError", "'bump'"),
        ("actors=[3], rounds=1", "TypeError", "actors[0] is 3"),
        ("actors=[int, ()], rounds=1", "TypeError", "actors[1] is ()"),
        ("actors=['bump'], rounds=1", "ValueError", "'bump'"),
        ("setup=5, actors=[int], rounds=1", "TypeError", "setup"),
        ("actors=[int], threads=0, rounds=1", "ValueError", "threads=0"),
        ("actors=[int], threads=5000, rounds=1", "ValueError", "threads=5000"),
        ("actors=[int], rounds=1, observe=7", "TypeError", "observe"),
        ("actors=[int], rounds=1, observe='n'", "ValueError", "setup"),
        ("actors=[int], rounds=1, observe_key='n'", "ValueError", "observe_key='n'"),
        ("actors=[int], rounds=1, keep_returned=False", "ValueError", "keep_returned"),
        ("actors=[int], rounds=1, release='gate'", "ValueError", "'gate'"),
        ("actors=[int], rounds=1, release=None", "ValueError", "None"),
        ("actors=[int], rounds=1, stride=0", "ValueError", "stride=0"),
        ("actors=[int], rounds=1, batch=0", "ValueError", "batch=0"),
        ("actors=[int], rounds=1, bursts=[1, 2]", "ValueError", "2 numbers for 1 threads"),
        ("actors=[int], rounds=1, bursts=[0]", "ValueError", "bursts=0"),
        ("actors=[int], rounds=1, offsets_ns='x'", "TypeError", "offsets_ns"),
        ("actors=[int], rounds=1, offsets_ns=[1e300]", "ValueError", "offsets_ns"),
        ("actors=[int], rounds=1, made_by=1", "ValueError", "made_by=1"),
        ("actors=[int], rounds=1, spin_limit_us=-1", "ValueError", "spin_limit_us=-1"),
        ("actors=[int], rounds=1, stop_on='lost'", "TypeError", "stop_on"),
        ("actors=[int], rounds=1, stop_on=[[]]", "TypeError", "unhashable"),
        ("actors=[int], rounds=1, cpus=[]", "TypeError", "cpus"),
        ("actors=[int], rounds=1, cpus=[1023]", "ValueError", "CPU 1023"),
        ("actors=[int], rounds=1, cpus='all'", "TypeError", "'all'"),
        ("actors=[int], rounds=1, labels=1", "ValueError", "labels=1"),
        ("actors=[int], rounds=1, tally=b'x'", "TypeError", "writable"),
        ("actors=[int], rounds=1, tally=bytearray(9)", "ValueError", "9 bytes"),
        ("actors=[int], rounds=1, tempo=3", "TypeError", "tempo"),
    ],
)
def test_wrong_arguments_get_one_sentence(
    core: Path, arguments: str, error: str, says: str
) -> None:
    given = arguments if arguments.startswith("setup") else f"setup=None, {arguments}"
    said = race(
        core,
        f"""
        try:
            _race.run({given})
        except Exception as problem:
            say(type=type(problem).__name__, text=str(problem))
        """,
    )

    assert said["type"] == error
    assert says in said["text"]
    assert "\n" not in said["text"]


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ("t = t[:100]", "at least 256 bytes"),
        ("t[0] ^= 1", "this is no tally"),
        ("t[8] = 9", "layout version 9"),
        ("t = t[:4000]", "does not fit its 4000 bytes"),
        ("t[16] = 200", "200 threads"),
    ],
)
def test_a_tally_that_is_none_is_refused(core: Path, change: str, says: str) -> None:
    said = race(
        core,
        f"""
        t = bytearray(_race.tally_size(2))
        _race.run(setup=None, actors=[int, int], rounds=9, tally=t)
        {change}
        try:
            _race.read_tally(t)
        except ValueError as problem:
            say(text=str(problem))
        """,
    )

    assert says in said["text"]


def test_nothing_is_left_running() -> None:
    """The last test: no child of this file's is still there."""
    deadline = time.monotonic() + 10
    while (mine := children_of(os.getpid())) and time.monotonic() < deadline:
        time.sleep(0.1)

    assert not mine


def children_of(pid: int) -> list[int]:
    found = []
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = re.sub(r"\(.*\)", "x", stat.read_text()).split()
        except OSError:
            continue
        if int(fields[3]) == pid and "_race" in (stat.parent / "cmdline").read_text():
            found.append(int(stat.parent.name))
    return found
