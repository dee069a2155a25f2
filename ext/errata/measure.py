"""Proofs for the errata page: each does for real what a source says, and then what is right.

Run  racelab record errata [--only E1]      E2, E12, E13 and E16 fetch packages, into a folder that is thrown away
     python ext/errata/measure.py E1 E4     shows the rows and records nothing

A row is one thing that was done: `case`, the `code` it was done to (if any), the `command`, its exit `status`, what
it `said`, and a `verdict` in a few words that depends on nothing but what happened.
"""

from __future__ import annotations

import contextlib
import os
import re
import shlex
import shutil
import statistics
import subprocess
import sys
import sysconfig
import tempfile
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any

import racelab as rl
from racelab import toolbox

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
SNIPPETS = HERE / "snippets"
INCLUDE = sysconfig.get_path("include")
NOT_RUN = "not run here"
SHOWN_LINES = 8
#: How a compiler tells who includes whom.
INCLUDED = re.compile(r"In file included from| {17}from ")
Row = dict[str, Any]


# ---------------------------------------------------------------------------------------------------
# Doing things, and telling of them without a word about the machine
# ---------------------------------------------------------------------------------------------------


class NotHere(Exception):
    """Something that a proof needs is not on this machine; the message says what."""


def told(text: str, *, lines: int = SHOWN_LINES) -> str:
    """What a program said, without this machine's paths and addresses, and not too much of it."""
    for path, name in (
        (INCLUDE, "include/python3.13t"),
        (str(Path.home()), "~"),
        (str(ROOT), "."),
    ):
        text = text.replace(path, name)
    text = re.sub(rf"{re.escape(tempfile.gettempdir())}/[\w./-]*/", "", text)
    text = re.sub(r"\w+://\S+", "(address)", text)
    text = re.sub(r" {2,}\\$", r" \\", text, flags=re.M)
    kept = [line.rstrip() for line in text.strip("\n").splitlines() if not INCLUDED.match(line)]
    if len(kept) > lines:
        kept = [*kept[:lines], "..."]
    return "\n".join(kept)


def shell(
    command: str, folder: Path = SNIPPETS, env: Mapping[str, str] | None = None, **more: Any
) -> subprocess.CompletedProcess[str]:
    """Run a command by bash, both streams as one; this kernel's programs come first."""
    variables = {
        **os.environ,
        "LC_ALL": "C",
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
        "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1",
        "PYTHONDONTWRITEBYTECODE": "1",
        "COLUMNS": "100",
        **(env or {}),
    }
    for name in ("PYTHON_GIL", "TSAN_OPTIONS", "PYTEST_ADDOPTS", "PYTEST_CURRENT_TEST"):
        variables.pop(name, None)
    return subprocess.run(
        ["bash", "-c", command],
        cwd=folder,
        env=variables,
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        timeout=more.pop("timeout", 60),
        **more,
    )


def row(
    case: str, command: str, verdict: str, said: str = "", status: int | None = None, **more: Any
) -> Row:
    return {
        "case": case,
        "command": command,
        "status": status,
        "said": said,
        "verdict": verdict,
        **more,
    }


def code(name: str) -> dict[str, str]:
    """A snippet's text and language, for a row; of a whole module what comes before its definition."""
    languages = {".c": "c", ".py": "python", ".sh": "bash", ".pyx": "cython", ".build": "meson"}
    path = SNIPPETS / name
    shown, module, _ = path.read_text().partition("static struct PyModuleDef ")
    if module and "Py_mod_exec" in shown:
        shown = shown.partition("static PyModuleDef_Slot")[0]
    return {"code": shown.strip("\n"), "language": languages[path.suffix]}


