"""Races from end to end: real modules, real children, and an answer whatever happens to them."""

from __future__ import annotations

import json
import os
import platform
import re
import signal
import subprocess
import sys
import textwrap
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from racelab import machine, processes, racing, toolbox
from racelab.build import compile
from racelab.lab import ACCEPTABLE, FORBIDDEN, Actor, Invariant, Lab, find_lab, load_labs
from racelab.racing import RaceError, race, scan_offsets

EXT = Path(__file__).resolve().parent.parent / "ext"
FREE_THREADED = not getattr(sys, "_is_gil_enabled", lambda: True)()

needs_free_threading = pytest.mark.skipif(not FREE_THREADED, reason="needs a free-threaded build")


def book_lab(name: str) -> Lab:
    """A lab of the book by name."""
    folder = "endings" if name in ("hang", "exits", "raises", "floods") else name
    return next(lab for lab in load_labs(EXT / folder / "lab.py") if lab.name == name)


def no_children_left() -> bool:
    """Whether no dead child of this process waits to be reaped."""
    try:
        return os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT) is None
    except ChildProcessError:
        return True


# -- endings: the bodies run in children only -----------------------------------------------------


def _bodies() -> tuple[Callable[[], None], ...]:
    """Made here, so that they are sent by value: a child need not import this file, and pytest."""

    def segfault() -> None:
        """Read where nothing is."""
        import ctypes

        ctypes.string_at(8)

    def leave() -> None:
        os._exit(5)

    def kill_itself() -> None:
        os.kill(os.getpid(), signal.SIGKILL)

    def abort() -> None:
        os.abort()

    def fork_and_stay() -> None:
        """Leave a descendant behind that sleeps in a session of its own."""
        if os.fork() == 0:
            os.setsid()
            time.sleep(60)
            os._exit(0)
        os._exit(6)

    def eat_memory() -> None:
        keep = []
        while True:
            keep.append(bytearray(1 << 24))

    def close_everything() -> None:
        os.closerange(3, 256)
        os._exit(0)

    def spin() -> None:
        while True:
            pass

    def sleep_long() -> None:
        time.sleep(60)

    def nothing() -> None:
        pass

    return (
        segfault,
        leave,
        kill_itself,
        abort,
        fork_and_stay,
        eat_memory,
        close_everything,
        spin,
        sleep_long,
        nothing,
    )


(
    segfault,
    leave,
    kill_itself,
    abort,
    fork_and_stay,
    eat_memory,
    close_everything,
    spin,
    sleep_long,
    nothing,
) = _bodies()


def by_name() -> None:
    """At module level: sent by name, so the child imports this file."""


def one(body: Any, **options: Any) -> racing.Result:
    """One repetition of one round of this body in two threads."""
    stall_s = options.pop("stall_s", 0.3)
    lab = Lab(
        "ending",
        actors=[body, body],
        outcomes={"None, None": ACCEPTABLE},
        stall_s=stall_s,
        rounds=1,
        count=1,
    )
    return race(lab, **options)


@pytest.mark.parametrize("spawn", [False, True], ids=["forked", "spawned"])
@pytest.mark.parametrize(
    ("body", "ending"),
    [
        (segfault, "crash(SIGSEGV)"),
        (abort, "crash(SIGABRT)"),
        (kill_itself, "killed"),
        (leave, "exit(5)"),
        (fork_and_stay, "exit(6)"),
        (close_everything, "exit(0)"),
    ],
)
def test_each_ending_has_its_name_and_is_forbidden(body: Any, ending: str, spawn: bool) -> None:
    seen = one(body, spawn=spawn)

    assert [r.ending for r in seen.repetitions] == [ending]
    assert seen.forbidden == {ending: 1}
    assert (seen.failed_repetitions, seen.exit_status) == (1, 1)
    assert no_children_left()


def test_the_parents_zygote_survives_every_ending() -> None:
    """A child that dies must not take the process that forks its successors along."""
    one(nothing)
    zygote = next(z for many in processes._idle.values() for z in many)
    for body in (segfault, kill_itself, abort, leave):
        one(body)

    assert zygote.alive
    assert [z for many in processes._idle.values() for z in many].count(zygote) == 1


def test_stopping_at_the_first_failure_keeps_the_zygote() -> None:
    """A race that ends early must not make the next one start all over."""
    lab = Lab(
        "x",
        actors=[segfault],
        threads=[1],
        outcomes={"crash(SIGSEGV)": FORBIDDEN},
        rounds=1,
        count=9,
    )
    race(lab, stop_at_first=True)
    before = [z for many in processes._idle.values() for z in many]
    seen = race(lab, stop_at_first=True)

    assert len(seen.repetitions) == 1
    assert before
    assert sorted(map(id, before)) == sorted(
        id(z) for many in processes._idle.values() for z in many
    )


def test_out_of_memory_is_an_error_of_that_round() -> None:
    assert set(one(eat_memory, memory_mb=300).forbidden) & {"error(MemoryError)", "crash(SIGABRT)"}


