"""A lab under a debugger, where its bug shows: `racelab debug` and `racelab post-mortem`.

The lab is raced in the one process that the debugger has started, with what the race used (see `debuggee`). A crash stops
it; something forbidden that is no crash raises SIGTRAP, which stops it, too; and a deadlock is seen from here, in the
tally, and stopped by the same signal.
"""

from __future__ import annotations

import contextlib
import html
import json
import math
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from racelab import lastrace, toolbox
from racelab.outside import Output, environment, run
from racelab.racing import RaceError, Stall, Tally, core
from racelab.runner import rows_to_html
from racelab.show import MARKER
from racelab.stacks import MARK, Thread, read_gdb, read_lldb

if TYPE_CHECKING:
    from racelab.lab import Lab
    from racelab.result import Result

__all__ = ["PostMortem", "Setting", "batch", "debug", "last_race", "post_mortem"]

DEBUGGERS = ("gdb", "lldb")
LABELS = 64
#: How long one run of the C core takes; between two of them we look at what has come out.
RUN_S = 0.25
#: How long it may take until the bug shows under the debugger, and how much longer to print the stacks.
SHOW_S = 30.0
PRINT_S = 45.0
#: Beyond its time limit a program that a debugger does not hold ends itself.
GRACE_S = 60


# ---------------------------------------------------------------------------------------------------
# What is raced
# ---------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Setting:
    """A race, as it is made again under a debugger.

    Attributes:
        lab: what is raced.
        variant: of it.
        threads, gil, widen, release, stride, offsets_ns: as for `race`.
        python: the interpreter. Default: this one.
        endings: wait for a crash or a hang: what else is forbidden does not stop it.
    """

    lab: Lab
    variant: str | None = None
    threads: int = 0
    gil: int | None = None
    widen: bool = False
    release: str = "barrier"
    stride: int = 1
    offsets_ns: tuple[float, ...] = ()
    python: str = ""
    endings: bool = False

    @property
    def title(self) -> str:
        """Lab and variant."""
        return f"{self.lab.name} {self.variant or ''}".strip()


def setting(lab: Lab | str | Path, variant: str | None = None, **more: Any) -> Setting:
    """A `Setting` with the defaults filled in.

    Raises:
        ValueError, FileNotFoundError: there is no such lab or variant, or not for so many threads.
    """
    from racelab.lab import find_lab

    chosen = find_lab(lab)
    threads = more.pop("threads", None) or chosen.allowed_threads[0]
    chosen.cast(threads)
    forbidden = [k for k, g in chosen.outcomes.items() if g.name == "FORBIDDEN"]
    more.setdefault("endings", _has_ending(forbidden))
    return Setting(chosen, chosen.variant(variant), threads, **more)


def _has_ending(labels: Sequence[str]) -> bool:
    """Whether there is a crash or a hang among them: there a stack says most."""
    return any(label.startswith(("crash(", "hang")) for label in labels)


# ---------------------------------------------------------------------------------------------------
# The last race
# ---------------------------------------------------------------------------------------------------


def last_race() -> tuple[Setting, tuple[str, ...]]:
    """The race that was run last on this machine by this user, and the forbidden outcomes that it showed.

    Raises:
        RaceError: none was, or its lab or its interpreter is not to be found any more.
    """
    facts = _recalled()
    return _found_again(facts, {}), tuple(map(str, facts["seen"]))


def _recalled() -> dict[str, Any]:
    try:
        return lastrace.recall()
    except FileNotFoundError as error:
        raise RaceError("nothing was raced yet: name a LAB, e.g. borrowed_ref.") from error
    except (OSError, ValueError) as error:
        raise _lost(error) from error


def _lost(error: Exception) -> RaceError:
    return RaceError(f"what was raced last cannot be found again ({error}): name a LAB.")