def compiled(
    case: str,
    source: str,
    flags: str = "",
    include: str = INCLUDE,
    compiler: str = "gcc",
    shown: bool = True,
) -> Row:
    """Compile one file to an object file."""
    with tempfile.TemporaryDirectory() as place:
        said = f"{compiler} -Wall -Wextra {flags + ' ' if flags else ''}-c {Path(source).name}"
        done = shell(
            f"{said.replace(Path(source).name, shlex.quote(str(SNIPPETS / source)))} -I{shlex.quote(include)} -o {place}/x.o",
        )
    text = done.stdout.replace(f"{SNIPPETS}/", "").replace(include, INCLUDE)
    verdict = "does not compile" if done.returncode else "compiles"
    if not done.returncode and text.strip():
        verdict = "compiles, with a warning"
    return row(case, said, verdict, told(text), done.returncode, **(code(source) if shown else {}))


def in_child(
    case: str, call: str, module: str | None = None, *, gil: Any = "auto", shown: bool = True
) -> tuple[Row, Any]:
    """Run Python code in a child, with a module of ours; the verdict is how it ended.

    With `gil=1` the GIL has to be on, else off; where it is not, that is the verdict and nothing is returned.
    """
    built = [rl.compile(SNIPPETS / module)] if module else []
    seen = rl.run_child(call, modules=built, gil=gil, timeout_s=30)
    last = seen.traceback.strip().splitlines()[-1:] or [""]
    fatal = next((line for line in seen.stderr.splitlines() if line.startswith("Fatal")), "")
    text = {"code": call.strip(), "language": "python"} if shown else {}
    one = row(case, "", seen.outcome, told(fatal or last[0]), seen.exit_status, **text)
    if seen.gil_enabled not in (None, gil == 1):
        return {**one, "verdict": f"the GIL was {'on' if seen.gil_enabled else 'off'}"}, None
    return one, seen.returned


@contextlib.contextmanager
def throwaway(*packages: str) -> Iterator[Path]:
    """The programs of a new environment for this interpreter, with packages from PyPI; gone at the end.

    Raises:
        NotHere: uv is not here, or did not get the packages.
    """
    uv = shutil.which("uv") or shutil.which(str(ROOT / ".venv-tools/bin/uv"))
    if uv is None:
        raise NotHere("this needs uv, to make an environment")
    with tempfile.TemporaryDirectory() as place:
        base = [uv, "venv", "--quiet", "--seed", "--python", sys.executable, f"{place}/venv"]
        install = [uv, "pip", "install", "--quiet", "--python", f"{place}/venv/bin/python"]
        for command in (base, [*install, *packages] if packages else []):
            if not command:
                continue
            done = subprocess.run(command, capture_output=True, text=True, timeout=120)
            if done.returncode:
                raise NotHere("the packages could not be fetched: is there a network?")
        yield Path(place, "venv", "bin")


def at_once(steps: Iterable[Callable[[], Row]]) -> list[Row]:
    """The rows of steps that have nothing to do with each other: most of them wait for a program to start."""
    with ThreadPoolExecutor(4) as pool:
        return [begun.result() for begun in [pool.submit(step) for step in steps]]


def or_not_run(proof: Callable[[], list[Row]]) -> list[Row]:
    """The rows of a proof, or one that says why there are none."""
    try:
        return proof()
    except NotHere as reason:
        return [row("", "", NOT_RUN, str(reason))]


# ---------------------------------------------------------------------------------------------------
# The proofs
# ---------------------------------------------------------------------------------------------------


def e1() -> list[Row]:
    """Does Py_END_CRITICAL_SECTION take the object?"""
    return at_once(
        [
            partial(compiled, "as printed", "e1-as-printed.c"),
            partial(compiled, "corrected", "e1-corrected.c", shown=False),
        ]
    )