def test_an_exception_is_an_outcome_with_its_text() -> None:
    seen = race(book_lab("raises"), count=1)

    assert seen.forbidden == {"error(LookupError)": 100}
    assert "this one always raises" in str(seen)


def test_a_flood_does_not_drown_the_result() -> None:
    seen = race(book_lab("floods"), count=1)

    assert (seen.exit_status in (0, 3), seen.rounds) == (True, 200)


def test_a_process_that_leaves_in_the_middle_is_no_pass() -> None:
    assert race(book_lab("exits"), count=1).forbidden == {"exit(7)": 1}


def test_a_deadlock_is_noticed_long_before_the_limit() -> None:
    seen = race(book_lab("hang"), "broken", count=1, timeout_s=60, widen=True)

    assert seen.forbidden == {"hang": 1}
    assert seen.wall_s < 30
    assert "deadlock" in seen.repetitions[0].note
    assert "Thread 0x" in seen.repetitions[0].note  # the stacks are in the record
    assert race(book_lab("hang"), "fixed", count=1, rounds=200).forbidden == {}


def test_a_long_sleep_is_no_deadlock() -> None:
    """It does not get on either, and uses no CPU; but it waits for the clock, not for a lock."""
    seen = one(sleep_long, timeout_s=2.0, stall_s=0.2)

    assert seen.forbidden == {"hang": 1}
    assert "its time was up" in seen.repetitions[0].note