def _found_again(facts: dict[str, Any], more: dict[str, Any]) -> Setting:
    """The setting of a race that was noted; what `more` says comes before it."""
    try:
        chosen = _setting_of(facts, more)
        seen = tuple(map(str, facts["seen"]))
    except (OSError, LookupError, TypeError, ValueError) as error:
        raise _lost(error) from error
    return replace(chosen, endings=_has_ending(seen)) if seen else chosen


def _setting_of(facts: dict[str, Any], more: dict[str, Any]) -> Setting:
    name = str(facts["lab"])
    lab = lastrace.labs.get(name) or (f"{facts['file']}:{name}" if facts["file"] else name)
    threads = more.get("threads") or facts["threads"]
    # A sanitizer's interpreter can load none of the modules that are built for a debugger.
    python = more.get("python") or ("" if facts["sanitizer"] else facts.get("python", ""))
    if python and shutil.which(python) is None:
        raise ValueError(f"{python} is not there any more")
    noted = {
        "gil": None if facts["gil"] is None else int(facts["gil"]),
        "widen": facts["widened"],
        "release": facts["release"],
        "stride": facts["stride"],
        "offsets_ns": tuple(facts["offsets_ns"]) if threads == facts["threads"] else (),
    }
    given = {**noted, **more, "threads": threads, "python": python}
    return setting(lab, facts["variant"], **given)


def _remarks(facts: dict[str, Any], chosen: Setting) -> tuple[str, ...]:
    """What of a race could not be made again as it was; with a sanitizer its report."""
    if not facts["sanitizer"]:
        by = chosen.python and chosen.python != sys.executable
        return (f"raced by {chosen.python}",) if by else ()
    reports = [str(one) for one in facts.get("reports", ())]
    said = (
        f"It was raced with the {facts['sanitizer']} sanitizer. Raced again here: the release build, without it, "
        "whose bug may show in another way, or not at all."
    )
    return (said, *(f"the sanitizer's report of that race:\n{one}" for one in reports))


# ---------------------------------------------------------------------------------------------------
# The program
# ---------------------------------------------------------------------------------------------------

_PROGRAM = '''\
"""{title}: raced until its bug shows. Written by racelab for a debugger."""

import sys

sys.path.append({package!r})
from racelab.debuggee import main

main({job})
'''


@dataclass
class _Prepared:
    """A program that races a lab, and what it takes to watch it."""

    setting: Setting
    folder: Path
    program: Path
    tally: Path
    note: Path
    python: str
    env: dict[str, str | None]
    breakpoints: list[str] = field(default_factory=list)

    def facts(self) -> dict[str, Any]:
        """What the program has told: its pid and, once it shows, what."""
        with contextlib.suppress(OSError, ValueError):
            found = json.loads(self.note.read_text(encoding="utf-8"))
            if isinstance(found, dict):
                return found
        return {}