def e2() -> list[Row]:
    """Does meson read the call without its comma?"""

    def proof() -> list[Row]:
        rows = []
        with throwaway("meson", "ninja") as programs:
            for case in ("as printed", "corrected"):
                folder = f"e2-{case.replace(' ', '-')}"
                build = programs.parent / "build" / folder
                path = f"{programs}{os.pathsep}{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
                done = shell(f"meson setup {build}", SNIPPETS / folder, {"PATH": path})
                verdict = "does not configure" if done.returncode else "configures"
                said = re.sub(r"\n+A full log.*", "", done.stdout, flags=re.S)
                if done.returncode:
                    said = said[said.index("meson.build:") :]
                else:
                    said = "".join(re.findall(r"^Build targets.*", said, re.M))
                shown = code(f"{folder}/meson.build") if case == "as printed" else {}
                rows.append(
                    row(case, "meson setup build", verdict, told(said), done.returncode, **shown)
                )
        return rows

    return or_not_run(proof)


def e3() -> list[Row]:
    """What do a semicolon too many, a value too few and a semicolon too few do?"""
    steps = []
    for what in ("endif", "return", "semicolon"):
        for case, shown in (("as printed", True), ("corrected", False)):
            file = f"e3-{what}-{case.replace(' ', '-')}.c"
            steps.append(partial(compiled, f"{what}, {case}", file, shown=shown))
            if what == "return":
                steps.append(partial(_imported, f"{what}, {case}, imported", file))
    return at_once(steps)


def _imported(case: str, source: str) -> Row:
    command = 'python -c "import e3"'
    try:
        return {**in_child(case, "import e3", source, shown=False)[0], "command": command}
    except rl.BuildError:
        return row(case, command, "does not compile")


def e4() -> list[Row]:
    """Does a command after `export NAME=value`, on the same line, run?"""
    scripts = {
        "as printed": "e4-as-printed.sh",
        "corrected, for one command": "e4-corrected.sh",
        "corrected, for all that follow": "e4-export.sh",
    }
    return at_once(partial(_sourced, case, script) for case, script in scripts.items())


def _sourced(case: str, script: str) -> Row:
    with tempfile.TemporaryDirectory() as place:
        shutil.copy(SNIPPETS / "test_options.py", place)
        done = shell(f". {SNIPPETS / script}", Path(place))
    said = re.sub(r"^.*?line \d+: ", "bash: ", done.stdout, flags=re.M)
    said = re.sub(r" in [\d.]+s\b", "", said)
    verdict = "pytest ran" if "1 passed" in done.stdout else "pytest never started"
    return row(case, f"bash {script}", verdict, told(said), done.returncode, **code(script))


def e5() -> list[Row]:
    """What is pytest's -s short for?"""
    options = ("-s", "--capture=no", "--show-capture=all")
    return at_once([_manual, *(partial(_captured, option) for option in options)])


def _manual() -> Row:
    show = "python -m pytest --help | grep -A1 -e '^  -s ' -e '^  --show-capture'"
    done = shell(show)
    said = told(done.stdout)
    short = re.search(r"^  -s +(.*)", said, re.M)
    return row("the manual", show, short[1] if short else "no such option", said, done.returncode)


def _captured(option: str) -> Row:
    with tempfile.TemporaryDirectory() as place:
        shutil.copy(SNIPPETS / "test_options.py", place)
        done = shell(f"TSAN_OPTIONS=exitcode=66 python -m pytest -q {option}", Path(place))
    through = "a line from inside the test" in done.stdout
    return row(
        option,
        f"python -m pytest -q {option}",
        "the test's output comes through" if through else "the test's output is swallowed",
        told(re.sub(r" in [\d.]+s\b", "", done.stdout)),
        done.returncode,
    )


def e6() -> list[Row]:
    """What do two interpreters say that they are?"""
    ask = (
        "import sys, sysconfig as s; print(sys.version.split()[0], [s.get_config_var(n) or 0 "
        "for n in ('Py_GIL_DISABLED', 'Py_DEBUG')])"
    )
    rows = []
    for case, python in (("the kernel of this book", sys.executable), ("another", _other_python())):
        if python is None:
            continue
        done = shell(f"{shlex.quote(python)} -c {shlex.quote(ask)}")
        free = "free-threaded" if "[1," in done.stdout else "with a GIL"
        debug = "a debug build" if ", 1]" in done.stdout else "not a debug build"
        command = f'{Path(python).name} -c "{ask}"'
        rows.append(row(case, command, f"{free}, {debug}", told(done.stdout), done.returncode))
    return rows


