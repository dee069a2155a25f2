"""Tools that are not ours: debuggers, clang, symbolizers, interpreters for sanitizers. Where, which, what fails.

The versions that the book is made with: gdb as Debian 12 has it, and LLVM 19 (clang-19, lldb-19, llvm-symbolizer-19),
because the ThreadSanitizer interpreter is built with clang-19 and a module must be compiled by the same. Where those
are missing others do, from 18 on: Debian 12's unversioned `clang` and `lldb` are 14, which is too old.
"""

from __future__ import annotations

import contextlib
import functools
import json
import os
import platform
import re
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from racelab.build import cache_folder
from racelab.outside import Output, run
from racelab.reports import LLVM, sanitizer_options, symbolizer, unable

if TYPE_CHECKING:
    from racelab.doctor import Check

__all__ = ["NEEDS", "checks", "find", "gdb_extension", "missing", "versions"]

#: Older clangs' ThreadSanitizer dies at start on kernels with much address-space randomisation.
OLDEST_LLVM = 18
ASK_S = 30.0
INSTALL = "make tools"
NAMES = ("gdb", "lldb", "clang", "gcc", "llvm-symbolizer")
#: Those whose name may end with their version; `reports.symbolizer` looks for the last one.
OF_LLVM = ("lldb", "clang")
_REFUSED = re.compile(
    r"Could not trace the inferior|ptrace: Operation not permitted|PTRACE_\w+.*(?:not permitted|failed)"
    r"|process launch failed|Operation not permitted\.\n*$",
    re.IGNORECASE,
)
#: What `py-bt` prints of a frame that it cannot read.
_UNREADABLE = "(unable to read python frame information)"
#: A thread in Python code, of which a debugger shall show the line.
_PROBE = """
import os, signal

def innermost():
    os.kill(os.getpid(), signal.SIGTRAP)

def outer():
    innermost()

outer()
"""


def find(tool: str) -> str | None:
    """Where a tool is, or None. RACELAB_GDB, RACELAB_LLDB, RACELAB_CLANG, RACELAB_LLVM_SYMBOLIZER name one.

    Of LLVM's the version that the book is made with, else the newest, whether or not its name says so.

    Raises:
        ValueError: there is no such tool.
    """
    if tool not in NAMES:
        raise ValueError(f"{tool!r} is not one of {', '.join(NAMES)}.")
    if tool == "llvm-symbolizer":
        return symbolizer()
    named = _named(tool)
    if named:
        return shutil.which(named)
    if tool not in OF_LLVM:
        return shutil.which(tool)
    return shutil.which(f"{tool}-{LLVM}") or max(_of_any_version(tool), default=(0, None))[1]


def _named(tool: str) -> str | None:
    return os.environ.get(f"RACELAB_{tool.upper().replace('-', '_')}")


def _of_any_version(tool: str) -> Iterator[tuple[int, str]]:
    """Major version and path of each on PATH."""
    for folder in os.get_exec_path():
        for path in Path(folder or ".").glob(f"{tool}-[0-9]*"):
            major = path.name.removeprefix(f"{tool}-")
            if major.isdigit() and os.access(path, os.X_OK):
                yield int(major), str(path)
    plain = shutil.which(tool)
    if plain:
        yield _major(plain), plain


def _major(program: str) -> int:
    """The first number of a program's version; 0 where it does not say."""
    found = re.search(r"(\d+)\.\d", _version_of(program))
    return int(found[1]) if found else 0


def too_old(tool: str) -> str:
    """Why a tool of LLVM that is here does not do, or "". One that a variable names does."""
    program = find(tool) if tool in OF_LLVM and not _named(tool) else None
    major = _major(program) if program else OLDEST_LLVM
    return f"{tool} {number(tool)} is older than {OLDEST_LLVM}" if 0 < major < OLDEST_LLVM else ""


@functools.lru_cache(maxsize=32)
def _version(program: str, _mtime: int) -> str:
    first = run([program, "--version"], timeout_s=ASK_S).text.strip().splitlines()
    telling = next((line for line in first if re.search(r"\d+\.\d+", line)), "")
    return telling.strip()


def _version_of(program: str) -> str:
    return _version(program, Path(program).stat().st_mtime_ns)


def version(tool: str) -> str:
    """A tool's version in its own words, or "" where it is not there."""
    program = find(tool)
    return _version_of(program) if program else ""


def number(tool: str) -> str:
    """Its version's number alone, e.g. "13.1"."""
    found = re.findall(r"(\d+\.\d[\w.]*)", version(tool))
    # "GNU gdb (Debian 13.1-3) 13.1", "gcc (Debian 12.2.0-14) 12.2.0": the last one is its own.
    gnu = tool in ("gdb", "gcc")
    return str(found[-1]) if gnu and found else str(found[0]) if found else ""