@contextlib.contextmanager
def _prepared(
    chosen: Setting, limit_s: float | None, debugger: str, *, prompt: bool = False
) -> Iterator[_Prepared]:
    from racelab.processes import package_folder
    from racelab.racing import _from_this_process, _lab_for_child
    from racelab.runner import module_paths

    core()
    _debugger(debugger)
    lab = chosen.lab
    python = chosen.python or sys.executable
    other = None if python == sys.executable else python
    files = lab.source_files(chosen.variant)
    from racelab.build import compile, compiler_version

    flags = [str(flag) for flag in lab.flags]
    if debugger == "lldb" and "clang" not in compiler_version():
        # Up to LLVM 20, lldb loses its way in a function of which gcc has put a cold part elsewhere.
        flags.append("-fno-reorder-blocks-and-partition")
    built = compile(files, flags=flags, python=other, line_directives=True) if files else None
    known = [*_from_this_process(), *([built] if built else [])]
    modules = {**module_paths(known), **_core_of(other)}
    with tempfile.TemporaryDirectory(prefix="racelab-debug-") as temporary:
        folder = Path(temporary)
        tally, note = folder / "tally", folder / "note.json"
        program = folder / f"race_{lab.name}.py"
        forbidden = [k for k, g in lab.outcomes.items() if g.name == "FORBIDDEN"]
        job = {
            **_lab_for_child(lab),
            "path": [str(entry) for entry in sys.path if entry],
            "package": package_folder(),
            "modules": modules,
            "imports": [*([built.name] if built else []), *lab.modules],
            "threads": chosen.threads,
            "allow_gil": chosen.gil == 1,
            "widen": chosen.widen,
            "labels": LABELS,
            "tally": str(tally),
            "note": str(note),
            "limit_s": limit_s,
            "alarm_s": None if prompt or limit_s is None else math.ceil(limit_s) + GRACE_S,
            "once": lab.mode == "cold",
            "advice": ": type `run` to race again, in a fresh process" if prompt else "",
            "run": {
                "rounds": 1 if lab.mode == "cold" else None,
                "seconds": None if lab.mode == "cold" else RUN_S,
                "release": chosen.release,
                "stride": chosen.stride,
                "offsets_ns": list(chosen.offsets_ns) or [0.0] * chosen.threads,
                "stop_on": [] if chosen.endings else forbidden,
            },
            "endings": chosen.endings,
        }
        _write_program(program, chosen.title, job)
        env = {"PYTHON_GIL": None if chosen.gil is None else str(chosen.gil)}
        points = [f"{path.name}:{n}" for path in files for n in _race_lines(path)[:1]]
        yield _Prepared(chosen, folder, program, tally, note, python, env, points)


def _write_program(path: Path, title: str, job: dict[str, Any]) -> None:
    from pprint import pformat

    text = _PROGRAM.format(title=title, package=job["package"], job=pformat(job, sort_dicts=False))
    path.write_text(text, encoding="utf-8")
    path.with_name("tally").write_bytes(b"")


def _core_of(python: str | None) -> dict[str, str]:
    """racelab's C core for another interpreter."""
    if python is None:
        return {}
    from racelab.build import compile

    folder = Path(__file__).parent
    others = sorted(folder.glob("_race_*.c"))
    built = compile(
        [folder / "_race.c", *others], flags=["-fvisibility=hidden", "-pthread"], python=python
    )
    return {"racelab._race": str(built.path)}


def _race_lines(path: Path) -> list[int]:
    """The first line of each [race] region that holds code: where a breakpoint tells most."""
    found, inside, taken = [], False, False
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), start=1):
        if MARKER.match(line):
            inside, taken = not inside, False
        elif inside and not taken and re.search(r"[;{(=]", line) and not _is_comment(line):
            taken = True
            found.append(number)
    return found


def _is_comment(line: str) -> bool:
    return line.lstrip().startswith(("/*", "*", "//", "#"))


# ---------------------------------------------------------------------------------------------------
# The watch
# ---------------------------------------------------------------------------------------------------


class _StopWhenStuck:
    """Stops a program that a debugger runs, once per process, when it has stopped getting on."""

    interval_s = 0.1

    def __init__(self, prepared: _Prepared) -> None:
        self.prepared = prepared
        self.stall: Stall | None = None
        self.tally: Tally | None = None
        self.pid = 0
        self.why = ""

    def __call__(self, _pid: int) -> str | None:
        """Look once; never asks for the debugger to be ended."""
        facts = self.prepared.facts()
        if facts and facts["pid"] != self.pid:  # the debugger was told to run it again
            self.close()
            self.stall, self.pid, self.why = None, facts["pid"], ""
        if self.why or not facts or "shown" in facts:
            return None
        if self.stall is None:
            self.tally = _SharedTally(self.prepared)
            self.stall = Stall(self.tally, self.prepared.setting.lab.stall_s, threading.Event())
        found = None if _is_stopped(facts["pid"]) else self.stall(facts["pid"])
        if found:
            self.why = found
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.kill(facts["pid"], signal.SIGTRAP)
        return None

    def close(self) -> None:
        """Give the tally's memory back."""
        if self.tally is not None:
            self.tally.close()
            self.tally = None