def test_a_livelock_is_told_from_a_deadlock(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(racing, "LIVELOCK_S", 0.5)
    seen = one(spin, timeout_s=60, stall_s=0.1)

    assert seen.forbidden == {"hang": 1}
    assert "livelock" in seen.repetitions[0].note


# -- races that show, and their repairs ------------------------------------------------------------


@pytest.mark.parametrize("name", ["lost_update", "lazy_slot", "stale_size", "borrowed_ref"])
def test_a_widened_broken_half_fails_and_a_widened_fixed_half_does_not(name: str) -> None:
    """Widened, so that one core is enough."""
    lab = book_lab(name)
    broken = race(lab, "broken", widen=True, count=2, seconds=1.0)
    fixed = race(lab, "fixed", widen=True, count=2, seconds=1.0)

    assert broken.forbidden, str(broken)
    assert broken.widened
    assert "widened" in str(broken)
    assert not fixed.forbidden, str(fixed)
    assert fixed.rounds > 10


@pytest.mark.parametrize(("widen", "seen"), [(True, "'1'"), (False, "None")])
def test_race_points_learn_whether_to_hold(
    widen: bool, seen: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """They ask the environment; and ours must not leak into a race that is not to be widened."""
    monkeypatch.setenv("RACELAB_WIDEN", "0" if widen else "1")
    lab = Lab(
        "x",
        actors=[lambda: os.environ.get("RACELAB_WIDEN")],
        threads=[1],
        outcomes={seen: ACCEPTABLE},
    )

    assert race(lab, widen=widen, count=1, rounds=5).outcomes == {seen: 5}


def test_a_child_that_dies_has_reported_its_finished_rounds() -> None:
    left = [3000]

    def countdown() -> None:
        left[0] -= 1
        if left[0] == 0:
            segfault()

    lab = Lab(
        "late",
        actors=[nothing, countdown],
        outcomes={"None, None": ACCEPTABLE, "crash(SIGSEGV)": FORBIDDEN},
        rounds=100_000,
        count=1,
    )
    seen = race(lab)

    assert seen.forbidden == {"crash(SIGSEGV)": 1}
    assert 0 < seen.rounds + seen.repetitions[0].ungraded < 3000
    assert seen.outcomes["None, None"] == seen.rounds


def test_returned_is_one_burst_after_another() -> None:
    """As the documentation of `Lab` says, also where actors repeat to fill threads."""

    calls: dict[int, int] = {}

    def number(_state: object) -> int:
        """Which call of its thread this is."""
        import threading

        me = threading.get_ident()
        calls[me] = calls.get(me, 0) + 1
        return calls[me]

    lab = Lab(
        "x",
        setup=lambda: None,
        actors=[Actor(number, burst=3), Actor(lambda _: "last", burst=1)],
        threads=[3],
        observe=lambda _state, returned, _threads: " ".join(map(str, returned)),
        outcomes={"*": ACCEPTABLE},
    )

    assert race(lab, rounds=1, count=1).outcomes == {"1 2 3 last 1 2 3": 1}


def test_cold_mode_is_one_round_per_process() -> None:
    seen = race(book_lab("lazy_slot"), "broken", mode="cold", count=5)

    assert [r.rounds for r in seen.repetitions] == [1] * 5
    assert "per round" not in "\n".join(seen.sentences())


def test_several_repetitions_at_once_are_all_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(machine, "cores_usable", lambda: 3.0)
    lab = Lab(
        "side_by_side", actors=[nothing], threads=[1], outcomes={"None": ACCEPTABLE}, parallel=True
    )
    assert racing._jobs(lab, 1) == 3
    seen = race(lab, count=7, rounds=10)

    assert (len(seen.repetitions), seen.outcomes) == (7, {"None": 70})


def test_one_of_several_at_once_that_cannot_run_ends_them_all() -> None:
    lab = Lab("x", modules=["no_such_module"], actors=["go"], threads=[1], count=50, parallel=True)

    assert race(lab).exit_status == 2
    assert no_children_left()


def test_closures_travel_to_the_child() -> None:
    pytest.importorskip("cloudpickle")
    wanted = 41
    lab = Lab(
        "closure",
        setup=lambda: [wanted],
        actors=[lambda state: state[0] + 1],
        threads=[1],
        observe=lambda _state, returned, _threads: str(returned[0]),
        outcomes={"42": ACCEPTABLE},
        rounds=10,
        count=1,
    )

    assert race(lab).outcomes == {"42": 10}


def test_a_loaded_module_whose_file_is_gone_is_no_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("racelab.build._loaded", {"gone": tmp_path / "gone.so"})

    assert one(nothing).outcomes == {"None, None": 1}


def test_functions_of_this_file_travel_by_name() -> None:
    assert one(by_name).outcomes == {"None, None": 1}


def test_a_lab_file_that_nobody_here_wrote(tmp_path: Path) -> None:
    """A C file compiled on demand, beside a lab file, outside of the book."""
    (tmp_path / "mine.c").write_text(
        textwrap.dedent(
            """
            #include <Python.h>
            static PyObject *seven(PyObject *Py_UNUSED(m), PyObject *Py_UNUSED(a)) { return PyLong_FromLong(7); }
            static PyMethodDef methods[] = {{"seven", seven, METH_NOARGS, NULL}, {NULL, NULL, 0, NULL}};
            static PyModuleDef_Slot slots[] = {
            #ifdef Py_GIL_DISABLED
                {Py_mod_gil, Py_MOD_GIL_NOT_USED},
            #endif
                {0, NULL}};
            static struct PyModuleDef module = {
                PyModuleDef_HEAD_INIT, .m_name = "mine", .m_methods = methods, .m_slots = slots};
            PyMODINIT_FUNC PyInit_mine(void) { return PyModuleDef_Init(&module); }
            """
        )
    )
    file = tmp_path / "my_lab.py"
    file.write_text(
        "from racelab import ACCEPTABLE, Lab\n"
        "lab = Lab('mine', sources=['mine.c'], actors=['seven', 'seven'], outcomes={'7, 7': ACCEPTABLE})\n"
    )

    seen = race(file, count=2, rounds=50)

    assert seen.outcomes == {"7, 7": 100}
    assert (seen.variant, seen.gil) == (None, not FREE_THREADED)
    assert len(seen.source_sha256) == 64


# -- what cannot be run ----------------------------------------------------------------------------


def test_a_module_that_cannot_be_imported_has_not_run() -> None:
    lab = Lab("x", modules=["no_such_module"], actors=["go"], threads=[1], count=50)
    seen = race(lab)

    assert (seen.exit_status, len(seen.repetitions)) == (2, 1)  # fifty times would tell no more
    assert "no_such_module" in str(seen)
    assert seen.rate_per_repetition is None


def _shared() -> Any:
    """A state with one method, made here so that it is sent by value."""

    class Board:
        total = 5

        def update(self) -> int:
            """The one thing that can be done to it."""
            return 1

    return Board


def _raises(*_: object) -> None:
    raise LookupError("nothing there")


def _takes_two(state: Any, other: Any) -> None:
    """An actor that gets the state alone."""


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"actors": ["update", "updat"]}, "actor 'updat': .*Board has no such attribute; did you mean 'update'?"),
        ({"actors": ["update", "total"]}, "actor 'total': it is a int and cannot be called"),
        ({"actors": ["update", _takes_two]}, "actor '_takes_two': it gets the state: missing .* 'other'"),
        ({"setup": _raises}, "setup fails although nothing is raced: LookupError: nothing there"),
        ({"observe": lambda _: "x"}, "observe fails .* TypeError: .*observe gets \\(state, returned, threads\\)"),
        ({"observe": lambda b, _r, _t: str(b.totals)}, "observe fails .* AttributeError: .*'totals'"),
        ({"observe": Invariant(lambda b: b.totals)}, "check fails .* AttributeError: .*'totals'"),
        ({"observe": "totl"}, "observe 'totl': .*Board has no such attribute; did you mean 'total'?"),
        ({"observe": lambda *_: "x", "observe_key": ["totl"]}, "observe_key 'totl': .*did you mean 'total'?"),
    ],
)  # fmt: skip
def test_a_mistake_in_a_lab_is_no_bug_that_was_found(changes: dict[str, Any], said: str) -> None:
    given: dict[str, Any] = {"setup": _shared(), "actors": ["update", "update"], **changes}
    # As the fixture of the pytest plugin declares it: any exception is forbidden.
    lab = Lab("typo", **given, outcomes={"1, 1": ACCEPTABLE, "error(*)": FORBIDDEN}, rounds=20)
    seen = race(lab, count=5)

    assert (seen.exit_status, len(seen.repetitions), seen.rounds) == (2, 1, 0), str(seen)
    assert re.search(f"not-run: lab typo: {said}", seen.repetitions[0].note), str(seen)
    assert "Traceback" not in str(seen)
    assert seen.rate_per_round is seen.rate_per_repetition is None
    with pytest.raises(RaceError, match=said):
        scan_offsets(lab, offsets_ns=[0, 50], rounds=20, count=1)