# ---------------------------------------------------------------------------------------------------
# gdb and the interpreter
# ---------------------------------------------------------------------------------------------------


def gdb_extension(python: str | Path | None = None) -> Path | None:
    """CPython's own extension of gdb, which came with an interpreter; it knows `py-bt`.

    Args:
        python: the interpreter. Default: this one.
    """
    real = Path(os.path.realpath(python or sys.executable))
    exact = real.with_name(f"{real.name}-gdb.py")
    if exact.is_file():
        return exact
    # Debian's own interpreters have theirs where gdb looks by itself.
    packaged = Path(f"/usr/share/gdb/auto-load{real}-gdb.py")
    return packaged if packaged.is_file() else None


def gdb_command(gdb: str, python: str | Path | None = None, *, batch: bool) -> list[str]:
    """gdb without the user's own settings, with CPython's extension, up to what it shall debug."""
    words = [gdb, "-nx", "-q"]
    settings = [
        "set pagination off",
        "set confirm off",
        "set debuginfod enabled off",
        "set print thread-events off",
        "set print inferior-events off",
        "set startup-with-shell off",
        "set breakpoint pending on",
    ]
    if batch:
        words.append("-batch")
        settings += ["set width 0", "set style enabled off", "set print frame-arguments scalars"]
    extension = gdb_extension(python)
    if extension is not None:  # gdb finds it beside the interpreter, and asks whether that is safe
        settings.append(f"add-auto-load-safe-path {extension}")
    return [*words, *(word for setting in settings for word in ("-iex", setting))]


def lldb_command(lldb: str, *, batch: bool) -> list[str]:
    """lldb without the user's own settings."""
    words = [lldb, "--no-lldbinit"]
    settings = ["settings set use-color false", "settings set auto-confirm true"]
    if batch:
        words.append("--batch")
        settings += [
            "settings set stop-line-count-before 0",
            "settings set stop-line-count-after 0",
        ]
    return [*words, *(word for setting in settings for word in ("-O", setting))]


@dataclass(frozen=True)
class _Probed:
    """What a debugger could do with a small program.

    Attributes:
        traces: it could start and stop it.
        python: `py-bt` named the program's functions.
        unreadable: `py-bt` ran and could read no frame: gh-142095.
        output: what it printed.
    """

    traces: bool
    python: bool
    unreadable: bool
    output: Output


@functools.lru_cache(maxsize=8)
def probe(debugger: str, python: str = sys.executable) -> _Probed:
    """Let a debugger (gdb, lldb) loose on a program that stops itself; asked once per process."""
    program = find(debugger)
    if program is None:
        return _Probed(False, False, False, Output(f"{debugger} is not here", 127))
    with tempfile.TemporaryDirectory(prefix="racelab-") as folder:
        script = Path(folder, "probe.py")
        script.write_text(_PROBE, encoding="utf-8")
        if debugger == "gdb":
            command = gdb_command(program, python, batch=True)
            command += ["-ex", "run", "-ex", "py-bt", "--args", python, str(script)]
        else:
            command = lldb_command(program, batch=True)
            # lldb calls this signal a trace, and goes on with its commands; a crash ends them.
            command += ["-o", "run", "-o", "bt", "-k", "bt", "--", python, str(script)]
        seen = run(command, timeout_s=ASK_S)
    text = seen.text
    stopped = re.search(r"received signal SIGTRAP|stop reason = ", text)
    traces = stopped is not None and not _REFUSED.search(text)
    return _Probed(traces, "in innermost" in text, _UNREADABLE in text, seen)


def refused(text: str) -> bool:
    """Whether a debugger's output says that it may not trace another process."""
    return _REFUSED.search(text) is not None


# ---------------------------------------------------------------------------------------------------
# What a session may need
# ---------------------------------------------------------------------------------------------------


def _needs_debugger(name: str) -> str:
    if lacking := _needs_tool(name):
        return lacking
    return "" if probe(name).traces else f"{name} may not trace a process here"


def _needs_py_bt() -> str:
    """Without a gdb that may trace there is no telling, and no other reason to name."""
    works = "" if probe("gdb").python else "py-bt does not work on this interpreter"
    return _needs_debugger("gdb") or works


def _needs_tool(name: str) -> str:
    if find(name) is None:
        return f"no {name} here ({'apt-get install gcc' if name == 'gcc' else INSTALL})"
    old = too_old(name)
    return f"{old} ({INSTALL})" if old else ""


