"""Race a lab: repetition after repetition in children, watched, graded and counted.

Nothing here imports a module under study, and no racy code runs here.
"""

from __future__ import annotations

import base64
import mmap
import os
import shlex
import sys
import threading
import time
from collections import Counter
from collections.abc import Generator, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import ModuleType
from typing import Any, Literal

from racelab import machine, toolbox
from racelab.build import Built, compile, loaded_modules, python_version
from racelab.lab import DEFAULTS, INTERESTING, Grade, Invariant, Lab, Mode, find_lab, fits
from racelab.lastrace import remember
from racelab.processes import (
    Forked,
    Spawned,
    Watched,
    Zygote,
    ZygoteError,
    forked,
    nameless_file,
    package_folder,
)
from racelab.progress import Progress
from racelab.reports import (
    Report,
    dedupe,
    gravest,
    sanitizer_options,
    suppressed,
    symbolizer,
    unable,
)
from racelab.result import Repetition, Result, merge_bins, skew_summary
from racelab.runner import (
    Ending,
    Gil,
    child_environment,
    ending_of,
    first_event,
    interpreter,
    module_paths,
    parse_events,
)

__all__ = ["RaceError", "Scan", "calibrate", "race", "sanitizer_python", "scan_offsets"]

Release = Literal["barrier", "tsc"]

LABELS = 64
#: A repetition that is limited by time may take so much longer for starting, importing and ending.
GRACE_S = 20.0
ROUNDS_LIMIT_S = 120.0
LIVELOCK_S = 5.0
LOOK_S = 0.1
#: One round in one thread: whatever takes longer waits for another thread.
REHEARSAL_S = 10.0
#: A child that allocates more than this has lost its way; the machine shall survive it.
MEMORY_MB = 4096.0
ARENA_MB = 1024.0
CALIBRATION_S = (0.05, 0.2, 0.5)
SCAN_OFFSETS_NS = (0, 20, 50, 100, 150, 200, 300, 500, 800, 1200, 2000)
SEARCH_ROUNDS = 20_000


class RaceError(RuntimeError):
    """A race could not be run at all; the message says what to do."""

    def _render_traceback_(self) -> list[str]:
        return [f"{type(self).__name__}: {self}"]


# ---------------------------------------------------------------------------------------------------
# What is asked for
# ---------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Plan:
    """A race with every default filled in."""

    lab: Lab
    variant: str | None
    threads: int
    mode: Mode
    rounds: int | None
    seconds_each: float | None
    count: int
    until_s: float | None
    timeout_s: float
    gil: Gil
    allow_gil: bool
    widen: bool
    sanitizer: str | None
    release: Release
    stride: int
    offsets_ns: tuple[float, ...]
    python: str
    spawn: bool
    jobs: int
    memory_mb: float | None
    stop_at_first: bool
    confidence: float
    bursts: tuple[int, ...] = field(default=())
    guard: bool = False

    @property
    def title(self) -> str:
        return f"{self.lab.name} {self.variant or ''}".strip()


def race(
    lab: Lab | str | Path,
    variant: str | None = None,
    *,
    threads: int | None = None,
    rounds: int | None = None,
    count: int | None = None,
    seconds: float | None = None,
    timeout_s: float | None = None,
    gil: Gil = "auto",
    allow_gil: bool = False,
    widen: bool = False,
    sanitizer: str | None = None,
    release: Release = "barrier",
    stride: int = 1,
    offsets_ns: Sequence[float] | None = None,
    search: bool = False,
    mode: Mode | None = None,
    python: str | Path | None = None,
    spawn: bool | None = None,
    memory_mb: float | None = MEMORY_MB,
    stop_at_first: bool = False,
    confidence: float = 0.95,
    modules: Iterable[Built | str | Path] = (),
    guard: bool = False,
    progress: bool | None = None,
) -> Result:
    """Race a lab in child processes and say what was seen, how often, and how sure that is.

    Args:
        lab: a `Lab`, the name of one in the book, or the file that declares it.
        variant: "broken", "fixed", ...; default: broken, where there is one.
        threads: how many threads race; one of those that the lab allows. Default: its first.
        rounds: rounds per repetition. Default: the lab's; else as many as fit into the time.
        count: repetitions, each a process of its own. Default: the lab's, else 10 (cold: 200, hang: 3).
        seconds: for the whole race. Default: the lab's, else 2 s for 10 repetitions (0.2 s each).
        timeout_s: limit for one repetition, after which it is a hang. Default: generous.
        gil: "auto" leaves PYTHON_GIL unset; 0 or 1 sets it in the children.
        allow_gil: race on although an import turned the GIL on. Default: that is "gil-enabled".
        widen: hold race points open. The result is stamped, and not comparable with others.
        sanitizer: "thread" or "address": needs an interpreter built with it. Its reports are outcomes,
            "sanitizer(data race in bump, counter.c:31)", and whole in the result's `reports`. Your own
            TSAN_OPTIONS or ASAN_OPTIONS are obeyed, but for log_path and exitcode, and CPython's own
            known races are suppressed: see `racelab.reports.sanitizer_options`.
        release: "barrier", or "tsc": all spin to a common time-stamp target.
        stride: rounds per release.
        offsets_ns: delay of each thread after the release, ns. Default: those of the lab's actors.
        search: find an offset that shows the race best first, and stay there.
        mode: "rounds", "cold" (one round per process) or "hang"; default: the lab's.
        python: interpreter for the children. Default: this one.
        spawn: start each child afresh instead of forking it. Default: fork, except with a sanitizer.
        memory_mb: limit of a child's data, MiB; None for no limit.
        stop_at_first: end a repetition, and the race, as soon as something forbidden was seen.
        confidence: level of the intervals.
        modules: more modules that the children can import by name.
        guard: end with "tampered" where the code under study has replaced functions that judge it.
        progress: show progress; default: in terminals and notebooks.

    Returns:
        Result: prints as a table. Nothing forbidden seen is an upper bound, never "safe".

    Raises:
        BuildError: a source does not compile.
        RaceError: the race cannot be run here at all.
        ValueError, FileNotFoundError: an argument is wrong; the message names it.
    """
    begin = time.perf_counter()
    chosen = find_lab(lab)
    plan = _plan(
        chosen,
        chosen.variant(variant),
        threads=threads,
        rounds=rounds,
        count=count,
        seconds=seconds,
        timeout_s=timeout_s,
        gil=gil,
        allow_gil=allow_gil,
        widen=widen,
        sanitizer=sanitizer,
        release=release,
        stride=stride,
        offsets_ns=offsets_ns,
        mode=mode,
        python=python,
        spawn=spawn,
        memory_mb=memory_mb,
        stop_at_first=stop_at_first,
        confidence=confidence,
    )
    plan = replace(plan, guard=guard)
    bench = _Bench(plan, modules)
    notes = _no_race_point(plan, bench)
    if search:
        plan, note = _search(plan, bench)
        notes.append(note)
    seen = _repeat(plan, bench, progress)
    return remember(chosen, _result(plan, bench, seen, begin, notes), plan.python)


