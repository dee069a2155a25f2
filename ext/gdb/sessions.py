"""Crashes and deadlocks of small Python programs, seen in gdb and lldb as one would see one's own.

Run  racelab record gdb [--only crash]
"""

from __future__ import annotations

import functools
import re
from collections.abc import Callable
from pathlib import Path

from racelab import stats, toolbox
from racelab.outside import Output
from racelab.sessions import Session, program, typed
from racelab.show import LEXERS, Listing

DEPENDS = ["borrowed_ref", "endings", "lock_and_world", "lost_update"]
ROOT = Path(__file__).resolve().parents[2]
HERE = "ext/gdb"

GDB = ("gdb", "-nx", "-q", "-batch")
SETTINGS = ("-ix", f"{HERE}/settings.gdb")
LLDB = ("lldb", "--no-lldbinit", "--batch")
#: Frames as function, file and line.
SHORT = ("set print address off", "set print frame-arguments presence")
ATTACH = ("python", f"{HERE}/attach.py")
CRASHED = r"SIG(?:SEGV|BUS|ABRT|ILL)"

#: What debuggers say of themselves and of the C library's sources, which are not here.
_NOISE = re.compile(
    r"^\[Thread debugging using libthread_db|^Using host libthread_db|^\d+\t(?:in )?\S+(?:: No such file or directory\.)?$|^\[New LWP"
    r"|^No source file named|^Reading symbols from |^\[Detaching after vfork|stopped and restarted: thread 1 received signal: SIGCHLD|^warning: Section .\.reg-xstate|^warning: Error disabling address"
)


def tidy(text: str) -> str:
    """Without that noise."""
    text = re.sub(r"warning: Section .\.reg-xstate.* in core file too small\.\n", "", text)
    lines = [line for line in text.splitlines() if not _NOISE.search(line)]
    return re.sub(r"\n{3,}", "\n\n", "\n".join(lines)).strip("\n")


def commands(option: str, *given: str) -> list[str]:
    """Each of a debugger's commands behind its option."""
    return [word for one in given for word in (option, one)]


def typed_run(words: tuple[str, ...] | list[str], timeout_s: float) -> Callable[[], Output]:
    """What is shown is what runs; lldb goes by several names."""

    def go() -> Output:
        names = {"lldb": toolbox.find("lldb") or "lldb"}
        # pytest without a plugin of this environment that has a line of its own to print.
        env = {"PYTEST_ADDOPTS": "-p no:run-parallel"}
        run = program(*(names.get(w, w) for w in words), timeout_s=timeout_s, folder=ROOT, env=env)
        return run()

    return go


def session(
    title: str, *words: str, needs: tuple[str, ...], shape, timeout_s: float = 60.0, **more
) -> Session:
    """A session of exactly these words."""
    run = typed_run(words, timeout_s)
    return Session(title, typed(*words), run, needs, shape, tidy=tidy, **more)


# ---------------------------------------------------------------------------------------------------
# The same in gdb and in lldb
# ---------------------------------------------------------------------------------------------------

#: What you want; in gdb; in lldb. "-": there is none. All of it is tried, in the sessions map_gdb and map_lldb.
AT_A_STOP = (
    ("list the threads", "info threads", "thread list"),
    ("the stack of this thread", "bt", "bt"),
    ("the stack of every thread", "thread apply all bt", "bt all"),
    ("its Python stack", "py-bt", "-"),
    ("Python lines, Python locals", "py-list; py-locals", "-"),
    ("arguments and locals", "info args; info locals", "frame variable"),
    ("the value of an expression", "print seen + 1", "expression seen + 1"),
    ("eight bytes of memory", "x/8xb $sp", "memory read -c8 -s1 -fx $sp"),
    ("list the breakpoints", "info breakpoints", "breakpoint list"),
    ("one source line on", "next", "next"),
    ("the same, others stand still", "set scheduler-locking on; next", "next -m this-thread"),
    ("go to frame 1", "frame 1", "frame select 1"),
    ("go to its caller", "up", "up"),
    ("go to thread 2", "thread 2", "thread select 2"),
)
BEFORE = (
    ("start a program", "gdb --args python p.py", "lldb -- python p.py"),
    ("attach to a process", "gdb -p PID", "lldb -p PID"),
    ("open a core file", "gdb python core", "lldb -c core python"),
    ("stop at a line", "break f.c:31", "breakpoint set -f f.c -l 31"),
    ("stop at a function", "break bump", "breakpoint set -n bump"),
    ("run it, go on", "run; continue", "run; continue"),
)