def _needs_interpreter(flavor: str) -> str:
    python = interpreter_of(flavor)
    if python is None:
        return f"no {flavor} interpreter here (make {flavor})"
    runs = _says(flavor, python).answer
    return "" if runs else f"the {flavor} interpreter does not run here (racelab doctor says why)"


def _needs_network() -> str:
    return (
        "" if os.environ.get("RACELAB_NETWORK") == "1" else "needs the network: RACELAB_NETWORK=1"
    )


def _needs_cores() -> str:
    from racelab.machine import cores_usable

    return "" if cores_usable() >= 2 else "one core alone"


#: Where the kernel puts the memory of a process that dies of a signal.
CORE_PATTERN = Path("/proc/sys/kernel/core_pattern")


def _needs_core_files() -> str:
    """A program or another folder may get them: then there is none where the process died."""
    where = CORE_PATTERN.read_text().strip() if CORE_PATTERN.exists() else "to nobody"
    return "" if re.fullmatch(r"core(\.%p)?", where) else f"core files go elsewhere here ({where})"


NEEDS: dict[str, Callable[[], str]] = {
    "gdb": functools.partial(_needs_debugger, "gdb"),
    "lldb": functools.partial(_needs_debugger, "lldb"),
    "clang": functools.partial(_needs_tool, "clang"),
    "gcc": functools.partial(_needs_tool, "gcc"),
    "llvm-symbolizer": functools.partial(_needs_tool, "llvm-symbolizer"),
    "tsan": functools.partial(_needs_interpreter, "tsan"),
    "asan": functools.partial(_needs_interpreter, "asan"),
    "debug": functools.partial(_needs_interpreter, "debug"),
    "py-bt": _needs_py_bt,
    "core files": _needs_core_files,
    "network": _needs_network,
    "cores": _needs_cores,
}
"""What a session can say that it needs, and how to know: "" if it is here, else why not."""


def missing(needs: Sequence[str]) -> list[str]:
    """What of these is not here, in words; empty where all is.

    Raises:
        ValueError: nobody knows what one of them is.
    """
    unknown = [one for one in needs if one not in NEEDS]
    if unknown:
        raise ValueError(f"needs={unknown}: known are {', '.join(NEEDS)}.")
    return [why for why in dict.fromkeys(NEEDS[one]() for one in needs) if why]


def versions(needs: Sequence[str]) -> list[str]:
    """Tools and versions, e.g. ["gdb 13.1", "clang 19.1.7"], of those of these that are programs.

    An interpreter with a sanitizer counts as the compiler that has built it, whose sanitizer it is.
    """
    found = [f"{one} {number(one)}" for one in needs if one in NAMES and find(one)]
    found += [
        compiler for flavor, _ in FLAVORS if flavor in needs for compiler in _built_by(flavor)
    ]
    return list(dict.fromkeys(found))


def _built_by(flavor: str) -> list[str]:
    python = interpreter_of(flavor)
    if python is None:
        return []
    said = _says(flavor, python).answer.get("compiler", "")
    found = re.match(r"(gcc|clang) (\d[\w.]*)", said.lower())
    return [found[0]] if found else []


# ---------------------------------------------------------------------------------------------------
# Interpreters that `make tsan`, `make asan` and `make debug` have made
# ---------------------------------------------------------------------------------------------------

FLAVORS = (
    ("tsan", "ThreadSanitizer"),
    ("asan", "AddressSanitizer"),
    ("debug", "debug interpreter"),
)
#: As in tools/_store.py, which writes the stamp into a finished interpreter; a test compares.
STAMP = "racelab-python.json"
MADE_BY = "racelab tools/interpreter.py"
RECIPE = 1
_MACHINES = {"amd64": "x86_64", "arm64": "aarch64"}


def interpreter_of(flavor: str) -> str | None:
    """The interpreter that RACELAB_TSAN_PYTHON and the like name, else the one that `make tsan`, `make asan`
    or `make debug` has made, or None. Of several the newest; what is not finished, or made by another recipe
    than today's, is none."""
    named = os.environ.get(f"RACELAB_{flavor.upper()}_PYTHON")
    if named:
        return shutil.which(named)
    series = f"{sys.version_info.major}.{sys.version_info.minor}"
    for folder in _made(f"{series}t", flavor):
        for name in (f"python{series}td", f"python{series}t"):
            if os.access(folder / "bin" / name, os.X_OK):
                return str(folder / "bin" / name)
    return None