def _plan(
    lab: Lab,
    variant: str | None,
    *,
    threads: int | None,
    rounds: int | None,
    count: int | None,
    seconds: float | None,
    timeout_s: float | None,
    gil: Gil,
    allow_gil: bool,
    widen: bool,
    sanitizer: str | None,
    release: Release,
    stride: int,
    offsets_ns: Sequence[float] | None,
    mode: Mode | None,
    python: str | Path | None,
    spawn: bool | None,
    memory_mb: float | None,
    stop_at_first: bool,
    confidence: float,
) -> _Plan:
    """Fill in defaults and refuse numbers out of their range, before anything is started."""
    how: Mode = mode or lab.mode
    if how not in DEFAULTS:
        raise ValueError(f"mode={how!r} is not one of {', '.join(DEFAULTS)}.")
    for name, value in (("rounds", rounds), ("count", count), ("stride", stride)):
        if value is not None and value < 1:
            raise ValueError(f"{name}={value}: give 1 or more.")
    for name, given in (("seconds", seconds), ("timeout_s", timeout_s)):
        if given is not None and not given > 0:
            raise ValueError(f"{name}={given}: give a number of seconds above 0.")
    if release not in ("barrier", "tsc"):
        raise ValueError(f'release={release!r} is not "barrier" or "tsc".')
    if not 0 < confidence < 1:
        raise ValueError(f"confidence={confidence}: give a number between 0 and 1, e.g. 0.95.")
    team = threads if threads is not None else lab.allowed_threads[0]
    cast = lab.cast(team)
    offsets = tuple(offsets_ns) if offsets_ns is not None else tuple(a.offset for a in cast)
    if len(offsets) > team:
        raise ValueError(f"offsets_ns has {len(offsets)} numbers for {team} threads.")
    offsets += (0.0,) * (team - len(offsets))
    each_rounds, many, total_s = DEFAULTS[how]
    each_rounds = 1 if how == "cold" else rounds or lab.rounds or each_rounds
    repetitions = count or lab.count or many
    wanted_s = seconds or lab.seconds
    seconds_each = None
    if each_rounds is None:
        seconds_each = wanted_s / repetitions if wanted_s else total_s / many
    limit_s = timeout_s or (seconds_each + GRACE_S if seconds_each else ROUNDS_LIMIT_S)
    _must_fit(offsets, each_rounds, seconds_each or limit_s)
    return _Plan(
        lab=lab,
        variant=variant,
        threads=team,
        mode=how,
        rounds=each_rounds,
        seconds_each=seconds_each,
        count=repetitions,
        until_s=wanted_s if each_rounds is not None else None,
        timeout_s=limit_s,
        gil=gil,
        allow_gil=allow_gil or gil == 1,
        widen=widen,
        sanitizer=sanitizer,
        release=release,
        stride=stride,
        offsets_ns=offsets,
        python=_python(python, sanitizer),
        spawn=bool(sanitizer) if spawn is None else spawn,
        jobs=_jobs(lab, team),
        memory_mb=None if sanitizer else memory_mb,
        stop_at_first=stop_at_first,
        confidence=confidence,
        bursts=tuple(actor.burst for actor in cast),
    )


def _must_fit(offsets_ns: Sequence[float], rounds: int | None, seconds: float) -> None:
    """Refuse offsets with which a repetition could not come to its end: each round takes as long as they differ."""
    apart_s = (max(offsets_ns) - min(offsets_ns)) / 1e9
    if apart_s * (rounds or 2) <= seconds:
        return
    if rounds is None:
        raise ValueError(
            f"offsets_ns={list(offsets_ns)}: with {apart_s:g} s between the threads no two rounds fit into the "
            f"{seconds:g} s of a repetition; give less than {seconds / 2:g} s, or more seconds."
        )
    raise ValueError(
        f"offsets_ns={list(offsets_ns)}: {rounds:,} rounds with {apart_s:g} s between the threads do not fit "
        f"into {seconds:g} s; give fewer rounds, or offsets of some 1,000 ns."
    )


def _batch(plan: _Plan) -> int | None:
    """Most rounds per batch where a batch of the usual size would outlast a repetition; else the core's own."""
    apart_s = (max(plan.offsets_ns) - min(plan.offsets_ns)) / 1e9
    if not plan.seconds_each or 1024 * apart_s < plan.seconds_each:
        return None
    return max(1, int(plan.seconds_each / 4 / apart_s))