def _other_python() -> str | None:
    """An ordinary interpreter before 3.13, with its headers, if there is one."""
    for name in ("python3.12", "python3.11", "python3.10", "python3.9"):
        for folder in os.environ["PATH"].split(os.pathsep):
            found = shutil.which(name, path=folder)
            if found and _headers(found):
                return found
    return None


def _headers(python: str) -> str | None:
    """Where an ordinary interpreter keeps Python.h; None if it is free-threaded or has none."""
    ask = "import sysconfig as s; print(s.get_config_var('Py_GIL_DISABLED') or 0, s.get_path('include'))"
    done = subprocess.run([python, "-c", ask], capture_output=True, text=True, timeout=30)
    free, _, include = done.stdout.strip().partition(" ")
    return include if free == "0" and Path(include, "Python.h").is_file() else None


DEPTHS = """\
import threading, e7
over = threading.Event()
def tick():  # the other thread: shows that it is alive, again and again
    while not over.is_set():
        e7.tick()
        over.wait(0.001)
threading.Thread(target=tick).start()
# PyGILState_Ensure 5 times, PyEval_SaveThread once, then look for ticks
result = e7.ensure_and_save(5, 3000)
over.set()
"""
TAKE_AGAIN = """\
import e7
e7.take_again()  # PyEval_RestoreThread(PyThreadState_Get())
"""
RLOCK = """\
import threading
lock, got = threading.RLock(), []
for _ in range(6):
    lock.acquire()
lock.release()  # once
def come_in():
    got.append(lock.acquire(timeout=0.5))
other = threading.Thread(target=come_in)
other.start()
other.join()
result = got[0]
"""


def e7() -> list[Row]:
    """Has a lock been given back that was taken six times and released once?"""
    depths: Sequence[tuple[str, str, str | None, Any, bool]] = (
        ("threading.RLock, which is re-entrant", RLOCK, None, "auto", True),
        ("the GIL", DEPTHS, "e7.c", 1, True),
        ("the same, where there is no GIL", DEPTHS, "e7.c", "auto", False),
    )
    again = (
        ("taking the GIL again", 1, True),
        ("attaching again, where there is none", "auto", False),
    )
    return at_once(
        [*(partial(_let_in, *each) for each in depths), *(partial(_again, *each) for each in again)]
    )


def _let_in(case: str, call: str, module: str | None, gil: Any, shown: bool) -> Row:
    one, came = in_child(case, call, module, gil=gil, shown=shown)
    came_in = "another thread came in" if came else "no other thread came in"
    return {**one, "verdict": came_in if one["verdict"] == "ok" else one["verdict"]}


def _again(case: str, gil: Any, shown: bool) -> Row:
    return in_child(case, TAKE_AGAIN, "e7.c", gil=gil, shown=shown)[0]


def e8(trials: int = 40) -> list[Row]:
    """How far apart do threads start, with and without the wait?"""
    rows = []
    for case, wait in (("without barrier.wait()", 0), ("with barrier.wait()", 1)):
        seen = rl.run_child(SNIPPETS / "e8.py", args=[str(wait), str(trials)], timeout_s=60)
        if seen.returned is None:
            rows.append(row(case, "", seen.outcome, told(seen.stderr)))
            continue
        apart = sorted((times[-1][0] - times[0][0]) / 1000 for times in seen.returned)
        # A thread had company if somebody else's call was not over when its own began.
        alone = [
            sum(
                1 for i, (begin, _) in enumerate(times) if all(end <= begin for _, end in times[:i])
            )
            for times in seen.returned
        ]
        share = statistics.mean(alone) / len(seen.returned[0])
        said = (
            f"first to last of {len(seen.returned[0])} threads: median {statistics.median(apart):,.0f} us, "
            f"from {apart[0]:,.0f} to {apart[-1]:,.0f} us, in {len(apart)} trials\n"
            f"calls that began when no other was running: {sum(alone)} of {sum(map(len, seen.returned))}"
        )
        rows.append(
            row(
                case,
                f"python e8.py {wait} {trials}",
                "measured",
                said,
                seen.exit_status,
                apart_us=round(statistics.median(apart), 1),
                alone=round(share, 3),
            )
        )
    return rows