def _made(py: str, flavor: str) -> list[Path]:
    """Folders of the finished interpreters, newest first."""
    found: list[tuple[list[int], str, Path]] = []
    for path in cache_folder().with_name("python").glob(f"*/{STAMP}"):
        stamp: dict[str, Any] = {}
        with contextlib.suppress(OSError, ValueError, TypeError):
            stamp = dict(json.loads(path.read_text(encoding="utf-8")))
        machine = platform.machine().lower()
        wanted = {
            "made_by": MADE_BY,
            "py": py,
            "flavor": flavor,
            "machine": _MACHINES.get(machine, machine),
            "recipe": RECIPE,
            "prefix": str(path.parent),
        }
        compiles = flavor == "debug" or shutil.which(str(stamp.get("cc")))
        if compiles and all(stamp.get(name) == value for name, value in wanted.items()):
            numbers = [int(part) for part in re.findall(r"\d+", str(stamp.get("version")))]
            found.append((numbers, str(stamp.get("date")), path.parent))
    return [folder for *_, folder in sorted(found, reverse=True)]


_WHAT = """
import json, platform
print(json.dumps({"version": platform.python_version(), "compiler": platform.python_compiler()}))
"""


@dataclass(frozen=True)
class _Asked:
    """What an interpreter says of itself; no answer where it does not run.

    Attributes:
        answer: "version" and "compiler".
        output: all that it printed.
    """

    answer: dict[str, str]
    output: Output


@functools.lru_cache(maxsize=8)
def _asked(flavor: str, python: str, _mtime: int) -> _Asked:
    """Start an interpreter; asked once per process, as long as it is the same."""
    env: dict[str, str | None] = {}
    if flavor != "debug":
        env.update(sanitizer_options({"tsan": "thread", "asan": "address"}[flavor]))
    seen = run([python, "-I", "-c", _WHAT], timeout_s=ASK_S, env=env)
    answer: dict[str, str] = {}
    if seen.status == 0:
        with contextlib.suppress(ValueError, IndexError):
            answer = dict(json.loads(seen.text.strip().splitlines()[-1]))
    return _Asked(answer, seen)


def _says(flavor: str, python: str) -> _Asked:
    return _asked(flavor, python, Path(python).stat().st_mtime_ns)


# ---------------------------------------------------------------------------------------------------
# For the doctor
# ---------------------------------------------------------------------------------------------------


def checks() -> list[Check]:
    """What `racelab doctor` says about all of these; none of them keeps the book from being read."""
    jobs: list[Callable[[], Check]] = [_gdb]
    if find("gdb"):
        jobs += [_py_bt, _cygdb]
    jobs.append(_lldb)
    jobs += [functools.partial(_program, tool) for tool in ("clang", "llvm-symbolizer")]
    jobs += [functools.partial(_flavor, *each) for each in FLAVORS]
    with ThreadPoolExecutor(len(jobs)) as pool:  # each mostly waits for a program to start
        return list(pool.map(lambda job: job(), jobs))


def _program(tool: str) -> Check:
    from racelab.doctor import Check

    where = find(tool)
    if where is None:
        return Check(tool, None, "not found", f"{INSTALL}, for the chapters on sanitizers.")
    old = f"{INSTALL}: {too_old(tool)}." if too_old(tool) else ""
    return Check(tool, None, f"{number(tool)}, {where}", old)


def _flavor(flavor: str, name: str) -> Check:
    from racelab.doctor import Check

    python = interpreter_of(flavor)
    if python is None:
        return Check(name, None, "no interpreter built with it", f"make {flavor}: minutes.")
    seen = _says(flavor, python)
    if not seen.answer:
        last = (seen.output.text.strip().splitlines() or [seen.output.ending])[-1]
        variable = f"RACELAB_{flavor.upper()}_PYTHON"
        again = f"make {flavor} builds it again."
        if os.environ.get(variable):
            again = f"Set {variable} to one that runs, or unset it."
        advice = unable(seen.output.text) or again
        return Check(name, None, f"{python} does not run: {last[:200]}", advice)
    compiler = seen.answer.get("compiler", "")
    return Check(name, None, f"{seen.answer.get('version')}, built by {compiler}, {python}")


def _debugger(name: str, version: str, note: str, advice: str = "") -> Check:
    """gdb or lldb: whether it is here, and may do its work."""
    from racelab.doctor import Check

    if find(name) is None:
        install = f"{INSTALL}; till then sessions are shown as recorded."
        return Check(name, None, "not found", install)
    if not probe(name).traces:
        return Check(name, None, f"{version}; it may not trace a process here", _TRACE_ADVICE)
    old = f"{INSTALL}: {too_old(name)}." if too_old(name) else ""
    return Check(name, None, f"{version}, {note}", old or advice)