def test_a_mistake_is_named_on_a_busy_machine_too(monkeypatch: pytest.MonkeyPatch) -> None:
    """As if we got the processor again only when the child has long ended: its words lie in the pipe."""
    watch = processes.Watched.watch

    def late(
        child: processes.Watched, timeout_s: float, look: processes.Look | None = None
    ) -> None:
        until = time.perf_counter() + 60
        while not child.has_ended() and time.perf_counter() < until:
            time.sleep(0.01)
        watch(child, timeout_s, look)

    monkeypatch.setattr(processes.Watched, "watch", late)
    lab = Lab(
        "typo",
        setup=_shared(),
        actors=["update", "updat"],
        outcomes={"error(*)": FORBIDDEN},
        rounds=20,
    )
    seen = race(lab, count=5)
    assert (seen.exit_status, len(seen.repetitions)) == (2, 1), str(seen)
    assert "did you mean 'update'?" in seen.repetitions[0].note


def test_names_that_a_module_does_not_have(tmp_path: Path) -> None:
    file = tmp_path / "typo.py"
    file.write_text("from racelab import Lab\nlab = Lab('x', modules=['math'], actors=['sqr'])\n")
    seen = race(file, threads=2)

    wanted = (
        "not-run: lab x: actor 'sqr': math has no such attribute; did you mean 'sqrt'? (typo.py)"
    )
    assert [r.note for r in seen.repetitions] == [wanted]


def test_exceptions_of_the_code_itself_stay_outcomes() -> None:
    """Also those that come in every round, and those of an `observe` that stumbles over what a race left."""
    first = [True]

    def stumbles(*_: object) -> str:
        if first:
            first.clear()
            return "fine"
        raise LookupError

    always = Lab("x", setup=_shared(), actors=["update", _raises], rounds=20)
    later = Lab("x", setup=_shared(), actors=["update"], threads=[1], observe=stumbles, rounds=20)

    assert race(always, count=2).forbidden == {"error(LookupError)": 40}
    assert race(later, count=1).forbidden == {"fine": 1, "observe-error(LookupError)": 19}


#: One call alone is well; what its docstring says of its arguments is wrong, for Python passes none.
BUSY = """#include <Python.h>
static long calls;
static PyObject *add(PyObject *Py_UNUSED(m), PyObject *Py_UNUSED(args)) {
    if (__atomic_fetch_add(&calls, 1, __ATOMIC_RELAXED) > 0) {
        PyErr_SetString(PyExc_RuntimeError, "another call");
        return NULL;
    }
    Py_RETURN_NONE;
}
static PyMethodDef methods[] = {
    {"add", add, METH_VARARGS, "add(self, item)\\n--\\n\\nAdd."}, {NULL, NULL, 0, NULL}};
static PyModuleDef_Slot slots[] = {
#ifdef Py_GIL_DISABLED
    {Py_mod_gil, Py_MOD_GIL_NOT_USED},
#endif
    {0, NULL}};
static struct PyModuleDef module = {
    PyModuleDef_HEAD_INIT, .m_name = "told_wrong", .m_methods = methods, .m_slots = slots};
PyMODINIT_FUNC PyInit_told_wrong(void) { return PyModuleDef_Init(&module); }
"""


def test_a_docstring_that_is_wrong_is_no_mistake_of_the_lab() -> None:
    """A signature may explain a call that has failed with TypeError, and says nothing of others."""
    good = {"None, None": ACCEPTABLE}
    lab = Lab("x", modules=["told_wrong"], actors=["add", "add"], outcomes=good, rounds=20)
    seen = race(lab, modules=[compile(BUSY)], count=2)

    assert (seen.exit_status, seen.rounds) == (1, 40), str(seen)
    assert {"error(RuntimeError)"} == set(seen.forbidden)


BODY = """#include <Python.h>
#include <unistd.h>
static int start(PyObject *m) { %s; return 0; }
static PyModuleDef_Slot slots[] = {{Py_mod_exec, start},
#ifdef Py_GIL_DISABLED
    {Py_mod_gil, Py_MOD_GIL_NOT_USED},
#endif
    {0, NULL}};
static struct PyModuleDef module = {PyModuleDef_HEAD_INIT, .m_name = "%s", .m_slots = slots};
PyMODINIT_FUNC PyInit_%s(void) { return PyModuleDef_Init(&module); }
"""