class _SharedTally(Tally):
    """A tally in a file with a name: a debugger does not hand on our descriptors."""

    def __init__(self, prepared: _Prepared) -> None:
        import mmap

        self.core = core()
        self.file = prepared.tally.open("r+b")
        size = self.core.tally_size(prepared.setting.threads, LABELS)
        self.memory = mmap.mmap(self.file.fileno(), size)


def _is_stopped(pid: int) -> bool:
    """Whether a debugger has stopped it: then nobody waits for a lock."""
    with contextlib.suppress(OSError, IndexError):
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] in "tT"
    return True


# ---------------------------------------------------------------------------------------------------
# Debuggers
# ---------------------------------------------------------------------------------------------------


def _debugger(name: str) -> str:
    if name not in DEBUGGERS:
        raise ValueError(f"--with {name}: give {' or '.join(DEBUGGERS)}.")
    found = toolbox.find(name)
    if found is None:
        raise RaceError(f"{name} is not here: {toolbox.INSTALL}.")
    return found


def _command(name: str, prepared: _Prepared, commands: Sequence[str], *, batch: bool) -> list[str]:
    """The debugger, its commands, and the program."""
    program = _debugger(name)
    target = [prepared.python, str(prepared.program)]
    if name == "gdb":
        words = toolbox.gdb_command(program, prepared.python, batch=batch)
        return [*words, *(w for one in commands for w in ("-ex", one)), "--args", *target]
    words = toolbox.lldb_command(program, batch=batch)
    for one in commands:
        words += ["-o", one]
    if batch:  # a crash ends the commands of -o; those of -k are for then
        after = list(commands)
        if "run" in after:
            after = after[after.index("run") + 1 :]
        words += [word for one in after for word in ("-k", one)]
    return [*words, "--", *target]


def _check_traces(name: str, text: str) -> None:
    if toolbox.refused(text):
        raise RaceError(
            f"{name} may not trace another process here (ptrace is refused, as in many containers and on Binder): "
            "run the container with --cap-add=SYS_PTRACE, or look at the recorded session."
        )


def batch(
    lab: Lab | str | Path | Setting,
    variant: str | None = None,
    *,
    debugger: str = "gdb",
    commands: Sequence[str] = ("run", "bt"),
    seconds: float = SHOW_S,
    timeout_s: float | None = None,
    **more: Any,
) -> Output:
    """Race a lab under a debugger in batch mode and return what the debugger printed.

    Args:
        lab: as for `race`, or a `Setting`.
        variant: of the lab.
        debugger: "gdb" or "lldb".
        commands: the debugger's own; "run" races until the bug shows, or `seconds` are over. A cold lab is raced
            in one process after another, and what is returned is of the last one.
        seconds: how long it is raced at most.
        timeout_s: limit for everything together. Default: enough for the stacks as well.
        more: `threads`, `gil`, `widen`, `python` and so on of a `Setting`.

    Raises:
        RaceError: there is no such debugger here, or it may not trace.
    """
    chosen = lab if isinstance(lab, Setting) else setting(lab, variant, **more)
    until = time.monotonic() + seconds
    over = time.monotonic() + (timeout_s or seconds + PRINT_S)
    while True:
        limit_s = max(1.0, until - time.monotonic())
        with _prepared(chosen, limit_s, debugger) as prepared:
            seen, _ = _run_batch(debugger, prepared, commands, max(1.0, over - time.monotonic()))
            nothing = prepared.facts().get("shown", "-") is None
        if not nothing or chosen.lab.mode != "cold" or time.monotonic() >= until:
            return seen


def _run_batch(
    name: str, prepared: _Prepared, commands: Sequence[str], timeout_s: float
) -> tuple[Output, str]:
    """The debugger's output, and why we have stopped the program, if we have."""
    look = _StopWhenStuck(prepared)
    command = _command(name, prepared, commands, batch=True)
    try:
        seen = run(
            command, timeout_s=timeout_s, env=prepared.env, folder=prepared.folder, look=look
        )
    finally:
        look.close()
        _end(prepared)
    _check_traces(name, seen.text)
    return seen, look.why