def command_map() -> str:
    """Both debuggers' commands as a table in Markdown."""
    lines = ["| you want | gdb | lldb |", "|---|---|---|"]
    for want, *both in (*BEFORE, *AT_A_STOP):
        cells = [" then ".join(f"`{w}`" for w in one.split("; ")) for one in both]
        lines.append(f"| {want} | {' | '.join(c if c != '`-`' else 'none' for c in cells)} |")
    return "\n".join(lines)


def show(name: str, start: str = "", end: str = "") -> Listing:
    """A file of this folder, or of another one of ext/, from the line that begins with `start` to that before `end`."""
    path = ROOT / (f"ext/{name}" if "/" in name else f"{HERE}/{name}")
    lines = list(enumerate(path.read_text(encoding="utf-8").rstrip("\n").splitlines(), start=1))
    first = next((n for n, text in lines if start and text.startswith(start)), 1)
    last = next(
        (n for n, text in lines if end and n > first and text.startswith(end)), len(lines) + 1
    )
    chosen = [one for one in lines if first <= one[0] < last]
    while not chosen[-1][1].strip():
        chosen.pop()
    return Listing(
        f"{path.parent.name}/{path.name}", path, tuple(chosen), LEXERS.get(path.suffix, "text")
    )


def rate_of(rows: list[dict]) -> stats.Rate:
    """Lost updates per round, over all processes of a setting."""
    lost, rounds = ([int(row[key]) for row in rows] for key in ("lost", "rounds"))
    if 0 < sum(lost) < sum(rounds):
        return stats.cluster_bootstrap(lost, rounds)
    return stats.rate_per_round(sum(lost), sum(rounds))


def _marked(column: int, run: str) -> tuple[str, ...]:
    """Commands that try each one of a column in one go, each after a line with its number."""
    found = []
    for number, row in enumerate(AT_A_STOP):
        for one in row[column].split("; "):
            mark = f"@@{number} {one}"
            found += [f"echo {mark}\\n" if column == 1 else f"script print('{mark}')", one]
    return (run, *(one for one in found if one != "-" and not one.endswith(" -')")))


_REFUSED = re.compile(
    r"^error:|Undefined|No symbol|No thread|No frame|Unable to|is not a valid|Invalid|Unknown",
    re.MULTILINE,
)


def answered(column: int, text: str) -> list[str] | None:
    """The commands of a column that were answered; None if one of them was not."""
    parts = re.split(r"^(?:\(lldb\) )?(@@\d+ .*)$", text, flags=re.MULTILINE)
    said = dict(zip(parts[1::2], parts[2::2], strict=True))
    wanted = [
        f"@@{number} {one}"
        for number, row in enumerate(AT_A_STOP)
        for one in row[column].split("; ")
        if one != "-"
    ]
    silent = ("set scheduler-locking on",)
    good = [
        mark
        for mark in wanted
        if mark in said
        and not _REFUSED.search(said[mark])
        and (said[mark].strip() or mark.endswith(silent))
    ]
    return [mark.split(" ", 1)[1] for mark in good] if good == wanted else None