@pytest.mark.parametrize(
    ("name", "does", "end"),
    [
        ("imp_dies", "*(volatile int *)(m == NULL ? m : NULL) = 1", "died (SIGSEGV)"),
        ("imp_exits", "_exit(3)", "left (exit(3))"),
        ("imp_hangs", "for (;;) { pause(); }", "hung"),
    ],
)
def test_a_child_that_dies_at_an_import_has_not_run(name: str, does: str, end: str) -> None:
    built = compile(BODY % (does, name, name))
    lab = Lab("x", modules=[name], actors=["go"], threads=[1], rounds=5)
    seen = race(lab, modules=[built], count=5, timeout_s=2.0)

    assert (seen.exit_status, len(seen.repetitions)) == (2, 1)
    assert seen.rate_per_round is seen.rate_per_repetition is None
    note = seen.repetitions[0].note
    assert f"the child {end} while it imported {name}, before any round; try `" in note
    command = note.partition("`")[2].partition("`")[0]
    if end != "hung":  # what is to be tried shows the same
        shell = subprocess.run(command, shell=True, timeout=60, capture_output=True, check=False)
        assert shell.returncode in (3, 128 + signal.SIGSEGV, -signal.SIGSEGV)


#: What a module does at its import from the third child on: each leaves a file behind.
LATER = """int many = 0; char name[4096];
    while (snprintf(name, sizeof name, "%s/%%d", many), access(name, F_OK) == 0) { many++; }
    fclose(fopen(name, "w"));
    if (many > 1) { %s }"""


@pytest.mark.parametrize(
    ("name", "does", "ending"),
    [
        ("later_dies", "abort();", "crash(SIGABRT)"),
        ("later_exits", "_exit(3);", "exit(3)"),
        ("later_hangs", "for (;;) { pause(); }", "hang"),
    ],
)
def test_an_import_that_dies_where_others_have_raced_is_a_failure(
    name: str, does: str, ending: str, tmp_path: Path
) -> None:
    built = compile(BODY % (LATER % (tmp_path, does), name, name))
    good = {"None": ACCEPTABLE}
    lab = Lab("x", modules=[name], actors=[nothing], threads=[1], outcomes=good, rounds=5)
    seen = race(lab, modules=[built], count=4, timeout_s=2.0)

    assert [r.ending for r in seen.repetitions] == ["ok", "ok", ending, ending], str(seen)
    assert (seen.exit_status, seen.failed_repetitions, seen.rounds) == (1, 2, 10)
    assert seen.forbidden == {ending: 2}
    assert f"while it imported {name}, before any round" in str(seen)


def test_a_race_that_an_import_cut_short_is_no_pass(tmp_path: Path) -> None:
    """An exception at an import says nothing about rounds; but neither is what follows a clean run."""
    does = 'PyErr_SetString(PyExc_OSError, "busy"); return -1;'
    built = compile(BODY % (LATER % (tmp_path, does), "later_raises", "later_raises"))
    good = {"None": ACCEPTABLE}
    lab = Lab("x", modules=["later_raises"], actors=[nothing], threads=[1], outcomes=good, rounds=5)
    seen = race(lab, modules=[built], count=4)

    assert [r.ending for r in seen.repetitions] == ["ok", "ok", "not-run"], str(seen)
    assert (seen.exit_status, seen.forbidden) == (2, {})
    assert "1 repetition could not run, and the race ended there" in str(seen)


@needs_free_threading
def test_an_import_that_enables_the_gil_is_no_pass() -> None:
    silent = compile(
        "#include <Python.h>\n"
        'static struct PyModuleDef module = {PyModuleDef_HEAD_INIT, .m_name = "silent2"};\n'
        "PyMODINIT_FUNC PyInit_silent2(void) { return PyModuleDef_Init(&module); }\n"
    )
    lab = Lab(
        "x",
        modules=["silent2"],
        actors=[nothing],
        threads=[1],
        outcomes={"None": ACCEPTABLE},
        rounds=5,
    )

    refused = race(lab, modules=[silent])
    allowed = race(lab, modules=[silent], allow_gil=True, count=1)

    assert (refused.exit_status, refused.outcomes) == (2, {"None": 0, "gil-enabled": 1})
    assert refused.gil_enabled_by == "silent2"
    assert (allowed.gil, allowed.outcomes["None"]) == (True, 5)
    # Under the GIL a clean run says nothing, whoever turned it on.
    assert (allowed.calibrated, allowed.exit_status) == (False, 3)
    assert "with the GIL on, threads take turns" in str(allowed)
    assert "--allow-gil" in str(refused)
    assert "--allow-gil" not in str(allowed)


POINT = """#include <Python.h>
%s
static PyObject *point(PyObject *Py_UNUSED(m), PyObject *Py_UNUSED(a)) { %s; Py_RETURN_NONE; }
static PyMethodDef methods[] = {{"point", point, METH_NOARGS, NULL}, {NULL, NULL, 0, NULL}};
static PyModuleDef_Slot slots[] = {
#ifdef Py_GIL_DISABLED
    {Py_mod_gil, Py_MOD_GIL_NOT_USED},
#endif
    {0, NULL}};
static struct PyModuleDef module = {
    PyModuleDef_HEAD_INIT, .m_name = "%s", .m_methods = methods, .m_slots = slots};
PyMODINIT_FUNC PyInit_%s(void) { return PyModuleDef_Init(&module); }
"""