def e9() -> list[Row]:
    """Do both ways of guarding the slot do what they should, on two versions?"""
    python = _other_python()
    versions: list[tuple[str, str]] = [("3.13t", INCLUDE)]
    if python:
        versions.append(("an older version", _headers(python) or ""))
    forms = {1: "#ifdef Py_GIL_DISABLED", 2: "#if PY_VERSION_HEX >= 0x030D0000", 3: "no #if"}
    form = "e9-forms.c"
    steps: list[Callable[[], Row]] = [
        partial(compiled, f"{name}, {version}", form, f"-DFORM={number}", include, shown=False)
        for version, include in versions
        for number, name in forms.items()
    ]
    steps += [partial(_gil_after, f"{forms[n]}, imported", n) for n in (1, 2)]
    return [row(form, "", "one file, three ways", **code(form)), *at_once(steps)]


def _gil_after(case: str, form: int) -> Row:
    built = rl.compile(SNIPPETS / "e9-forms.c", flags=[f"-DFORM={form}"])
    seen = rl.run_child("import e9", modules=[built])
    gil = {False: "the GIL stays off", True: "the GIL goes on", None: seen.outcome}
    return row(case, 'python -c "import e9"', gil[seen.gil_enabled], status=seen.exit_status)


MEET = """\
import threading, time, e10
argument, most, end = object(), [0], time.monotonic() + 2
def call():
    while max(most) < 2 and time.monotonic() < end:
        most.append(e10.meet(argument, 20_000))
threads = [threading.Thread(target=call) for _ in range(2)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
result = max(most)
"""


def e10() -> list[Row]:
    """Can two threads be in one function with one argument?"""
    cases = (("the GIL on", 1, True), ("the same, the GIL off", "auto", False))
    return at_once(partial(_met, *each) for each in cases)


def _met(case: str, gil: Any, shown: bool) -> Row:
    one, most = in_child(case, MEET, "e10.c", gil=gil, shown=shown)
    return {**one, "verdict": f"{most} at once" if most else one["verdict"]}


def e11() -> list[Row]:
    """What does a free-threaded 3.13 say to Py_LIMITED_API?"""
    limited = compiled("with the limited API", "e11.c", "-DPy_LIMITED_API=0x030d0000")
    said = [line for line in limited["said"].splitlines() if "#error" in line]
    return [
        {**limited, "said": "\n".join(said[:1]) or limited["said"]},
        compiled("with the whole API", "e11.c", shown=False),
    ]


def e12() -> list[Row]:
    """Is there a CFFI for 3.13t, and for 3.14t?"""

    def proof() -> list[Row]:
        with throwaway() as programs:
            pip = f"{programs}/python -m pip"
            install = shell(f"{pip} install cffi", programs.parent, timeout=120)
            wanted = "--no-deps --only-binary :all: --platform manylinux2014_x86_64"
            fetch = f"pip download {wanted} --python-version 3.14 --abi cp314t cffi"
            wheel = shell(fetch.replace("pip", pip, 1), programs.parent)
        why = re.search(r"^.*RuntimeError: (.*)", install.stdout, re.M)
        if install.returncode and not why:
            raise NotHere("pip could not fetch CFFI: is there a network?")
        name = re.search(r"cffi-\S+\.whl", wheel.stdout)
        return [
            row(
                "on 3.13t",
                "python3.13t -m pip install cffi",
                "no CFFI" if install.returncode else "installed",
                told(why[0].strip()) if why else "",
                install.returncode,
            ),
            row(
                "for 3.14t",
                fetch,
                "a wheel" if name else "no wheel",
                name[0] if name else told(wheel.stdout),
                wheel.returncode,
            ),
        ]

    return or_not_run(proof)