def _end(prepared: _Prepared) -> None:
    """What a debugger that was killed may have left behind."""
    pid = prepared.facts().get("pid", 0)
    with contextlib.suppress(OSError, TypeError, ProcessLookupError):
        if str(prepared.program) in Path(f"/proc/{pid}/cmdline").read_text():
            os.kill(int(pid), signal.SIGKILL)


def debug(
    lab: Lab | str | Path,
    variant: str | None = None,
    *,
    debugger: str = "gdb",
    commands: Sequence[str] = (),
    seconds: float | None = None,
    **more: Any,
) -> int:
    """Start a debugger in this terminal on a lab; returns the debugger's exit status.

    Args:
        lab, variant: as for `race`.
        debugger: "gdb" or "lldb".
        commands: to begin with.
        seconds: how long `run` races at most. Default: until the bug shows.
        more: as for `batch`.
    """
    chosen = setting(lab, variant, **more)
    with _prepared(chosen, seconds, debugger, prompt=True) as prepared:
        command = _command(debugger, prepared, commands, batch=False)
        print(_advice(debugger, prepared), flush=True)
        given = environment(prepared.env)
        kept = {name: os.environ[name] for name in ("TERM",) if name in os.environ}
        before = signal.signal(signal.SIGINT, signal.SIG_IGN)  # it is the debugger's
        process = subprocess.Popen(command, env={**given, **kept})
        look = _StopWhenStuck(prepared)
        try:
            while True:
                with contextlib.suppress(subprocess.TimeoutExpired):
                    return process.wait(timeout=look.interval_s)
                look(process.pid)
        finally:
            if process.poll() is None:
                process.kill()
                process.wait()
            look.close()
            signal.signal(signal.SIGINT, before)
            _end(prepared)


def _advice(name: str, prepared: _Prepared) -> str:
    """What to type first."""
    at = prepared.breakpoints[0] if prepared.breakpoints else None
    if name == "gdb":
        stacks = "thread apply all bt" + (
            ", py-bt" if toolbox.gdb_extension(prepared.python) else ""
        )
        here = f"break {at}" if at else ""
    else:
        stacks = "bt all"
        here = f"breakpoint set --file {at.replace(':', ' --line ')}" if at else ""
    if prepared.setting.lab.mode == "cold":
        lines = [f"{prepared.setting.title} under {name}: it is raced once per process."]
        lines.append(
            "  run                 one round; type it again, for a fresh process each time, until it stops "
            f"where it crashes, hangs, or shows what is forbidden; then {stacks}"
        )
    else:
        lines = [f"{prepared.setting.title} under {name}: it is raced until its bug shows."]
        lines.append(
            f"  run                 until it crashes, hangs, or shows what is forbidden; then {stacks}"
        )
    if here:
        # Cython's own code at the end of the C file has lines that are counted on from the last of the .pyx.
        twice = "; where it stops in the import first, say `continue`" if ".pyx" in here else ""
        lines.append(f"  {here}    stops in the window, before `run`{twice}")
    return "\n".join(lines)