def _gdb() -> Check:
    from racelab.doctor import Check

    where, version = find("gdb"), number("gdb")
    if where is not None:
        asked = [where, "-nx", "-batch", "-ex", "python print(40 + 2)"]
        if run(asked, timeout_s=ASK_S).text.strip() != "42":
            advice = "Install a gdb built with Python: py-bt needs it."
            return Check("gdb", None, f"{version}, without Python", advice)
    return _debugger("gdb", version, "with Python, starts and stops programs")


_TRACE_ADVICE = (
    "In a container: run it with --cap-add=SYS_PTRACE; else sessions are shown as recorded."
)


def _py_bt() -> Check:
    from racelab.doctor import Check

    extension = gdb_extension()
    if extension is None:
        return Check(
            "py-bt",
            None,
            "no python-gdb.py beside this interpreter",
            "It comes with an interpreter built from source: RACELAB_PYTHON unset, make env.",
        )
    seen = probe("gdb")
    if seen.python:
        return Check("py-bt", None, f"works on this interpreter ({extension.name})")
    if seen.unreadable:
        return Check("py-bt", None, "cannot read this interpreter's frames", _PY_BT_ADVICE)
    return Check(
        "py-bt", None, "does not work here", "Look: gdb -batch -ex 'info auto-load python-scripts'."
    )


_PY_BT_ADVICE = (
    "Known: gh-142095, gh-142096, optimised builds of 3.13.3 to 3.13.11 and 3.14.0 to 3.14.2. "
    "Take a later one, or `make debug`."
)


#: Has cygdb write its script for gdb, reads the Python in it, and looks for the file that it runs.
_CYGDB_PROBE = """
import os, re
import Cython
from Cython.Debugger import Cygdb
print("Cython", Cython.__version__)
name = Cygdb.make_command_file(None, no_import=True)
text = open(name).read()
os.unlink(name)
for block in re.findall(r"^python\\n(.*?)^end$", text, re.M | re.S):
    compile(block, "script", "exec")
venv = os.environ.get("VIRTUAL_ENV")
if venv and "activate_this.py" in text:
    open(os.path.join(venv, "bin", "activate_this.py"))
print("whole")
"""
_CY_GDB = "gdb -x ext/cygdb/cy.gdb --args python program.py; see chapter 17."
#: What else is wrong with its commands (chapter 17's table), up to the last version that was looked at.
_CY_LOOKED_AT = (3, 3, 1)
_CY_COMMANDS = f"Up to 3.3.1 `cy print` and `cy globals` fail, and `cy break -p` never stops. Instead: {_CY_GDB}"


def _cygdb() -> Check:
    import importlib.util

    from racelab.doctor import Check

    if importlib.util.find_spec("Cython") is None:
        return Check("cygdb", None, "no Cython here")
    seen = run([sys.executable, "-P", "-c", _CYGDB_PROBE], timeout_s=ASK_S).text.strip()
    said = re.search(r"^Cython (\d[\w.]*)$", seen, re.M)
    of = f"of Cython {said[1]}" if said else "installed"
    if seen.endswith("whole"):
        numbers = tuple(int(part) for part in re.findall(r"\d+", said[1])) if said else ()
        venv = "In an activated virtual environment it does not start (cython#1961). "
        advice = (venv if numbers < (3, 3) else "") + _CY_COMMANDS
        known = numbers[:3] <= _CY_LOOKED_AT
        return Check("cygdb", None, f"{of}, starts", advice if known else "")
    if "SyntaxError" in seen:
        return Check(
            "cygdb",
            None,
            f"{of}, does not start: the script that it writes for gdb is no Python",
            f"A fault of Cython 3.3.0 and 3.3.1. Its commands work all the same: {_CY_GDB}",
        )
    if "activate_this.py" in seen:
        return Check(
            "cygdb",
            None,
            f"{of}, does not start in a virtual environment: no activate_this.py",
            f"A fault of Cython up to 3.2 (cython#1961). Unset VIRTUAL_ENV, or: {_CY_GDB}",
        )
    return Check("cygdb", None, f"{of}, does not start", seen[-200:])


#: The last version that loses its way in a function of which gcc has put a cold part elsewhere.
_COLD_PARTS = 20


def _lldb() -> Check:
    where = find("lldb")
    advice = ""
    if where is not None and 0 < _major(where) <= _COLD_PARTS:
        advice = (
            f"Up to LLVM {_COLD_PARTS} it gets lost where gcc puts a function's cold part elsewhere: "
            "compile with -fno-reorder-blocks-and-partition. `racelab debug` does."
        )
    version = f"{number('lldb')}, {where}"
    return _debugger("lldb", version, "starts and stops programs (it has no py-bt)", advice)