def e13() -> list[Row]:
    """Does the Cython that the source calls current build for 3.13t, and does today's?"""

    def old() -> list[Row]:
        with throwaway("cython==3.0.11", "setuptools") as programs:
            return [_cythonized("3.0.11", f"{programs}/cython")]

    def newest() -> list[Row]:
        with throwaway() as programs:
            fetch = "pip download --no-deps --only-binary :all: cython"
            done = shell(
                fetch.replace("pip", f"{programs}/python -m pip", 1), programs.parent, timeout=60
            )
        name = re.search(r"[Cc]ython-\S+\.whl", done.stdout)
        if not name:
            raise NotHere("pip could not fetch Cython: is there a network?")
        return [
            row(
                "what pip brings",
                fetch,
                "a wheel for any platform" if "none-any" in name[0] else "a compiled wheel",
                name[0],
                done.returncode,
            )
        ]

    rows = [*or_not_run(old), *or_not_run(newest)]
    rows.append(_cythonized(f"{rl.environment().cython}, this book's", "cython"))
    return rows


def _cythonized(case: str, cython: str) -> Row:
    """Translate and compile two lines of Cython."""
    with tempfile.TemporaryDirectory() as place:
        shutil.copy(SNIPPETS / "e13.pyx", place)
        gcc = f"gcc -fPIC -c e13.c -I{shlex.quote(INCLUDE)}"
        done = shell(f"{cython} -3 e13.pyx && {gcc} -o e13.o", Path(place))
    errors = [line for line in done.stdout.splitlines() if "error:" in line]
    return row(
        case,
        "cython -3 e13.pyx && gcc -fPIC -c e13.c",
        "does not compile" if done.returncode else "compiles",
        told("\n".join(errors[:1]) or (done.stdout if done.returncode else "")),
        done.returncode,
    )


LOOKUPS = """\
import threading
lookup("here")
said = []
def there():
    try:
        said.append(repr(lookup("there")))
    except Exception as error:
        said.append(f"{type(error).__name__}: {error}")
other = threading.Thread(target=there)
other.start(); other.join()
result = said[0]
"""


def e14() -> list[Row]:
    """Does an attribute of a threading.local, set while importing, exist in another thread?"""
    rows = []
    for case in ("as printed", "corrected"):
        name = f"e14-{case.replace(' ', '-')}.py"
        one, said = in_child(case, f"{(SNIPPETS / name).read_text()}\n{LOOKUPS}")
        error = str(said).partition(":")[0] if "Error" in str(said) else "finds its own cache"
        rows.append(
            {
                **one,
                "command": 'lookup("there"), in another thread',
                "said": told(str(said)),
                "verdict": error,
                **code(name),
            }
        )
    return rows


def e15() -> list[Row]:
    """What does cygdb say to a build directory without an option?"""
    ways = {"as printed": "build/cp313td/", "corrected": "--build-dir build/cp313td/"}
    return at_once(partial(_cygdb, case, where) for case, where in ways.items())


def _cygdb(case: str, where: str) -> Row:
    """Start it on the notes of a module that Cython has just translated; no gdb is needed for what it says first."""
    with tempfile.TemporaryDirectory() as place:
        build = Path(place, "build/cp313td")
        build.mkdir(parents=True)
        shutil.copy(SNIPPETS / "e13.pyx", build)
        shell("cython -3 --gdb e13.pyx", build)
        command = f"cygdb --gdb-executable true {where} -- --args python -m pytest"
        done = shell(command, Path(place))
    said = [line for line in done.stdout.splitlines() if "warnings.warn" not in line]
    text = re.sub(r"^\S*/(?=Cygdb\.py:)", "", "\n".join(said), flags=re.M)
    found = "starts, and says that it is deprecated" if "deprecated" in text else "starts"
    verdict = found if done.returncode == 0 else "does not start"
    return row(case, command, verdict, told(text), done.returncode)