# ---------------------------------------------------------------------------------------------------
# Post mortem
# ---------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class PostMortem:
    """A bug, made again under a debugger and stopped where it shows.

    Attributes:
        title: lab and variant.
        ending: "crash(SIGSEGV)", "hang", the label of what was forbidden, or "" where nothing showed in time.
        why: a sentence about it.
        threads: every thread of the program, the one that stopped it first, then those in the extension.
        debugger: its name and version.
        widened: whether race points had to be held open for it.
        seconds: how long it took.
        output: all that the debugger printed.
        notes: what of the race could not be made again as it was; with a sanitizer its report.
    """

    title: str
    ending: str
    why: str
    threads: tuple[Thread, ...]
    debugger: str
    widened: bool
    seconds: float
    output: str
    notes: tuple[str, ...] = ()

    def __str__(self) -> str:
        return "\n".join(self._lines())

    def _lines(self) -> list[str]:
        window = ", with its window held open (widened)" if self.widened else ""
        head = f"{self.title} under {self.debugger}{window}, {self.seconds:.1f} s"
        noted = [line for note in self.notes for line in ("", *note.splitlines())]
        if not self.ending:
            return [head, f"INCONCLUSIVE  {self.why}", *noted]
        lines = [head, f"{self.ending}  {self.why}".rstrip()]
        stopped = self.ending != "hang"  # a thread that hangs does not stop a program; we did
        telling = [t for t in self.threads if t.extension or (t.current and stopped)]
        for thread in telling:
            lines += ["", f"thread {thread.number}{self._role(thread)}"]
            lines += [f"  {line}" for line in thread.lines()]
        others = [t for t in self.threads if t not in telling and t.frames]
        if others:
            lines += ["", "the others, not in the extension:"]
            lines += [f"  thread {t.number}  {t.frames[0].place}" for t in others]
        return [*lines, *noted]

    def _role(self, thread: Thread) -> str:
        if self.ending == "hang":
            return f", waits for lock {thread.waits}" if thread.waits else ""
        return (
            f", {'crashed' if 'crash' in self.ending else 'stopped'} here:"
            if thread.current
            else ", meanwhile:"
        )

    def __repr__(self) -> str:
        return f"PostMortem({self.title!r}, {self.ending or 'inconclusive'!r}, {len(self.threads)} threads)"

    def _repr_pretty_(self, printer: Any, cycle: bool) -> None:
        printer.text(str(self) if not cycle else "PostMortem(...)")

    def _repr_html_(self) -> str:
        first, second, *rest = [*self._lines(), ""]
        stacks = html.escape("\n".join(rest).strip("\n"))
        table = rows_to_html(
            [("ended with" if self.ending else "verdict", second)], f"Post mortem: {first}"
        )
        if not stacks:
            return table
        return (
            f'{table}<pre tabindex="0" class="racelab-stacks">{stacks}</pre>'
            f"<details><summary>All that {html.escape(self.debugger)} printed</summary>"
            f'<pre tabindex="0">{html.escape(self.output)}</pre></details>'
        )

    @property
    def exit_status(self) -> int:
        """0 where the bug showed, 3 where it is inconclusive."""
        return 0 if self.ending else 3


_STACKS = {
    "gdb": (
        "run",
        f"echo \\n{MARK} current\\n",
        "thread",
        f"echo \\n{MARK} stacks\\n",
        "thread apply all bt",
        f"echo \\n{MARK} python\\n",
        "thread apply all py-bt",
    ),
    "lldb": ("run", f"script print('{MARK} stacks')", "thread backtrace all"),
}
_SIGNAL = re.compile(r"received signal (SIG\w+)|stop reason = signal (SIG\w+)")


def post_mortem(
    race: Result | Lab | str | Path | None = None,
    variant: str | None = None,
    *,
    debugger: str = "gdb",
    seconds: float = SHOW_S,
    **more: Any,
) -> PostMortem:
    """Make the bug of a race again under a debugger, and show every thread's stack where it shows.

    It is raced as it was for half of the time; where nothing shows, then with its window held open. A cold lab is
    raced in one process after another. A race with a sanitizer is made again without it, and its report is printed.

    Args:
        race: what `race` returned, or a lab as for `race`. Default: what was raced last on this machine.
        variant: of the lab, where it is one.
        debugger: "gdb" or "lldb".
        seconds: how long it is raced at most, both times together.
        more: as for `batch`.

    Returns:
        PostMortem: prints the thread that stopped it, then those that were in the extension, then the others.

    Raises:
        RaceError: there is no such debugger here, it may not trace, or nothing was raced yet.
    """
    _debugger(debugger)
    chosen, notes = _chosen(race, variant, more)
    begin = time.monotonic()
    deadline = begin + seconds
    silent = _Silent()
    for widen in (False, True):
        if chosen.widen and not widen:
            continue
        again = replace(chosen, widen=widen)
        until = deadline if widen else begin + seconds / 2
        while (left := until - time.monotonic()) > 0:
            found = _try(again, debugger, max(1.0, left), begin, silent)
            if found.ending:
                return replace(found, notes=notes)
            if again.lab.mode != "cold":
                break
    return replace(found, notes=notes)