@pytest.mark.parametrize(
    ("name", "include", "does", "held"),
    [
        ("pointless", "", "", False),
        ("pointed", '#include "racelab/race_point.h"', "RACE_POINT()", True),
    ],
)
def test_widening_what_has_no_race_point_says_so(
    name: str, include: str, does: str, held: bool
) -> None:
    built = compile(POINT % (include, does, name, name))
    lab = Lab("x", modules=[name], actors=["point"] * 2, outcomes={"None, None": ACCEPTABLE})
    seen = race(lab, modules=[built], widen=True, rounds=5, count=1)
    scan = scan_offsets(
        lab, modules=[built], widen=True, offsets_ns=[0, 50], rounds=5, count=1, release="barrier"
    )

    said = f"no race point found in the file of {name}: --widen"
    assert (seen.race_points, seen.widened, scan.widened) == (held, True, True)
    assert ("Widened: race points were held open" in str(seen)) is held
    assert (said in str(seen), said in str(scan)) == (not held, not held)
    assert bool(scan.as_json()["notes"]) is not held


def test_race_points_of_what_a_module_links_are_held_open(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """They are in no file that we look into; but the calibration is not widened on their account."""
    library = tmp_path / "liblinked.so"
    (tmp_path / "linked.c").write_text(
        '#include "racelab/race_point.h"\n'
        "int held(void); int held(void) { RACE_POINT(); return racelab_widen_state == 2; }\n"
    )
    include = Path(racing.__file__).parent.parent
    make = [
        "cc",
        "-shared",
        "-fPIC",
        f"-I{include}",
        str(tmp_path / "linked.c"),
        "-o",
        str(library),
    ]
    subprocess.run(make, check=True, timeout=60)
    says = "if (held()) { Py_RETURN_TRUE; }"
    built = compile(
        POINT % ("int held(void);", says, "links", "links"),
        flags=[f"-L{tmp_path}", "-llinked", f"-Wl,-rpath,{tmp_path}"],
    )
    asked = []
    monkeypatch.setattr(racing, "_calibrations", {})
    monkeypatch.setattr(
        racing, "_ask_calibration", lambda plan, _: asked.append(plan.widen) or True
    )
    lab = Lab("x", modules=["links"], actors=["point"] * 2, outcomes={"*": ACCEPTABLE})
    outcomes = [
        race(lab, modules=[built], widen=w, rounds=5, count=1).outcomes for w in (True, False)
    ]

    assert outcomes == [{"True, True": 5}, {"None, None": 5}]
    assert asked == [False]


@needs_free_threading
@pytest.mark.parametrize(("gil", "on"), [("auto", False), (0, False), (1, True)])
def test_the_gil_is_as_it_was_asked_for(gil: Any, on: bool) -> None:
    assert one(nothing, gil=gil).gil is on


def test_where_not_even_the_known_race_shows_a_clean_run_is_inconclusive() -> None:
    """With the GIL on, the known race is silent; so nobody may call a clean run clean."""
    seen = one(nothing, gil=1 if FREE_THREADED else "auto")

    assert (seen.calibrated, seen.exit_status) == (False, 3)
    assert "INCONCLUSIVE" in str(seen)


def test_a_long_offset_ends_in_time() -> None:
    """Few rounds fit, so few are begun at once."""
    lab = Lab("x", actors=[nothing] * 2, outcomes={"None, None": ACCEPTABLE})
    seen = race(lab, offsets_ns=[3e7, 0], seconds=0.2, count=2)

    assert seen.exit_status in (0, 3)
    assert 2 <= seen.rounds <= 16  # and not 32 a repetition


def test_offsets_that_do_not_fit_are_refused() -> None:
    lab = Lab("x", actors=[nothing] * 2, outcomes={"None, None": ACCEPTABLE})
    with pytest.raises(ValueError, match="do not fit into"):
        scan_offsets(lab, offsets_ns=[0, 1e9])
    with pytest.raises(ValueError, match=r"give less than 0\.05 s, or more seconds"):
        race(lab, offsets_ns=[1e9, 0], seconds=1)


def test_the_known_race_shows_when_widened() -> None:
    assert racing.calibrate(widen=True) or not FREE_THREADED


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"rounds": 0}, "rounds=0"),
        ({"count": -1}, "count=-1"),
        ({"seconds": 0}, "seconds=0"),
        ({"timeout_s": -1}, "timeout_s=-1"),
        ({"threads": 3}, "not for 3"),
        ({"release": "gun"}, "release='gun'"),
        ({"mode": "fast"}, "mode='fast'"),
        ({"confidence": 1}, "confidence=1"),
        ({"offsets_ns": [1, 2, 3]}, "3 numbers for 2 threads"),
        ({"offsets_ns": [0, 1e9], "rounds": 1000}, "1,000 rounds .* do not fit into 120 s"),
        ({"variant": "fixed"}, "no variant 'fixed'"),
        ({"gil": 3}, "gil=3"),
        ({"python": "/no/python"}, "no such interpreter"),
    ],
)
def test_bad_arguments_get_one_sentence(options: dict[str, Any], said: str) -> None:
    with pytest.raises((ValueError, FileNotFoundError), match=said) as caught:
        one(nothing, **options)

    assert "\n" not in str(caught.value)


