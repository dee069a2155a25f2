"""``racelab doctor``: what this machine can show, what it cannot, and what to do about it.

``racelab doctor --class`` asks, on top of that, for everything that a learner needs in a class.
"""

from __future__ import annotations

import contextlib
import http
import http.client
import importlib.util
import json
import os
import shutil
import site
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from racelab import machine, toolbox
from racelab.build import BuildError, cache_folder, compile, compiler_version
from racelab.processes import ZygoteError
from racelab.racing import RaceError, calibrate, core
from racelab.runner import run_child

if TYPE_CHECKING:
    from racelab.exercise import Exercise

__all__ = ["Check", "Report", "examine", "examine_for_class"]

KERNEL = "racelab"
NEEDED_MB = 500
"""For compiled modules and answers; the environments are there already when this runs."""
CHECK_S = 5.0
"""Racing time of the exercise that is checked as a rehearsal."""
SLOW_CHECK_S = 60.0
MACHINE = frozenset({"cores", "known race", "known race, widened"})
"""What nobody can mend before the class: the verdict says what follows from it."""

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


def examine_for_class(say: Callable[[str], object] = lambda _: None) -> Report:
    """All that `examine` looks at, and what a learner needs besides: for the day before a class.

    Args:
        say: told what takes a moment.
    """
    say("looking at this machine ...")
    base = examine()
    checks = [*base.checks, _cython(), _kernel(), _disk()]
    exercise, found = _exercises()
    checks.append(found)
    if exercise is not None and base.exit_status != 2:
        say(f"checking the stored solution of {exercise.slug}, as in class ...")
        checks.append(_one_check(exercise))
    checks.append(_class_server())
    missing = [one.name for one in checks if one.ok is False and one.name not in MACHINE]
    status, verdict = base.exit_status, base.verdict
    if missing:
        status, verdict = 2, f"Not ready for a class: {', '.join(missing)}. See what to do above."
    elif status == 0:
        verdict = "Ready for a class."
    elif status == 3:
        verdict = f"Ready for a class. {verdict}"
    return Report(tuple(checks), base.races, base.widened, verdict, status)


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
    yield from toolbox.checks()


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


# ---------------------------------------------------------------------------------------------------
# For a class
# ---------------------------------------------------------------------------------------------------

_CYTHON_PROBE = """# cython: language_level=3, freethreading_compatible=True
def twice(n):
    return 2 * n
"""


def _cython() -> Check:
    name = "Cython compiles"
    try:
        built = compile(_CYTHON_PROBE, name="racelab_cython_probe", language="cython")
    except (BuildError, OSError) as error:
        advice = "In the book: make env. Elsewhere: pip install cython, and a C compiler."
        return Check(name, False, str(error).partition("\n")[0], advice)
    return Check(name, True, "cached" if built.cached else f"{built.seconds:.1f} s")


def _kernel_folders() -> Iterator[Path]:
    """Where Jupyter looks for kernels; first the book's own folder, which `make lab` uses."""
    with contextlib.suppress(FileNotFoundError):
        yield _book() / ".kernels/share/jupyter"
    yield from (Path(one) for one in os.environ.get("JUPYTER_PATH", "").split(os.pathsep) if one)
    yield Path(os.environ.get("JUPYTER_DATA_DIR") or "~/.local/share/jupyter").expanduser()
    server = shutil.which("jupyter")
    prefixes = [sys.prefix, *([str(Path(server).resolve().parent.parent)] if server else [])]
    yield from (Path(prefix) / "share/jupyter" for prefix in prefixes)
    if site.ENABLE_USER_SITE:
        yield Path(site.getuserbase()) / "share/jupyter"
    yield from (Path("/usr/local/share/jupyter"), Path("/usr/share/jupyter"))


def _book() -> Path:
    from racelab.show import find_ext

    return find_ext().parent


def _kernel() -> Check:
    name = "kernel for notebooks"
    specs = (folder / "kernels" / KERNEL / "kernel.json" for folder in _kernel_folders())
    spec = next((one for one in specs if one.is_file()), None)
    if spec is None:
        return Check(
            name, False, f"no kernel {KERNEL!r} is registered", "Run `make env` in the book."
        )
    try:
        python = str(json.loads(spec.read_text(encoding="utf-8"))["argv"][0])
        command = [python, "-c", "import ipykernel, sys; print(sys._is_gil_enabled())"]
        done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    except (OSError, ValueError, LookupError, TypeError, subprocess.TimeoutExpired) as error:
        return Check(name, False, f"{spec} does not work: {error}", "Run `make env` in the book.")
    if done.returncode != 0:
        last = (done.stderr.strip().splitlines() or ["it ended without a word"])[-1]
        return Check(name, False, f"does not start: {last}", "Run `make env` in the book.")
    if done.stdout.strip() != "False":
        return Check(
            name, False, "starts with the GIL on", "Unset PYTHON_GIL, and run `make env` again."
        )
    return Check(name, True, f"{KERNEL}: starts, GIL off")