def _jobs(lab: Lab, threads: int) -> int:
    """How many repetitions may run at once: each needs a core for each of its threads."""
    return max(1, int(machine.cores_usable() // threads)) if lab.parallel else 1


def _python(python: str | Path | None, sanitizer: str | None) -> str:
    return interpreter(python) if python or not sanitizer else sanitizer_python(sanitizer)


def sanitizer_python(sanitizer: str) -> str:
    """An interpreter built with a sanitizer: from RACELAB_TSAN_PYTHON or RACELAB_ASAN_PYTHON, else ours.

    Raises:
        ValueError: there is no such sanitizer.
        RaceError: there is no such interpreter yet.
    """
    flavors = {"thread": "tsan", "address": "asan"}
    if sanitizer not in flavors:
        raise ValueError(f"sanitizer={sanitizer!r} is not thread or address.")
    flavor = flavors[sanitizer]
    found = toolbox.interpreter_of(flavor)
    if found is None:
        variable = f"RACELAB_{flavor.upper()}_PYTHON"
        named = os.environ.get(variable)
        why = f"{variable}={named} cannot be run, run" if named else "run"
        raise RaceError(
            f"no interpreter with the {sanitizer} sanitizer: {why} `make {flavor}`, or set {variable} to one."
        )
    return found


# ---------------------------------------------------------------------------------------------------
# The bench: what all repetitions share
# ---------------------------------------------------------------------------------------------------


class _Bench:
    """Compiled modules and the lab, ready to be sent to children."""

    def __init__(self, plan: _Plan, modules: Iterable[Built | str | Path]) -> None:
        modules = list(modules)
        self.core = core()
        built = _build(plan)
        made = [built] if built else []
        known = [*_from_this_process(), *modules, *made]
        self.paths = {**module_paths(known), **_core_for(plan)}
        self.imports = [*(b.name for b in made), *plan.lab.modules]
        named = {item.name: item for item in known if isinstance(item, Built)}
        #: The module under study, where we know how it was built.
        self.raced = named.get(self.imports[0]) if self.imports else None
        files = {**module_paths(modules), **module_paths(made)}
        #: Whether a race point can be held open in what is raced; None where its files are not known.
        self.race_points = _have_race_points(self.imports, {**self.paths, **files}, files)
        self.lab = _lab_for_child(plan.lab)

    def job(self, plan: _Plan, runs: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
        """One child's job: these runs of the C core, one after another."""
        return {
            **_any_job(plan),
            **self.lab,
            "task": "race",
            "modules": self.paths,
            "imports": self.imports,
            "threads": plan.threads,
            "allow_gil": plan.allow_gil,
            "guard": plan.guard,
            "labels": LABELS,
            "runs": list(runs),
        }


def _have_race_points(
    imports: Sequence[str], known: Mapping[str, str], files: Mapping[str, str]
) -> bool | None:
    """Whether a RACE_POINT() was compiled into one of these: the header leaves its variable's name there."""
    if not imports or not all(name in known for name in imports):
        return None
    paths = {*(known[name] for name in imports), *files.values()}
    return any(b"RACELAB_WIDEN" in Path(path).read_bytes() for path in paths)


def _no_race_point(plan: _Plan, bench: _Bench) -> list[str]:
    """What to say where race points shall be held open, and none is in the files that we can look into.

    Held open they are all the same: what the module links, or loads, may have some.
    """
    if not plan.widen or bench.race_points is not False:
        return []
    return [
        f"no race point found in the file of {bench.imports[0]}: --widen (widen=True) holds open those of the "
        'libraries that it uses, if any. Put #include "racelab/race_point.h" at its top and RACE_POINT() into '
        "the window."
    ]


def _any_job(plan: _Plan) -> dict[str, Any]:
    return {
        "filename": "<race>",
        "folder": "",
        "args": [],
        "modules": {},
        "memory_mb": plan.memory_mb,
        "package": package_folder(),
        "path": [*(str(entry) for entry in sys.path if entry), *_beside(plan.lab)],
        "widen": plan.widen,
    }


def _beside(lab: Lab) -> list[str]:
    """Installed modules are looked for beside the lab's file, too, as its sources are."""
    return [str(lab.folder)] if lab.modules and lab.file else []


def core() -> ModuleType:
    """racelab's C core, for its clock and to read tallies; nothing is raced in this process.

    Raises:
        RaceError: it is not built for this interpreter.
    """
    import importlib

    try:
        return importlib.import_module("racelab._race")
    except ImportError as error:
        raise RaceError(
            f"racelab's C core is not built for {sys.executable} ({error}). "
            f"In the book: make env. Elsewhere: {sys.executable} -m pip install /path/to/this/clone (on PyPI, racelab is another project)."
        ) from error


def _core_for(plan: _Plan) -> dict[str, str]:
    """Another C core for the children where ours would not do: a sanitizer must see its barriers."""
    if plan.sanitizer is None:
        return {}
    folder = Path(__file__).parent
    others = sorted(path for path in folder.glob("_race_*.c"))
    main = folder / "_race.c"
    if not main.is_file():
        raise RaceError(
            f"sanitizer={plan.sanitizer!r} needs the sources of racelab's C core, which this installation "
            "does not have: install racelab from its source distribution."
        )
    built = compile(
        [main, *others],
        flags=["-fvisibility=hidden", "-pthread"],
        python=plan.python,
        sanitizer=plan.sanitizer,
    )
    return {"racelab._race": str(built.path)}


def _build(plan: _Plan) -> Built | None:
    files = plan.lab.source_files(plan.variant)
    if not files:
        return None
    return compile(
        files,
        flags=[str(flag) for flag in plan.lab.flags],
        python=None if plan.python == sys.executable else plan.python,
        sanitizer=plan.sanitizer,
    )


def _from_this_process() -> list[Built | Path]:
    """Modules that this process loaded, and those compiled in cells, if it is a kernel."""
    notebook = sys.modules.get("racelab.notebook")
    compiled = list(notebook.built_modules().values()) if notebook is not None else []
    # What Cython's own %%cython built: its modules are on no path, and a class in them is pickled by name.
    cython = [
        Path(str(module.__file__))
        for name, module in list(sys.modules.items())
        if name.startswith("_cython_magic_") and getattr(module, "__file__", None)
    ]
    # Nobody asked for these by name: one whose file is gone (a cache that was emptied) is no error.
    implied = [*loaded_modules(), *compiled, *cython]
    return [item for item in implied if (item.path if isinstance(item, Built) else item).is_file()]


def _lab_for_child(lab: Lab) -> dict[str, Any]:
    """How a child gets the lab: from the file that it was loaded from, else pickled."""
    if getattr(lab, "_loaded", False):
        return {"lab": lab.name, "lab_file": str(lab.file), "lab_pickle": "", "lab_modules": {}}
    return {
        "lab": lab.name,
        "lab_file": "",
        "lab_pickle": base64.b64encode(_pickled(lab)).decode(),
        "lab_modules": _files_of_callables(lab),
    }


def _pickled(lab: Lab) -> bytes:
    try:
        import cloudpickle as pickler
    except ImportError:
        import pickle as pickler
    try:
        return bytes(pickler.dumps(lab))
    except Exception as error:
        hint = (
            ""
            if pickler.__name__ == "cloudpickle"
            else " Install cloudpickle, or declare the lab in a file."
        )
        raise RaceError(
            f"lab {lab.name} cannot be sent to a child: {type(error).__name__}: {error}.{hint}"
        ) from error


def _files_of_callables(lab: Lab) -> dict[str, str]:
    """Files of the callables that are pickled by name: a child may be unable to import their modules."""
    bodies: list[Any] = [lab.setup, lab.observe, *(actor.body for actor in lab.declared_actors)]
    found = {}
    for body in bodies:
        function: Any = body.check if isinstance(body, Invariant) else body
        holder = function if hasattr(function, "__qualname__") else type(function)
        module = sys.modules.get(getattr(holder, "__module__", None) or "")
        file = getattr(module, "__file__", None)
        if not callable(function) or file is None or module is None or not file.endswith(".py"):
            continue
        if module.__name__ != "__main__" and getattr(module, holder.__qualname__, None) is holder:
            found[module.__name__] = file
    return found


# ---------------------------------------------------------------------------------------------------
# One repetition
# ---------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Seen:
    """What one child has shown: for each run the core's facts, and how the child ended.

    `early` says of a "not-run" that it is a crash, a hang or an exit before anything was raced; `time_up` of a
    "hang" that it has met the time limit, and nothing worse. The first `finished` of the runs came to their end.
    """

    ending: Ending
    label: str
    runs: tuple[dict[str, Any], ...]
    note: str
    raced: bool
    early: bool = False
    time_up: bool = False
    finished: int = 0


class Tally:
    """Memory that a child writes its outcomes to, and that is still there when it has died."""

    def __init__(self, core: ModuleType, threads: int) -> None:
        size = core.tally_size(threads, LABELS)
        self.core = core
        self.file = nameless_file("racelab-tally")
        os.ftruncate(self.file.fileno(), size)
        self.memory = mmap.mmap(self.file.fileno(), size)

    def clear(self) -> None:
        """Make it look as if nobody had written yet."""
        self.memory[:8] = bytes(8)

    def read(self) -> dict[str, Any]:
        """What is in it now; see the core's `read_tally`."""
        found: dict[str, Any] = self.core.read_tally(self.memory)
        return found

    def close(self) -> None:
        """Give the memory back."""
        self.memory.close()
        self.file.close()


class Stall:
    """Notices a child that has stopped getting on: a deadlock at once, a livelock after a while.

    A deadlock: no call has begun or ended for `stall_s`, no CPU time was used, and every thread waits
    for a lock (not in a sleep or a read). A livelock: no progress for longer, with CPU time used.
    """

    interval_s = LOOK_S

    def __init__(self, tally: Tally, stall_s: float, stop: threading.Event) -> None:
        self.tally = tally
        self.stall_s = stall_s
        self.stop = stop
        self.last: Any = None
        self.since = time.perf_counter()
        self.cpu = 0.0

    def __call__(self, pid: int) -> str | None:
        """Why the child shall be ended, or None."""
        if self.stop.is_set():
            return "stopped"
        found = self.tally.read()
        now = time.perf_counter()
        progress = (
            found["state"],
            found["rounds"],
            [(t["entered"], t["finished"], t["phase"]) for t in found.get("thread", ())],
        )
        if progress != self.last or found["state"] != "running":
            self.last, self.since, self.cpu = progress, now, _cpu_seconds(pid)
            return None
        stalled = now - self.since
        if stalled < self.stall_s:
            return None
        used = _cpu_seconds(pid) - self.cpu
        if used < 0.05 * stalled + 0.02 and _all_wait_for_locks(pid):
            return "deadlock: no progress, no CPU time, every thread waits for a lock"
        if used > 0.1 * stalled and stalled > max(LIVELOCK_S, 5 * self.stall_s):
            return "livelock: CPU time is used, but no call begins or ends"
        return None


def _cpu_seconds(pid: int) -> float:
    """CPU time of all threads of a process, s; 0 where it cannot be known."""
    try:
        words = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        return (int(words[11]) + int(words[12])) / os.sysconf("SC_CLK_TCK")
    except (OSError, IndexError, ValueError):
        return 0.0


def _all_wait_for_locks(pid: int) -> bool:
    """Whether every thread sleeps in a futex: not running, not in a timed sleep, not reading."""
    try:
        tasks = list(Path(f"/proc/{pid}/task").iterdir())
        for task in tasks:
            state = (task / "stat").read_text().rpartition(")")[2].split()[0]
            where = (task / "wchan").read_text().strip("\0 \n")
            if state != "S" or not (where.startswith("futex") or where in ("", "0")):
                return False
    except OSError:
        return False
    return bool(tasks)


class _Starter:
    """Starts children: forks them off a zygote, or spawns them."""

    def __init__(self, plan: _Plan, stack: ExitStack) -> None:
        self.plan = plan
        self.stack = stack
        self.environment = _environment(plan)
        self.zygote: Zygote | None = None

    def start(self, job: Mapping[str, Any], tally: Tally) -> Watched:
        """Start a child with this job."""
        number = tally.file.fileno()
        if self.plan.spawn:
            return Spawned(self.plan.python, job, self.environment, (), number)
        try:
            return Forked(self._zygote(), job, self.environment, number)
        except ZygoteError:
            # The last child may have taken it along, with a signal to everybody or all the memory.
            self.zygote = None
            return Forked(self._zygote(), job, self.environment, number)

    def _zygote(self) -> Zygote:
        if self.zygote is None or not self.zygote.alive:
            try:
                self.zygote = self.stack.enter_context(forked(self.plan.python, self.environment))
            except ZygoteError as error:
                missing = "racelab._race" in str(error)
                text = _not_for(self.plan.python) if missing else str(error)
                raise RaceError(text) from error
        return self.zygote


def _not_for(python: str) -> str:
    """Why racelab's C core cannot be imported by an interpreter, and what to do."""
    version, _, kind = python_version(python).partition(" ")
    if "GIL" in kind:
        return f"{python} is {version} with a GIL: name a free-threaded 3.13 (python3.13t)."
    return (
        f"{python} is {version}, and racelab's C core is not built for it: "
        f"{python} -m pip install /path/to/this/clone."
    )


def _environment(plan: _Plan) -> dict[str, str]:
    env: dict[str, str | None] = {"RACELAB_WIDEN": None}
    if plan.memory_mb is not None and plan.memory_mb < ARENA_MB * 2:
        # The allocator sets a GiB aside at its start, which no later limit can take back. Without it,
        # making states is slower; so only where the limit is of that order.
        env["MIMALLOC_ARENA_RESERVE"] = "0"
    if plan.sanitizer:
        name = "TSAN_OPTIONS" if plan.sanitizer == "thread" else "ASAN_OPTIONS"
        env |= sanitizer_options(plan.sanitizer, os.environ.get(name, ""))
    return child_environment(plan.gil, env)


def _run(plan: _Plan, stop_on: Sequence[str]) -> dict[str, Any]:
    """Arguments of one run of the C core, besides those that the child knows by itself."""
    return {
        "rounds": plan.rounds,
        "seconds": plan.seconds_each,
        "release": plan.release,
        "stride": plan.stride,
        "offsets_ns": list(plan.offsets_ns),
        "batch": _batch(plan),
        "stop_on": list(stop_on),
    }


def _one(
    plan: _Plan, starter: _Starter, job: Mapping[str, Any], tally: Tally, stop: threading.Event
) -> _Seen:
    tally.clear()
    with starter.start(job, tally) as child:
        child.watch(plan.timeout_s, Stall(tally, plan.lab.stall_s, stop))
    return _classify(child, tally, plan, job)


def _classify(child: Watched, tally: Tally, plan: _Plan, job: Mapping[str, Any]) -> _Seen:
    """Which runs were finished, which one was cut off, and what to call the end."""
    ending = ending_of(child)
    events = parse_events(child.events.text())
    runs = [event["facts"] for event in events if event["event"] == "run"]
    finished = len(runs)
    begun = sum(1 for event in events if event["event"] == "begin")
    if begun > len(runs) or (not begun and ending.outcome != "ok"):
        left = tally.read()  # the run that was cut off has left its finished rounds behind
        if left["state"] != "empty":
            runs.append(left)
    label = _label(ending, events)
    early = _early_end(label, events, plan, job)
    note = ""
    if early:
        label, note = "not-run", early
    elif label == "hang":
        why = child.ended_by_us if child.ended_by_us != "limit" else "its time was up"
        note = f"{why}\n{ending.traceback}"
    elif label == "not-run":
        said = "\n".join([ending.stderr[-2000:].strip(), unable(ending.stderr)]).strip()
        note = first_event(events, "not-run").get("text") or said
    elif label == "tampered":
        note = "it replaced " + ", ".join(first_event(events, "tampered").get("names", ()))
    elif label.startswith("sanitizer"):
        named = gravest(ending.reports)
        note = named.short() if named else ""
    elif label != "ok":
        note = ending.traceback or ending.stderr[-2000:]
        # A debug interpreter has said why before it ended itself.
        note = "\n".join([*(r.short() for r in ending.reports if r.tool == "debug"), note])
    raced = bool(first_event(events, "ready"))
    note = f"{label}: {note}".strip() if note else ""
    time_up = label == "hang" and child.ended_by_us == "limit"
    return _Seen(ending, label, tuple(runs), note, raced, bool(early), time_up, finished)


def _early_end(
    label: str, events: Sequence[Mapping[str, Any]], plan: _Plan, job: Mapping[str, Any]
) -> str:
    """What to say of a child that died before it had anything to race; nothing of all others."""
    names = [event["event"] for event in events]
    if "started" not in names or "ready" in names:
        return ""
    if not label.startswith(("crash(", "exit(", "killed", "hang")):
        return ""
    end = "hung" if label == "hang" else f"died ({label.removeprefix('crash(').rstrip(')')})"
    if label.startswith("exit("):
        end = f"left ({label})"
    imported = [str(event["name"]) for event in events if event["event"] == "importing"]
    if not imported:
        return f"the child {end} while it loaded lab {plan.lab.name}, before any round"
    name = imported[-1]
    where = job["modules"].get(name)
    command = [plan.python, "-c", f"import {name}"]
    alone = (f"PYTHONPATH={shlex.quote(str(Path(where).parent))} " if where else "") + shlex.join(
        command
    )
    return f"the child {end} while it imported {name}, before any round; try `{alone}`"


def _label(ending: Ending, events: Sequence[Mapping[str, Any]]) -> str:
    names = {event["event"] for event in events}
    if ending.signal is None and ending.outcome != "hang":
        for name in ("gil-enabled", "not-run", "tampered"):
            if name in names:
                return name
    return ending.outcome


# ---------------------------------------------------------------------------------------------------
# All repetitions
# ---------------------------------------------------------------------------------------------------


def _repeat(plan: _Plan, bench: _Bench, progress: bool | None) -> list[_Seen]:
    forbidden = [k for k, g in plan.lab.outcomes.items() if g.name == "FORBIDDEN"]
    job = bench.job(plan, [_run(plan, forbidden if plan.stop_at_first else ())])
    begin = time.perf_counter()
    seen: list[_Seen] = []
    with (
        Progress(plan.title, plan.count, progress) as shown,
        closing(_stream(plan, bench, job)) as stream,
    ):
        for one in stream:
            if not seen:
                one = _unless_mistaken(plan, bench, one)
            if one.early and any(other.raced for other in seen):
                one = _its_own_end(one)
            seen.append(one)
            shown.update(len(seen), _endings_words(seen))
            late = plan.until_s is not None and time.perf_counter() - begin >= plan.until_s
            if late or _is_over(plan, one):
                break
    return seen


def _its_own_end(one: _Seen) -> _Seen:
    """A child that died or hung before its first round, where another got past that: the code's own doing.

    Had none of them raced, the module might be one that cannot be loaded here at all.
    """
    said = one.note.removeprefix("not-run: ")
    label = one.ending.outcome
    return replace(one, label=label, note=f"{label}: {said}; another repetition got past that")


def _unless_mistaken(plan: _Plan, bench: _Bench, one: _Seen) -> _Seen:
    """The first repetition; as one that could not run where its exceptions are the lab's own fault."""
    mistake = _mistake(plan, bench, one)
    if not mistake:
        return one
    return replace(one, label="not-run", runs=(), note=f"not-run: {mistake}", raced=False)


def _mistake(plan: _Plan, bench: _Bench, one: _Seen) -> str:
    """What of the lab fails although nothing is raced, in one sentence; nothing where all is well.

    Asked only where exceptions were seen that the lab forbids, and not by name: an attribute that is not
    there, or an `observe` that always raises, must not be taken for a race that was found.
    """
    labels = {one.label, *(label for run in one.runs for label in _rounds_of(run))}
    raised = {label for label in labels if label.startswith(("error(", "observe-error("))}
    unnamed = raised - plan.lab.outcomes.keys()
    if not any(plan.lab.grade(label).name == "FORBIDDEN" for label in unnamed):
        return ""
    job = {**bench.job(plan, ()), "task": "rehearse"}
    with _desk(plan, bench) as (starter, tally), starter.start(job, tally) as child:
        child.watch(min(plan.timeout_s, REHEARSAL_S + (GRACE_S if plan.spawn else 0.0)))
    # Not before its end: what it wrote just before may still lie in the pipe.
    found = first_event(parse_events(child.events.text()), "not-run")
    return str(found.get("text", ""))


def _is_over(plan: _Plan, one: _Seen) -> bool:
    """Whether more repetitions would tell nothing: it cannot run, or we wanted the first failure."""
    if _grade(plan.lab, one.label).name == "NOT-RUN":
        return True
    return plan.stop_at_first and bool(_forbidden_rounds(plan.lab, one))


def _endings_words(seen: Sequence[_Seen]) -> str:
    bad = Counter(one.label for one in seen if one.label != "ok")
    return ", ".join(f"{label}: {count}" for label, count in bad.most_common(3))


def _stream(plan: _Plan, bench: _Bench, job: Mapping[str, Any]) -> Generator[_Seen, None, None]:
    """One repetition after another, or several at once."""
    stop = threading.Event()
    if plan.jobs == 1:
        with _desk(plan, bench) as (starter, tally):
            for _ in range(plan.count):
                yield _one(plan, starter, job, tally, stop)
        return
    with ExitStack() as stack:
        desks = [stack.enter_context(_desk(plan, bench)) for _ in range(plan.jobs)]
        free = list(desks)

        def work(_: int) -> _Seen:
            desk = free.pop()
            try:
                return _one(plan, *_arguments(desk, job), stop)
            finally:
                free.append(desk)

        from concurrent.futures import ThreadPoolExecutor

        with ThreadPoolExecutor(plan.jobs) as pool:
            try:
                yield from pool.map(work, range(plan.count))
            finally:
                stop.set()
                pool.shutdown(cancel_futures=True)


def _arguments(
    desk: tuple[_Starter, Tally], job: Mapping[str, Any]
) -> tuple[_Starter, Mapping[str, Any], Tally]:
    return desk[0], job, desk[1]


@contextmanager
def _desk(plan: _Plan, bench: _Bench) -> Iterator[tuple[_Starter, Tally]]:
    """What one line of repetitions needs: a starter and a tally."""
    tally = Tally(bench.core, plan.threads)
    try:
        with ExitStack() as stack:
            yield _Starter(plan, stack), tally
    finally:
        tally.close()


# ---------------------------------------------------------------------------------------------------
# From what was seen to a result
# ---------------------------------------------------------------------------------------------------


def _rounds_of(facts: Mapping[str, Any]) -> Counter[str]:
    """Labels of a run, rounds in which a thread had detached included."""
    return Counter(facts["outcomes"]) + Counter(facts["outcomes_detached"])


def _grade(lab: Lab, label: str) -> Grade:
    """The lab's grade of a label; of a sanitizer's, also where the lab declares its kind alone.

    A data race between two accesses of the interpreter, or of racelab's own core, with nothing of the
    extension in their stacks, is INTERESTING: it is shown and counted, but need not be the extension's
    affair, and a repair of the extension may not be able to remove it. So is one that CPython is known to
    have with itself (see `Report.known`).
    """
    grade = lab.grade(label)
    if not label.startswith("sanitizer(") or _declares(lab, label):
        return grade
    kind = label.removeprefix("sanitizer(").removesuffix(")").partition(" in ")[0].partition(",")[0]
    if _declares(lab, f"sanitizer({kind})"):
        return lab.grade(f"sanitizer({kind})")
    if kind == "data race inside CPython":
        return INTERESTING("CPython has it with itself; the extension only calls")
    if kind == "data race" and label.endswith((", in the interpreter)", ", in the harness)")):
        return INTERESTING("between two accesses that are not the extension's")
    return grade


def _declares(lab: Lab, label: str) -> bool:
    return any(pattern == label or fits(pattern, label) for pattern in lab.outcomes)


def _reported(one: _Seen) -> tuple[str, ...]:
    """Outcomes of the sanitizer besides the one that the child is said to have ended with."""
    found = [f"sanitizer({r.label})" for r in one.ending.reports if r.tool != "debug"]
    return tuple(label for label in dict.fromkeys(found) if label != one.label)


def _forbidden_rounds(lab: Lab, one: _Seen) -> int:
    rounds = sum(
        count
        for facts in one.runs
        for label, count in _rounds_of(facts).items()
        if lab.grade(label).name == "FORBIDDEN"
    )
    return rounds + int(one.label != "ok" and _grade(lab, one.label).name == "FORBIDDEN")


def _first_failure_ns(lab: Lab, one: _Seen) -> int | None:
    times = [
        int(when[1])
        for facts in one.runs
        for label, when in facts["first"].items()
        if lab.grade(label).name == "FORBIDDEN"
    ]
    return min(times, default=None)


def _repetition(lab: Lab, one: _Seen, sanitizer: str | None = None) -> Repetition:
    outcomes: Counter[str] = Counter()
    for facts in one.runs:
        outcomes += _rounds_of(facts)
    return Repetition(
        outcomes=dict(outcomes),
        ending=one.label,
        rounds=sum(outcomes.values()),
        seconds=round(one.ending.seconds, 6),
        failed_rounds=_forbidden_rounds(lab, one),
        first_failure_ns=_first_failure_ns(lab, one),
        note=one.note,
        reported=_reported(one) if sanitizer else (),
        ungraded=sum(max(0, run.get("rounds_finished", 0) - run["rounds"]) for run in one.runs),
    )


def _result(
    plan: _Plan, bench: _Bench, seen: Sequence[_Seen], begin: float, notes: list[str]
) -> Result:
    lab = plan.lab
    repetitions = tuple(_repetition(lab, one, plan.sanitizer) for one in seen)
    facts = [run for one in seen for run in one.runs]
    endings = Counter(r.ending for r in repetitions if r.ending != "ok")
    endings.update(label for r in repetitions for label in r.reported)
    outcomes: Counter[str] = Counter(dict.fromkeys(_declared(lab), 0))
    for repetition in repetitions:
        outcomes.update(repetition.outcomes)
    outcomes.update(endings)
    bins = merge_bins([_bins(run) for run in facts])
    speeds = [run["rounds_per_s"] for run in facts if run.get("rounds_per_s")]
    errors = {label: text for run in facts for label, text in run.get("errors", {}).items()}
    result = Result(
        lab=lab.name,
        variant=plan.variant,
        question=lab.question,
        outcomes=dict(outcomes),
        grades={label: _grade(lab, label) for label in outcomes},
        endings=_ending_labels(lab, endings),
        repetitions=repetitions,
        threads=plan.threads,
        stride=plan.stride,
        burst=max(plan.bursts, default=1),
        release=plan.release,
        offsets_ns=plan.offsets_ns,
        widened=plan.widen,
        race_points=bench.race_points,
        detached_rounds=sum(sum(run["outcomes_detached"].values()) for run in facts),
        skew_ns=skew_summary(bins),
        skew_bins=bins,
        rounds_per_s=_median(speeds),
        gil=_gil(seen),
        gil_enabled_by=next(
            (o.ending.gil_enabled_by for o in seen if o.ending.gil_enabled_by), None
        ),
        python=python_version(None if plan.python == sys.executable else plan.python),
        machine=machine.cpu_name(),
        cores=machine.cores_usable(),
        compiler=bench.raced.compiler if bench.raced else "",
        flags=bench.raced.flags if bench.raced else (),
        sanitizer=plan.sanitizer,
        source_sha256=bench.raced.sha256 if bench.raced else "",
        mode=plan.mode,
        date=time.strftime("%Y-%m-%d", time.gmtime()),
        wall_s=time.perf_counter() - begin,
        confidence=plan.confidence,
        reports=_reports(plan, seen),
        notes=(
            *notes,
            *_suppressed(plan, seen),
            *(f"{label}: {text.strip()}" for label, text in sorted(errors.items())),
        ),
    )
    if result.forbidden or not result.ran:
        return result
    return replace(result, calibrated=_calibrated(_as_it_ran(plan, result.gil), bench))


def _reports(plan: _Plan, seen: Sequence[_Seen]) -> tuple[tuple[Report, int], ...]:
    """The distinct reports of all children; those that the extension has part in first."""
    # A debug interpreter may die while it prints what it has found: then there is no "Fatal Python error".
    words = ("Fatal Python error", "Assertion")
    if not plan.sanitizer and not any(w in one.ending.stderr for one in seen for w in words):
        return ()
    found = dedupe(report for one in seen for report in one.ending.reports)
    return tuple(sorted(found, key=lambda item: item[0].elsewhere))


def _suppressed(plan: _Plan, seen: Sequence[_Seen]) -> list[str]:
    """How many reports a suppressions file has hidden, never without a word; or why it could not."""
    if plan.sanitizer != "thread":
        return []
    if symbolizer() is None:
        return [
            "no llvm-symbolizer: reports have no functions and lines, and CPython's own races are not "
            "suppressed. Install one (apt-get install llvm)."
        ]
    hidden: Counter[str] = Counter()
    for one in seen:
        hidden.update(suppressed(one.ending.stderr))
    if not hidden:
        return []
    lines = ", ".join(f"{line} ({count:,})" for line, count in hidden.most_common(6))
    return [f"suppressed reports: {hidden.total():,}, by {lines}"]


def _median(values: Sequence[float]) -> float | None:
    ordered = sorted(values)
    middle = len(ordered) // 2
    if not ordered:
        return None
    return ordered[middle] if len(ordered) % 2 else (ordered[middle - 1] + ordered[middle]) / 2


def _declared(lab: Lab) -> list[str]:
    return [label for label in lab.outcomes if "*" not in label]


_ENDINGS = (
    "crash(",
    "exit(",
    "hang",
    "killed",
    "not-run",
    "gil-enabled",
    "sanitizer(",
    "tampered",
)


def _ending_labels(lab: Lab, seen: Iterable[str]) -> tuple[str, ...]:
    """Labels that end a repetition, declared or seen."""
    declared = (label for label in lab.outcomes if label.startswith(_ENDINGS))
    return tuple(sorted({*declared, *seen}))


def _bins(facts: Mapping[str, Any]) -> list[tuple[float, float, int]]:
    return [
        (float(a), float(b), int(n)) for a, b, n in (facts.get("skew_ns") or {}).get("bins", ())
    ]


def _gil(seen: Sequence[_Seen]) -> bool | None:
    states = [one.ending.gil_enabled for one in seen if one.raced]
    return any(states) if states else None


# ---------------------------------------------------------------------------------------------------
# Calibration
# ---------------------------------------------------------------------------------------------------

_calibrations: dict[tuple[Any, ...], bool] = {}


def calibrate(
    *, threads: int = 2, gil: Gil = "auto", widen: bool = False, release: Release = "barrier"
) -> bool:
    """Whether the built-in known race shows on this machine, with this interpreter, here and now.

    Asks up to three times, for 0.75 s together.
    """
    lab = Lab("calibration", actors=[_nothing] * 2, threads=[max(2, threads)])
    plan = _plan(
        lab,
        None,
        threads=max(2, threads),
        rounds=1,
        count=1,
        seconds=None,
        timeout_s=GRACE_S,
        gil=gil,
        allow_gil=True,
        widen=widen,
        sanitizer=None,
        release=release,
        stride=1,
        offsets_ns=None,
        mode=None,
        python=None,
        spawn=None,
        memory_mb=MEMORY_MB,
        stop_at_first=False,
        confidence=0.95,
    )
    return _ask_calibration(plan, core())


def _nothing() -> None:
    pass


def _as_it_ran(plan: _Plan, gil: bool | None) -> _Plan:
    """The settings of a race, with the GIL on where an import had turned it on.

    The calibration imports nothing that could, and what it shows without the GIL says nothing of a race
    under it.
    """
    return replace(plan, gil=1) if gil and plan.gil == "auto" else plan


def _calibrated(plan: _Plan, bench: _Bench) -> bool:
    """As `calibrate`, under the settings of a race; asked once per process and settings if it shows."""
    if plan.sanitizer:
        return True  # a sanitizer needs both accesses, not a lost race
    if (
        bench.race_points is False
    ):  # what shows where a window is held open says nothing of those that are not
        plan = replace(plan, widen=False)
    key = (plan.python, plan.gil, plan.widen, plan.release, plan.threads, _affinity())
    if not _calibrations.get(key):
        _calibrations[key] = _ask_calibration(plan, bench.core)
    return _calibrations[key]


def _affinity() -> tuple[int, ...]:
    allowed = getattr(os, "sched_getaffinity", None)
    return tuple(sorted(allowed(0))) if allowed else ()


def _ask_calibration(plan: _Plan, core_module: ModuleType) -> bool:
    tally = Tally(core_module, max(2, plan.threads))
    try:
        with ExitStack() as stack:
            starter = _Starter(replace(plan, spawn=False), stack)
            for seconds in CALIBRATION_S:
                asked = {
                    "threads": max(2, plan.threads),
                    "seconds": seconds,
                    "release": plan.release,
                }
                job = {**_any_job(plan), "task": "calibrate", "calibrate": asked}
                with starter.start(job, tally) as child:
                    child.watch(GRACE_S)
                facts = first_event(parse_events(child.events.text()), "run").get("facts", {})
                if facts.get("shows"):
                    return True
    finally:
        tally.close()
    return False


# ---------------------------------------------------------------------------------------------------
# Offsets
# ---------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Scan:
    """Hit rate against the delay between the first actor and the others.

    Attributes:
        title: lab and variant.
        points: one dict per offset: offset_ns, hits (forbidden rounds), rounds. A positive offset
            delays the first thread, a negative one all the others.
        skew_ns: p50 and p95 of the release skew meanwhile: what the harness itself blurs.
        ended: endings other than "ok", with their counts; their rounds are counted as hits, but for
            "out of time": an offset whose rounds did not all fit into a repetition's time limit.
        widened: whether race points were held open.
        notes: sentences that belong to it.
    """

    title: str
    points: tuple[dict[str, float], ...]
    skew_ns: Mapping[str, float] | None
    ended: Mapping[str, int]
    widened: bool = False
    notes: tuple[str, ...] = ()

    @property
    def best_ns(self) -> float:
        """The offset with the highest hit rate; 0 if nothing was hit."""
        best = max(self.points, key=lambda p: p["hits"] / p["rounds"] if p["rounds"] else 0.0)
        return best["offset_ns"] if best["hits"] else 0.0

    @property
    def width_ns(self) -> float | None:
        """Width of the peak at half its height, ns; None where it has no two sides."""
        from racelab import stats

        used = [p for p in self.points if p["rounds"]]
        window = stats.half_height(
            [p["offset_ns"] for p in used], [p["hits"] / p["rounds"] for p in used]
        )
        return None if window is None else window[1] - window[0]

    def as_json(self) -> dict[str, Any]:
        """What ``racelab scan --json`` prints."""
        return {
            "lab": self.title,
            "points": list(self.points),
            "skew_ns": dict(self.skew_ns) if self.skew_ns else None,
            "best_ns": self.best_ns,
            "width_ns": self.width_ns,
            "ended": dict(self.ended),
            "widened": self.widened,
            "notes": list(self.notes),
        }

    def __str__(self) -> str:
        lines = [f"{self.title}: hits against the first thread's delay", ""]
        top = max((p["hits"] / p["rounds"] for p in self.points if p["rounds"]), default=0.0)
        for point in self.points:
            rate = point["hits"] / point["rounds"] if point["rounds"] else 0.0
            bar = "#" * round(40 * rate / top) if top else ""
            lines.append(
                f"{point['offset_ns']:>+8.0f} ns  {int(point['hits']):>9,} of {int(point['rounds']):>9,}"
                f"  {rate:>8.3%}  {bar}".rstrip()
            )
        width = self.width_ns
        lines.append("")
        lines.append(f"peak at {self.best_ns:+.0f} ns" if top else "no hit at any offset")
        if width is not None:
            lines[-1] += f", {width:.0f} ns wide at half its height"
        if self.skew_ns:
            lines.append(
                f"the harness itself: release skew p50 {self.skew_ns['p50']:.0f} ns, "
                f"p95 {self.skew_ns['p95']:.0f} ns"
            )
        if self.ended:
            said = ", ".join(f"{label}: {count:,}" for label, count in self.ended.items())
            lines.append(f"ended early: {said}")
        lines += [f"note: {text}" for text in self.notes]
        return "\n".join(lines)

    def _repr_pretty_(self, printer: Any, cycle: bool) -> None:
        printer.text(str(self) if not cycle else "Scan(...)")

    def plot(self, ax: Any = None) -> Any:
        """Hit rate against offset, the harness's own skew beside it. Returns the Axes."""
        from racelab import plots

        used = [
            {**point, "hits": int(point["hits"]), "rounds": int(point["rounds"])}
            for point in self.points
            if point["rounds"]
        ]
        return plots.scan(used, skew_ns=self.skew_ns, ax=ax, title=self.title)


def scan_offsets(
    lab: Lab | str | Path,
    variant: str | None = None,
    *,
    offsets_ns: Iterable[float] | None = None,
    rounds: int = SEARCH_ROUNDS,
    count: int = 3,
    threads: int | None = None,
    gil: Gil = "auto",
    widen: bool = False,
    release: Release = "tsc",
    python: str | Path | None = None,
    timeout_s: float | None = None,
    modules: Iterable[Built | str | Path] = (),
    progress: bool | None = None,
) -> Scan:
    """Sweep the delay of the first thread against the others: the race window shows as a peak.

    Args:
        lab, variant, threads, gil, widen, python, modules, progress: as for `race`.
        offsets_ns: delays to try, ns; negative ones delay the others. Default: 0 to 2 us, both ways.
        rounds: rounds for each offset in each repetition.
        count: repetitions: each goes through all offsets, in one child process unless that ends early.
        release: "tsc" by default: it blurs the window least.
        timeout_s: limit for one child process. The offset at which its time was up is tried again in a
            child of its own; that is no hit.

    Raises:
        As `race`.
    """
    chosen = find_lab(lab)
    plan = _plan(
        chosen,
        chosen.variant(variant),
        threads=threads,
        rounds=rounds,
        count=count,
        seconds=None,
        timeout_s=timeout_s,
        gil=gil,
        allow_gil=False,
        widen=widen,
        sanitizer=None,
        release=release,
        stride=1,
        offsets_ns=None,
        mode="rounds",
        python=python,
        spawn=None,
        memory_mb=MEMORY_MB,
        stop_at_first=False,
        confidence=0.95,
    )
    tried = _offsets(offsets_ns)
    for ns in tried:
        _must_fit(_delays(ns, plan.threads), rounds, plan.timeout_s)
    return _scan(plan, _Bench(plan, modules), tried, progress)


def _offsets(given: Iterable[float] | None) -> list[float]:
    if given is None:
        given = {sign * ns for ns in SCAN_OFFSETS_NS for sign in (-1, 1)}
    found = sorted({float(ns) for ns in given})
    if len(found) < 2:
        raise ValueError(f"offsets_ns={found}: a scan needs at least two offsets.")
    return found


def _scan(plan: _Plan, bench: _Bench, offsets: list[float], progress: bool | None) -> Scan:
    import random

    hits: Counter[float] = Counter()
    rounds: Counter[float] = Counter()
    ended: Counter[str] = Counter()
    bins: list[list[tuple[float, float, int]]] = []
    order = random.Random(1)
    with (
        _desk(plan, bench) as (starter, tally),
        Progress(f"{plan.title}, offsets", plan.count, progress) as shown,
    ):
        for number in range(plan.count):
            todo = offsets.copy()
            order.shuffle(todo)  # so that a drift of the machine is not taken for a peak
            while todo:
                runs = [{**_run(plan, ()), "offsets_ns": _delays(ns, plan.threads)} for ns in todo]
                one = _one(plan, starter, bench.job(plan, runs), tally, threading.Event())
                if not rounds:
                    one = _unless_mistaken(plan, bench, one)
                if one.time_up and one.finished:
                    # Those before it have used up the time: what was cut off gets all of the next child's.
                    one = replace(one, runs=one.runs[: one.finished])
                _add_scan(plan.lab, one, todo, hits, rounds)
                bins += [_bins(facts) for facts in one.runs]
                if one.label == "ok":
                    break
                if one.time_up:
                    ended.update([] if one.finished else ["out of time"])
                    todo = todo[max(1, one.finished) :]
                    continue
                ended[one.label] += 1
                if _grade(plan.lab, one.label).name == "NOT-RUN":
                    raise RaceError(f"{plan.title} cannot be scanned: {one.note or one.label}")
                # A crash ends the process, not the scan: go on behind the offset that it met.
                todo = todo[max(1, len(one.runs)) :]
            shown.update(number + 1)
    points = tuple(
        {"offset_ns": ns, "hits": float(hits[ns]), "rounds": float(rounds[ns])} for ns in offsets
    )
    skew = skew_summary(merge_bins(bins))
    notes = tuple(_no_race_point(plan, bench))
    return Scan(plan.title, points, skew, dict(ended), plan.widen, notes)


def _add_scan(
    lab: Lab, one: _Seen, todo: Sequence[float], hits: Counter[float], rounds: Counter[float]
) -> None:
    for ns, facts in zip(todo, one.runs, strict=False):
        seen = _rounds_of(facts)
        rounds[ns] += sum(seen.values())
        hits[ns] += sum(n for label, n in seen.items() if lab.grade(label).name == "FORBIDDEN")
    if one.time_up:  # slow is not wrong
        return
    if one.label != "ok" and _grade(lab, one.label).name == "FORBIDDEN":
        ns = todo[max(0, len(one.runs) - 1)]
        hits[ns] += 1
        rounds[ns] += 1


def _delays(ns: float, threads: int) -> list[float]:
    """A positive offset delays the first thread, a negative one all the others."""
    return [max(ns, 0.0), *([max(-ns, 0.0)] * (threads - 1))]


def _search(plan: _Plan, bench: _Bench) -> tuple[_Plan, str]:
    """The plan at the offset that showed the race best, and a sentence about it."""
    quick = replace(
        plan, rounds=SEARCH_ROUNDS, seconds_each=None, count=1, timeout_s=ROUNDS_LIMIT_S
    )
    scan = _scan(quick, bench, _offsets(None), False)
    if not any(point["hits"] for point in scan.points):
        return plan, "search: no offset showed the race in a quick scan; none is used."
    best = scan.best_ns
    note = f"search: the race showed best with the first thread {best:+.0f} ns against the others."
    return replace(plan, offsets_ns=tuple(_delays(best, plan.threads))), note