def _has(*patterns: str) -> Callable[[str], object | None]:
    """A shape: all of these somewhere, in whatever order; their groups must be the same."""

    def shape(text: str) -> object | None:
        found = [re.search(one, text, re.MULTILINE) for one in patterns]
        return [m.groups() for m in found if m] if all(found) else None

    return shape


IN_SHELF = r'shelf\.py", line \d+, in (?:read|replace)'
SESSIONS = {
    "declined": session(
        "gdb as it comes: it does not trust what lies beside the interpreter",
        *GDB,
        *commands("-ex", "run", "py-bt"),
        *("--args", "python", f"{HERE}/shelf.py"),
        needs=("gdb", "py-bt", "cores"),
        shape=(
            r"auto-loading has been declined",
            r"add-auto-load-safe-path",
            rf"received signal {CRASHED}",
            r'(Undefined command: "py-bt")',
        ),
    ),
    "crash": session(
        "Where every thread is when the process dies",
        *GDB,
        *SETTINGS,
        *commands("-ex", *SHORT, "run", "thread apply all bt 4"),
        *("--args", "python", f"{HERE}/shelf.py"),
        needs=("gdb", "py-bt", "cores"),
        shape=(rf"received signal {CRASHED}", r"^Thread \d+ \(.*", r"^#0 ", r"^Thread 1 \(.*"),
    ),
    "python": session(
        "The same moment, as Python sees it",
        *GDB,
        *SETTINGS,
        *commands("-ex", "run", "py-bt", "py-list", "py-locals"),
        *("--args", "python", f"{HERE}/shelf.py"),
        needs=("gdb", "py-bt", "cores"),
        shape=(
            rf"received signal {CRASHED}",
            IN_SHELF,
            r"^ >\d+ .*shelf\.(?:first|replace)",
            r"^Locals for (?:read|replace)",
            r"^done = \d+",
        ),
        tries=4,
    ),
    "core": session(
        "A crash without a debugger, and gdb on its core file",
        *("sh", f"{HERE}/core.sh"),
        needs=("gdb", "py-bt", "cores", "core files"),
        shape=(
            r"^exit status (?:139|134|135)",
            rf"terminated with signal {CRASHED}",
            r"^Thread 1 \(",  # the one that died; all of its way from the module to its end
            r"borrowed_ref_broken\.c:\d+",
            r"^Traceback \(most recent call first\)",
            IN_SHELF,
        ),
        tries=4,
    ),
    "child": session(
        "Into a child that crashes",
        *GDB,
        *SETTINGS,
        *commands("-ex", *SHORT, "catch fork", "run", "set follow-fork-mode child"),
        *commands("-ex", "set detach-on-fork off", "continue", "info inferiors", "bt 4", "py-bt"),
        *("--args", "python", f"{HERE}/child.py"),
        needs=("gdb", "py-bt", "cores"),
        shape=(
            r"^Catchpoint 1 \(fork\)",
            r"Catchpoint 1 \(forked process",
            rf"^Thread 2\.\d+ .*received signal {CRASHED}",
            r"^  1 +process",
            r"^\* 2 +process",
            r"^#0 ",
            IN_SHELF,
        ),
        tries=4,
    ),
    "doors": session(
        "Attached to a process that stands still",
        *ATTACH,
        f"{HERE}/doors.py",
        *GDB,
        *SETTINGS,
        *("-p", "PID"),
        *commands("-ex", "thread apply all bt 14", "thread 2", "faas print *first"),
        *commands("-ex", "faas print *second", "thread apply all py-bt 2"),
        needs=("gdb", "py-bt"),
        shape=(
            r"^Thread (3) ",
            r"(hold_both) .*endings_broken\.c:(\d+)",
            r"(doors_leave) .*endings_broken\.c:(\d+)",
            r"^Thread (2) ",
            r"(hold_both) .*endings_broken\.c:(\d+)",
            r"(doors_enter) .*endings_broken\.c:(\d+)",
            r"^\$1 = (.*)",
            r"^\$2 = (.*)",
        ),
    ),
    "solve": session(
        "Three threads, each of which waits for the next",
        *ATTACH,
        f"{HERE}/solve.py",
        *GDB,
        *SETTINGS,
        *("-p", "PID"),
        *commands("-ex", "info threads", "thread apply all bt 14"),
        *commands("-ex", 'printf "owner: LWP %d\\n", library.__data.__owner'),
        *commands("-ex", "thread apply all py-bt"),
        needs=("gdb", "py-bt"),
        shape=_has(
            r"(pthread_mutex_lock) ",
            r"(solve) .*lock_and_world_broken\.c:(\d+)",
            r"(_PyThreadState_Attach)",
            r"(stop_the_world)",
            r"^(owner): LWP \d+",
            r"(Garbage-collecting)",
        ),
    ),
    "by_hand": session(
        "Two calls, made to meet in the window",
        *GDB,
        *SETTINGS,
        *("-x", f"{HERE}/lose.gdb", "--args", "python", f"{HERE}/two_bumps.py"),
        needs=("gdb", "py-bt"),
        shape=(
            r"hit Breakpoint .*lost_update_broken\.c:(\d+)",
            r"^\$1 = (\d+)",
            r"hit Breakpoint .*lost_update_broken\.c:(\d+)",
            r"^\$2 = (\d+)",
            r"^2 calls, counter at (\d+)",
        ),
    ),
    "lldb_crash": session(
        "lldb: where every thread is when the process dies",
        *LLDB,
        *commands("-o", "run"),
        *commands("-k", "bt all", "quit"),
        *("--", "python", f"{HERE}/shelf.py"),
        needs=("lldb", "cores"),
        shape=(rf"stop reason = signal {CRASHED}", r"^\(lldb\) bt all", r"frame #0"),
    ),
    "lldb_doors": session(
        "lldb, attached to the same deadlock",
        *ATTACH,
        f"{HERE}/doors.py",
        *LLDB,
        *("-p", "PID"),
        *commands("-o", "bt all", "thread select 2", "frame select --relative 9", "frame variable"),
        needs=("lldb",),
        shape=(
            r"(doors_enter) \[inlined\] (hold_both)\(.*endings_broken\.c:(\d+)",
            r"(doors_leave) \[inlined\] (hold_both)\(.*endings_broken\.c:(\d+)",
        ),
    ),
    "pytest": session(
        "A test that crashes, under gdb",
        *GDB,
        *SETTINGS,
        *commands("-ex", *SHORT, "run", "bt 3", "py-bt"),
        *("--args", "python", "-m", "pytest", "-x", "-q", "-p", "no:cacheprovider"),
        *("--import-mode=prepend", f"{HERE}/test_shelf.py"),
        needs=("gdb", "py-bt", "cores"),
        shape=(rf"received signal {CRASHED}", r"^#0 ", IN_SHELF),
        tries=4,
    ),
    "two_args": session(
        "What guides write: --args twice",
        *GDB,
        *SETTINGS,
        *commands("-ex", "run"),
        *("--args", "python", "--args", "ext/gdb/shelf.py"),
        needs=("gdb",),
        shape=(r"^(unknown option --args)", r"exited with code (\d+)"),
    ),
    "map_gdb": session(
        "Every command of the map, in gdb",
        *GDB,
        *SETTINGS,
        *commands("-ex", "break lost_update_broken.c:31", *_marked(1, "run")),
        *("--args", "python", f"{HERE}/two_bumps.py"),
        needs=("gdb", "py-bt"),
        shape=functools.partial(answered, 1),
    ),
    "map_lldb": session(
        "Every command of the map, in lldb",
        *LLDB,
        *commands("-o", "breakpoint set -f lost_update_broken.c -l 31", *_marked(2, "run")),
        *("--", "python", f"{HERE}/two_bumps.py"),
        needs=("lldb",),
        shape=functools.partial(answered, 2),
    ),
}