def _disk() -> Check:
    place = cache_folder()
    while not place.exists():
        place = place.parent
    free = shutil.disk_usage(place).free / 1e6
    found = f"{free / 1000:.1f} GB free for compiled modules"
    if free < NEEDED_MB:
        advice = f"Make room ({NEEDED_MB} MB), or set XDG_CACHE_HOME to a disk that has it."
        return Check("disk", False, found, advice)
    return Check("disk", True, found)


def _exercises() -> tuple[Exercise | None, Check]:
    from racelab.exercise import ExerciseError, exercises, work_folder

    try:
        known = exercises()
    except (ExerciseError, OSError) as error:
        return None, Check("exercises", False, "not found", str(error))
    raced = [one for one in known if one.lab is not None]
    if not raced:
        advice = "Get the book's repository again."
        return None, Check("exercises", False, "none to race", advice)
    chosen = next((one for one in raced if one.slug == "lost_update"), raced[0])
    place = work_folder(chosen.folder)
    above = next(one for one in (place, *place.parents) if one.exists())
    if not os.access(above, os.W_OK):
        advice = f"Answers go to {place}: make it writable, or name another folder in RACELAB_WORK."
        return chosen, Check("exercises", False, f"{above} cannot be written", advice)
    return chosen, Check("exercises", True, f"{len(known)} exercises, answers go to {place.name}/")


def _one_check(exercise: Exercise) -> Check:
    """A check as learners make it, on the stored solution: nothing of the learner's is touched."""
    from racelab.checking import check

    name = "one check"
    begin = time.monotonic()
    try:
        verdict = check(exercise, exercise.text("solution"), seconds=CHECK_S)
    except (ValueError, RaceError, ZygoteError, BuildError, OSError) as error:
        return Check(name, False, f"{exercise.slug} could not be checked", str(error))
    took = time.monotonic() - begin
    found = f"{exercise.slug}: {verdict.verdict} in {took:.0f} s"
    if verdict.verdict == "FAIL":
        return Check(
            name, False, found, "The stored solution must not fail: report it with this output."
        )
    if verdict.verdict == "INCONCLUSIVE":
        return Check(
            name, None, found, "Checks here need more time, or say INCONCLUSIVE; see below."
        )
    slow = "Slow: close what else runs, or sit with somebody." if took > SLOW_CHECK_S else ""
    return Check(name, True, found, slow)


def _class_server() -> Check:
    """Whether the class's server answers, if this copy of the book has joined one."""
    from racelab.classroom.client import FILE, hello, our_folder
    from racelab.exercise import ExerciseError

    name = "class server"
    try:
        note = our_folder() / FILE
        joined = json.loads(note.read_text(encoding="utf-8"))
        url, token = str(joined["url"]), str(joined.get("token", ""))
    except (FileNotFoundError, ExerciseError):
        return Check(
            name, None, "not joined", "When the class begins: racelab class join URL --name NAME."
        )
    except (OSError, ValueError, LookupError, TypeError, AttributeError):
        return Check(
            name, False, "what was joined cannot be read", "racelab class leave, then join again."
        )
    shown = url.partition("#")[0]  # what follows is the class's token
    try:
        status, _ = hello(shown.rstrip("/"), token)
    except (OSError, ValueError, http.client.HTTPException) as error:
        advice = (
            "Same network? Is `racelab class serve` running? Results are kept until it answers. "
            "If the class is over: racelab class leave."
        )
        return Check(name, False, f"{shown} does not answer: {error}", advice)
    if status == http.HTTPStatus.UNAUTHORIZED:
        advice = "Ask for the link of today's class, then racelab class join URL --name NAME."
        return Check(name, False, f"{shown} is another class by now", advice)
    if status != http.HTTPStatus.OK:
        advice = (
            "Something else answers there: ask for the address, racelab class join URL --name NAME."
        )
        return Check(name, False, f"{shown} answers {status}", advice)
    return Check(name, True, f"{shown} answers")
