"""``racelab doctor``: what this machine can show, what it cannot, and what to do about it."""

from __future__ import annotations

import importlib.util
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from racelab import machine
from racelab.build import BuildError, compile, compiler_version
from racelab.processes import ZygoteError
from racelab.racing import RaceError, calibrate, core, sanitizer_python
from racelab.runner import run_child

__all__ = ["Check", "Report", "examine"]

_PROBE = """
#include <Python.h>
static PyModuleDef_Slot slots[] = {
#ifdef Py_GIL_DISABLED
    {Py_mod_gil, Py_MOD_GIL_NOT_USED},
#endif
    {0, NULL}};
static struct PyModuleDef module = {PyModuleDef_HEAD_INIT, .m_name = "racelab_probe", .m_slots = slots};
PyMODINIT_FUNC PyInit_racelab_probe(void) { return PyModuleDef_Init(&module); }
"""


@dataclass(frozen=True)
class Check:
    """One thing that was looked at.

    Attributes:
        name: what.
        ok: whether it is as it should be; None where it is only good to know.
        found: what was found, in words.
        advice: what to do if it is not ok.
    """

    name: str
    ok: bool | None
    found: str
    advice: str = ""


@dataclass(frozen=True)
class Report:
    """All checks, and what follows from them.

    Attributes:
        checks: in the order in which one thing needs another.
        races: whether the built-in known race shows by itself.
        widened: whether it shows with its race point held open.
        verdict: one sentence.
        exit_status: 0 races show, 2 nothing can be run, 3 a clean run is inconclusive here.
    """

    checks: tuple[Check, ...]
    races: bool
    widened: bool
    verdict: str
    exit_status: int

    def as_json(self) -> dict[str, Any]:
        """What ``racelab doctor --json`` prints."""
        return {
            "checks": [vars(check) for check in self.checks],
            "races": self.races,
            "widened": self.widened,
            "verdict": self.verdict,
            "exit_status": self.exit_status,
        }

    def __str__(self) -> str:
        signs = {True: "ok", False: "NO", None: "--"}
        lines = []
        for check in self.checks:
            lines.append(f"{signs[check.ok]:<3} {check.name:<22} {check.found}")
            if check.advice:
                lines.append(f"{'':<27}{check.advice}")
        return "\n".join([*lines, "", self.verdict])


def examine() -> Report:
    """Look at everything a race needs, then race the built-in known race, plain and widened."""
    checks = list(_static_checks())
    can_run = all(check.ok is not False for check in checks if check.name in ("C core", "children"))
    races = widened = False
    if can_run:
        races, plain = _known_race(widen=False)
        widened, wide = _known_race(widen=True)
        checks += [plain, wide]
    status, verdict = _verdict(can_run, races, widened)
    return Report(tuple(checks), races, widened, verdict, status)


def _static_checks() -> Iterator[Check]:
    yield _interpreter()
    yield _gil()
    yield _cores()
    yield _core()
    yield _children()
    yield _compiler()
    yield _package("Cython", "cython", "for Cython labs and %%cython")
    yield _package("matplotlib", "matplotlib", "for figures")
    yield _package("cloudpickle", "cloudpickle", "for labs and callables made in notebooks")
    where = shutil.which("gdb")
    advice = "" if where else "apt-get install gdb, for the debugger chapters."
    yield Check("gdb", None, where or "not found", advice)
    yield _thread_sanitizer()


def _thread_sanitizer() -> Check:
    try:
        found = sanitizer_python("thread")
    except RaceError as error:
        return Check("ThreadSanitizer", None, "no interpreter built with it", str(error))
    return Check("ThreadSanitizer", None, found)


def _interpreter() -> Check:
    free = machine.free_threaded()
    advice = "" if free else "Use a free-threaded interpreter: python3.13t (in the book: make env)."
    return Check("free-threaded build", free, machine.python_line(), advice)


def _gil() -> Check:
    seen = run_child("import racelab._race")
    if seen.outcome != "ok":
        # What is wrong with the core is the next check's affair.
        seen = run_child("")
    on = seen.gil_enabled is not False
    found = "off in children" if not on else "on in children"
    advice = "Unset PYTHON_GIL; see which import turned it on." if on else ""
    return Check("GIL", not on, found, advice)


def _cores() -> Check:
    cores = machine.cores_usable()
    advice = "" if cores >= 2 else "Races need two threads at once: widen them (--widen)."
    return Check("cores", cores >= 2, f"{cores:g} usable, {machine.cpu_name()}", advice)


def _core() -> Check:
    try:
        loaded = core()
    except RaceError as error:
        return Check("C core", False, "cannot be imported", str(error))
    clock = "clock_gettime" if loaded.RUNNING_WITHOUT_TSC else "time-stamp counter"
    return Check("C core", True, f"built; clock: {clock}, {loaded.tick_hz() / 1e9:.2f} GHz")


def _children() -> Check:
    seen = run_child("result = 1", timeout_s=30)
    ok = seen.returned == 1
    found = f"start in {1000 * seen.seconds:.0f} ms" if ok else f"ended with {seen.outcome}"
    return Check(
        "children", ok, found, "" if ok else (seen.stderr.strip() or "see `ulimit -a`")[-300:]
    )


def _compiler() -> Check:
    try:
        built = compile(_PROBE, name="racelab_probe")
    except (BuildError, OSError) as error:
        return Check("C compiler", False, "cannot build a module", str(error).partition("\n")[0])
    how = "cached" if built.cached else f"{built.seconds:.2f} s"
    return Check("C compiler", True, f"{compiler_version()}: builds a module ({how})")


def _package(name: str, module: str, why: str) -> Check:
    there = importlib.util.find_spec(name if name == "Cython" else module) is not None
    return Check(
        name,
        None,
        "installed" if there else "not installed",
        "" if there else f"pip install {module}, {why}.",
    )


def _known_race(*, widen: bool) -> tuple[bool, Check]:
    name = "known race, widened" if widen else "known race"
    try:
        shows = calibrate(widen=widen)
    except (RaceError, ZygoteError, OSError) as error:
        return False, Check(name, False, "could not be run", str(error))
    found = "shows" if shows else "does not show"
    return shows, Check(name, shows, found)


def _verdict(can_run: bool, races: bool, widened: bool) -> tuple[int, str]:
    if not can_run:
        return 2, "Nothing can be raced here yet: see the first NO above."
    if races:
        return 0, "Races show on this machine."
    if widened:
        return 3, (
            "Races do not show here by themselves: a clean run is INCONCLUSIVE. Widened races (--widen) "
            "do show, and so do crashes, deadlocks and everything that a sanitizer reports."
        )
    return 3, "Not even a widened race shows here: every clean run is INCONCLUSIVE. Is the GIL on?"