def e16() -> list[Row]:
    """Who has a py-bt, and does it read this interpreter?"""
    return or_not_run(_py_bt)


def _py_bt() -> list[Row]:
    gdb, lldb = toolbox.find("gdb"), toolbox.find("lldb")
    if gdb is None or lldb is None:
        raise NotHere("this needs gdb and lldb: make tools")
    python = f"--args python {SNIPPETS / 'e16.py'}"
    trust = f"-iex 'add-auto-load-safe-path {toolbox.gdb_extension()}'"
    stopped = f"-o run -o py-bt -k py-bt -- {sys.executable} {SNIPPETS / 'e16.py'}"
    rows = [
        _stack("gdb", f"{gdb} -nx -q -batch {trust} -ex run -ex py-bt {python}"),
        _stack("lldb", f"{lldb} --no-lldbinit --batch {stopped}"),
    ]
    with throwaway("cpython-lldb==0.3.3") as programs:
        (package,) = programs.parent.glob("lib/*/site-packages/cpython_lldb.py")
        more = f"-o 'command script import {package}'"
        rows.append(
            _stack("lldb with cpython_lldb 0.3.3", f"{lldb} --no-lldbinit --batch {more} {stopped}")
        )
    return rows


def _stack(case: str, command: str) -> Row:
    done = shell(command)
    said = re.split(r"^\(lldb\) py-bt$|received signal SIGTRAP.*$", done.stdout, flags=re.M)[-1]
    if "in innermost" in said and "in outer" in said:
        verdict = "both functions"
    elif "not a valid command" in said:
        verdict = "no such command"
    else:
        verdict = "no traceback" if "No Python traceback found" in said else "something else"
    shown = re.sub(r"(?<= )/\S*/", "", command.replace(sys.executable, "python"))
    shown = re.sub(r"^\S*/", "", shown)
    return row(case, shown, verdict, told(said.replace(f"{SNIPPETS}/", "")), done.returncode)


def n1() -> list[Row]:
    """Is freethreading_compatible=true, in lower case, an error?"""
    return at_once(
        [
            partial(
                _directive,
                "lower case, on the command line",
                "e13.pyx",
                "-X freethreading_compatible=true ",
            ),
            partial(_directive, "lower case, in a comment", "n1_lower.pyx"),
            partial(_directive, "as Python writes it, in a comment", "n1_upper.pyx"),
        ]
    )


def _directive(case: str, source: str, options: str = "") -> Row:
    with tempfile.TemporaryDirectory() as place:
        shutil.copy(SNIPPETS / source, place)
        command = f"cython -3 {options}{source}"
        done = shell(f"{command} -o x.c", Path(place))
    said = [line for line in done.stdout.splitlines() if "directive must" in line]
    verdict = "refused" if done.returncode else "accepted"
    text = "\n".join(said) or (done.stdout if done.returncode else "")
    return row(case, command, verdict, told(text), done.returncode)


RACES: Sequence[Mapping[str, Any]] = []
MEASUREMENTS = {
    name.upper(): function
    for name, function in list(globals().items())
    if re.fullmatch(r"[en]\d+", name)
}
DEPENDS: Sequence[str] = ()


if __name__ == "__main__":
    for wanted in sys.argv[1:] or MEASUREMENTS:
        for one in MEASUREMENTS[wanted]():
            print(f"-- {wanted}, {one['case']}: {one['verdict']} (status {one['status']})")
            print(f"$ {one['command']}\n{one['said']}\n")