def _chosen(
    race: Any, variant: str | None, more: dict[str, Any]
) -> tuple[Setting, tuple[str, ...]]:
    """What is raced, and what is to be said of it."""
    from racelab.result import Result

    if race is None or isinstance(race, Result):
        facts = _recalled() if race is None else lastrace.facts_of(race)
        chosen = _found_again(facts, more)
        return chosen, _remarks(facts, chosen)
    return setting(race, variant, **more), ()


@dataclass
class _Silent:
    """What the processes in which nothing showed have raced."""

    processes: int = 0
    rounds: int = 0
    seen: set[str] = field(default_factory=set)

    def add(self, facts: dict[str, Any], *, cold: bool) -> None:
        """Count one more; a process that is not cold is one by itself."""
        if not cold:
            self.processes, self.rounds, self.seen = 0, 0, set()
        self.processes += 1
        self.rounds += facts["rounds"]
        self.seen |= set(facts["seen"])

    def __str__(self) -> str:
        done = _rounds(self.rounds)
        if self.processes > 1:
            done = f"{self.rounds:,} cold rounds, each in a process of its own"
        but = f" (but: {', '.join(sorted(self.seen))})" if self.seen else ""
        what = "No crash and no hang" if self.seen else "Nothing forbidden"
        return f"{what} in {done}{but}: give it more time."


def _try(chosen: Setting, name: str, limit_s: float, begin: float, silent: _Silent) -> PostMortem:
    with _prepared(chosen, limit_s, name) as prepared:
        seen, why = _run_batch(name, prepared, _STACKS[name], limit_s + PRINT_S)
        facts = prepared.facts()
        extension = {path.name for path in chosen.lab.source_files(chosen.variant)}
    said = f"{name} {toolbox.number(name)}"
    if facts.get("shown", "-") is None:
        silent.add(facts, cold=chosen.lab.mode == "cold")
    ending, sentence = _ending(seen, why, facts, silent)
    read = read_gdb if name == "gdb" else read_lldb
    threads = sorted(
        read(seen.text, extension),
        key=lambda thread: (not thread.current, not thread.extension, thread.number),
    )
    return PostMortem(
        chosen.title,
        ending,
        sentence,
        tuple(threads) if ending else (),
        said,
        chosen.widen,
        time.monotonic() - begin,
        seen.text,
    )


def _ending(seen: Output, why: str, facts: dict[str, Any], silent: _Silent) -> tuple[str, str]:
    """What showed, and a sentence about it."""
    if why:
        return "hang", why
    if facts.get("shown"):
        return (
            str(facts["shown"]),
            f"after {_rounds(facts['rounds'])}; the calls are over, see `racelab debug` for the window",
        )
    found = _SIGNAL.search(seen.text)
    if found and (name := found[1] or found[2]) != "SIGTRAP":
        return f"crash({name})", ""
    if "pid" not in facts:
        last = next(
            (line for line in reversed(seen.text.splitlines()) if line.strip()), "it said nothing"
        )
        raise RaceError(f"the debugger has not started the race: {last}")
    if seen.ended_by:
        return "", f"The debugger did not end by itself: {seen.ending}."
    return "", str(silent) if silent.rounds else "Nothing forbidden: give it more time."


def _rounds(many: int) -> str:
    return "1 round" if many == 1 else f"{many:,} rounds"