def test_an_interpreter_that_cannot_race_is_named() -> None:
    with pytest.raises(RaceError, match="/bin/true"):
        one(nothing, python="/bin/true")


def test_a_lab_that_cannot_be_sent_is_named() -> None:
    import threading

    lock = threading.Lock()
    lab = Lab("locked", actors=[lambda: lock.acquire()], threads=[1])

    with pytest.raises(RaceError, match="lab locked cannot be sent"):
        race(lab)


# -- sanitizers ------------------------------------------------------------------------------------


def test_thread_sanitizer_reports_the_broken_half_and_not_the_fixed_one() -> None:
    """Also where no update is lost: it needs both accesses, not a lost race."""
    try:
        racing.sanitizer_python("thread")
    except RaceError as error:
        pytest.skip(str(error))
    lab = book_lab("lost_update")
    broken = race(lab, "broken", sanitizer="thread", count=1, rounds=300)
    fixed = race(lab, "fixed", sanitizer="thread", count=1, rounds=300)

    assert "sanitizer(data race in add_one, lost_update_broken.c:31)" in broken.forbidden
    assert "lost_update_broken.c:" in broken.repetitions[0].note
    assert (fixed.forbidden, fixed.rounds) == ({}, 300), str(fixed)


def test_a_sanitizer_without_its_interpreter_says_how_to_get_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.delenv("RACELAB_TSAN_PYTHON", raising=False)

    with pytest.raises(RaceError, match="make tsan"):
        one(nothing, sanitizer="thread")
    monkeypatch.setenv("RACELAB_TSAN_PYTHON", "/nowhere")
    with pytest.raises(RaceError, match="RACELAB_TSAN_PYTHON=/nowhere cannot be run"):
        one(nothing, sanitizer="thread")
    monkeypatch.setenv("RACELAB_TSAN_PYTHON", sys.executable)
    assert racing.sanitizer_python("thread") == sys.executable == toolbox.interpreter_of("tsan")


def test_sanitizers_are_found_where_they_are_made(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.delenv("RACELAB_ASAN_PYTHON", raising=False)
    series = f"{sys.version_info.major}.{sys.version_info.minor}"
    made = tmp_path / f"racelab/python/{series}.9t-asan-x86_64-abc/bin/python{series}td"
    made.parent.mkdir(parents=True)
    made.write_text("#!/bin/sh\n")
    prefix = made.parent.parent
    stamp = {
        "made_by": toolbox.MADE_BY, "py": f"{series}t", "flavor": "asan", "machine": platform.machine(),
        "recipe": toolbox.RECIPE, "prefix": str(prefix), "cc": "sh",
    }  # fmt: skip
    (prefix / toolbox.STAMP).write_text(json.dumps(stamp))
    assert toolbox.interpreter_of("asan") is None  # it cannot be run
    made.chmod(0o755)

    assert toolbox.interpreter_of("asan") == racing.sanitizer_python("address") == str(made)
    assert toolbox.interpreter_of("tsan") is None


# -- scans -----------------------------------------------------------------------------------------


def test_a_scan_goes_on_behind_a_crash() -> None:
    scan = scan_offsets(
        Lab("x", actors=[segfault, nothing], outcomes={"None, None": ACCEPTABLE}),
        offsets_ns=[0, 100],
        rounds=10,
        count=1,
    )

    assert dict(scan.ended) == {"crash(SIGSEGV)": 2}
    assert [point["hits"] for point in scan.points] == [1, 1]


def _doze() -> None:
    time.sleep(0.002)


def test_a_scan_that_takes_longer_than_its_limit_has_hit_nothing() -> None:
    """The limit is one for each child: an offset that the others left no time for gets a child of its own."""
    lab = Lab("x", actors=[_doze, _doze], outcomes={"None, None": ACCEPTABLE})
    offsets = [float(ns) for ns in range(14)]
    scan = scan_offsets(lab, offsets_ns=offsets, rounds=150, count=1, timeout_s=3.0)

    assert [(p["offset_ns"], p["hits"]) for p in scan.points] == [(ns, 0.0) for ns in offsets]
    # On a busy machine one of them may be too long even for a child of its own; but then it is told.
    short = sum(p["rounds"] < 150 for p in scan.points)
    assert max(p["rounds"] for p in scan.points) <= 150
    assert dict(scan.ended) == ({"out of time": short} if short else {})


def test_an_offset_that_never_fits_is_no_hit_but_is_told() -> None:
    lab = Lab("x", actors=[_doze, _doze], outcomes={"None, None": ACCEPTABLE})
    scan = scan_offsets(lab, offsets_ns=[0, 50], rounds=100_000, count=1, timeout_s=3.0)

    assert [p["hits"] for p in scan.points] == [0.0, 0.0]
    assert dict(scan.ended) == {"out of time": 2}
    assert "no hit at any offset" in str(scan)
    assert "ended early: out of time: 2" in str(scan)


def test_a_scan_counts_every_offset_as_often() -> None:
    scan = scan_offsets(
        book_lab("lost_update"),
        "fixed",
        offsets_ns=[-50, 0, 50],
        rounds=500,
        count=2,
        release="barrier",
    )

    assert [(p["offset_ns"], p["hits"], p["rounds"]) for p in scan.points] == [
        (-50.0, 0.0, 1000.0),
        (0.0, 0.0, 1000.0),
        (50.0, 0.0, 1000.0),
    ]
    assert scan.best_ns == 0.0
    assert "no hit at any offset" in str(scan)
    assert all(type(p["hits"]) is float for p in scan.points)  # what plot() has to cope with


def test_a_scan_is_drawn_with_the_counts_that_it_holds() -> None:
    """Its counts are floats, and the figure takes whole numbers; an offset without rounds is left out."""
    pytest.importorskip("matplotlib").use("Agg")
    points = [(-100.0, 1.0, 50.0), (0.0, 40.0, 50.0), (50.0, 0.0, 0.0), (100.0, 1.0, 50.0)]
    scan = racing.Scan(
        "a lab",
        tuple({"offset_ns": ns, "hits": hits, "rounds": rounds} for ns, hits, rounds in points),
        skew_ns={"p50": 5.0, "p95": 20.0},
        ended={},
    )

    axes = scan.plot()

    drawn = next(line for line in axes.lines if len(line.get_xdata()) == 3)
    assert list(drawn.get_xdata()) == [-100.0, 0.0, 100.0]
    assert list(drawn.get_ydata()) == [0.02, 0.8, 0.02]
    assert axes.get_title(loc="left") == "a lab"
    axes.figure.clear()


def test_a_scan_of_one_offset_is_refused() -> None:
    with pytest.raises(ValueError, match="at least two"):
        scan_offsets(book_lab("lost_update"), offsets_ns=[0])


def test_search_says_what_it_found() -> None:
    seen = race(book_lab("lost_update"), "broken", search=True, count=1, rounds=100)

    assert any(note.startswith("search:") for note in seen.notes)


# -- nothing is left behind ------------------------------------------------------------------------


@pytest.mark.parametrize("ending", [signal.SIGINT, signal.SIGKILL], ids=["ctrl-c", "kill -9"])
def test_an_interrupted_race_leaves_no_process(ending: int, tmp_path: Path) -> None:
    mark = f"RACELAB_TEST={os.getpid()}-{time.monotonic_ns()}"
    script = tmp_path / "script.py"
    script.write_text(
        "from racelab import Lab, race\nimport time\n"
        "race(Lab('x', actors=[time.sleep], threads=[1], outcomes={}), timeout_s=120)\n".replace(
            "actors=[time.sleep]", "actors=[lambda: time.sleep(100)]"
        )
    )
    parent = subprocess.Popen(
        [sys.executable, str(script)],
        env={**os.environ, "RACELAB_TEST": mark.partition("=")[2]},
        stderr=subprocess.PIPE,
        start_new_session=True,
    )
    until = time.monotonic() + 30
    while len(_marked(mark)) < 3 and time.monotonic() < until:  # parent, zygote, child
        time.sleep(0.05)
    assert len(_marked(mark)) >= 3

    parent.send_signal(ending)
    parent.communicate(timeout=30)
    until = time.monotonic() + 10
    while _marked(mark) and time.monotonic() < until:
        time.sleep(0.05)

    assert _marked(mark) == []


def _marked(mark: str) -> list[int]:
    """Processes, zombies apart, that were started with this in their environment."""
    found = []
    for path in Path("/proc").iterdir():
        if not path.name.isdigit():
            continue
        try:
            alive = (path / "stat").read_text().rpartition(")")[2].split()[0] != "Z"
            if alive and mark.encode() in (path / "environ").read_bytes():
                found.append(int(path.name))
        except OSError:
            continue
    return found


def test_no_descriptor_is_left_by_races() -> None:
    one(nothing)
    before = len(list(Path("/proc/self/fd").iterdir()))
    one(nothing)
    one(segfault)

    assert len(list(Path("/proc/self/fd").iterdir())) == before


def test_zygotes_end_with_their_parent() -> None:
    code = (
        "from racelab import Lab, race\n"
        "race(Lab('x', actors=[print], threads=[1], rounds=1, count=1))\n"
        "from racelab.processes import _idle\n"
        "print([z.process.pid for many in _idle.values() for z in many][0])\n"
    )
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", code], capture_output=True, text=True, timeout=60
    )

    assert done.stderr == ""
    pid = int(done.stdout.split()[-1])
    assert not Path(f"/proc/{pid}").exists()


def test_find_lab_hands_a_lab_through() -> None:
    lab = book_lab("hang")

    assert find_lab(lab) is lab
