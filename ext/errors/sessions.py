"""The errors of the chapter, each met on purpose, and then cured, by commands that one would type.

Run  racelab record errors [--only detached]    those that fetch packages: with RACELAB_NETWORK=1

Each runs in a copy of this folder that is thrown away. There `python` is this interpreter (or, where packages are
fetched, one of an environment of its own), `python3.13` a build with a GIL, $INC, $INC_GIL and $INC_OLD are the folders
of three versions' Python.h.
"""

from __future__ import annotations

import functools
import os
import re
import shutil
import subprocess
import sys
import sysconfig
import tempfile
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from racelab import toolbox
from racelab.outside import Output, run
from racelab.sessions import Session

HERE = Path(__file__).resolve().parent
DEPENDS = ["interpreter"]

#: Which version, whether it has a GIL, and where its Python.h should be.
ASK = "import sys, sysconfig as s; print(*sys.version_info[:2], s.get_config_var('Py_GIL_DISABLED') or 0, s.get_path('include'))"
#: What pip and uv say that is of this machine or of this day alone.
CHATTER = re.compile(r"^(?:Looking in |\[notice\]|WARNING: Cache|Using Python |\s+Downloading )")


# ---------------------------------------------------------------------------------------------------
# Interpreters with a GIL, where there are any
# ---------------------------------------------------------------------------------------------------


@functools.cache
def other(*versions: str) -> tuple[str, str] | None:
    """An interpreter with a GIL of one of these versions, and the folder of its Python.h."""
    return next(_with_headers(versions), None)


def _with_headers(versions: tuple[str, ...]) -> Iterator[tuple[str, str]]:
    pyenv = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv"), "versions")
    uv = Path.home() / ".local/share/uv/python"
    for version in versions:
        name = f"python{version}"
        places = [*pyenv.glob(f"{version}.*/bin/{name}"), *uv.glob(f"*{version}.*/bin/{name}")]
        on_path = shutil.which(name)
        for place in [*sorted(map(str, places)), *([on_path] if on_path else [])]:
            said = subprocess.run([place, "-c", ASK], capture_output=True, text=True).stdout
            *found, gil, include = said.strip().split(" ", 3) if said else ["", "1", ""]
            if gil == "0" and ".".join(found) == version and Path(include, "Python.h").is_file():
                yield place, include


def gil_build() -> tuple[str, str] | None:
    return other("3.13")


def old_python() -> tuple[str, str] | None:
    return other("3.12", "3.11", "3.10")


def _needs_setarch() -> str:
    try:
        tried = subprocess.run(["setarch", "-L", "true"], capture_output=True)
    except OSError:
        return "no setarch here"
    return "" if tried.returncode == 0 else "setarch may not change a process here"


MORE_NEEDS: Mapping[str, Callable[[], str]] = {
    "gil build": lambda: "" if gil_build() else "no Python 3.13 with a GIL and its headers here",
    "old headers": lambda: "" if old_python() else "no older Python with its headers here",
    "setarch": _needs_setarch,
    "uv": lambda: "" if _uv() else "no uv here",
}


@dataclass(frozen=True)
class Here(Session):
    """A session that needs more than `toolbox.NEEDS` knows."""

    also: tuple[str, ...] = ()

    def missing(self) -> list[str]:
        """What it needs and is not here, in words."""
        mine = [why for why in (MORE_NEEDS[one]() for one in self.also) if why]
        return [*super().missing(), *mine]


# ---------------------------------------------------------------------------------------------------
# A terminal
# ---------------------------------------------------------------------------------------------------


def _uv() -> str | None:
    return shutil.which("uv") or shutil.which(str(HERE.parents[1] / ".venv-tools/bin/uv"))


def _interpreters(place: Path) -> dict[str, str]:
    """Variables for a shell, with links to the interpreters that there are."""
    programs = place / "programs"
    programs.mkdir()
    known = {
        "python3.13": (gil_build() or ("", ""))[0],
        "python-debug": toolbox.interpreter_of("debug"),
        "python-tsan": toolbox.interpreter_of("tsan"),
    }
    for name, where in known.items():
        if where:
            (programs / name).symlink_to(where)
    variables = {
        "INC": sysconfig.get_path("include"),
        "INC_GIL": (gil_build() or ("", ""))[1],
        "INC_OLD": (old_python() or ("", ""))[1],
        "SUFFIX": sysconfig.get_config_var("EXT_SUFFIX"),
        "PYTHONDONTWRITEBYTECODE": "1",
        "PYTHONPATH": "",
        "MAKEFLAGS": "",
        "MAKELEVEL": "",
        "PIP_FIND_LINKS": "",
        "PIP_PROGRESS_BAR": "off",
        "COLUMNS": "200",
    }
    debug = toolbox.interpreter_of("debug")
    if debug:
        include = [debug, "-c", "import sysconfig as s; print(s.get_path('include'))"]
        variables["INC_DEBUG"] = subprocess.run(include, capture_output=True, text=True).stdout[:-1]
    return variables


def _tidy(text: str, words: Mapping[str, str]) -> str:
    for path, word in sorted(words.items(), key=lambda item: -len(item[0])):
        text = text.replace(path, word) if path else text
    text = re.sub(r"\(https?://[^)\s]*\)", "", text)
    lines = [line for line in text.splitlines() if not CHATTER.match(line)]
    text = "\n".join(lines)
    text = re.sub(r"^(?:bash|/bin/bash): line \d+: ", "bash: ", text, flags=re.M)
    return re.sub(r"\w+://(?!github\.com|docs\.python)\S+", "(address)", text)


def terminal(
    *steps: str, timeout_s: float = 60.0, environment: bool = False, keep: str = ""
) -> Callable[[], Output]:
    """Type these, one after the other, in a copy of this folder; how each ended is said where it was not 0.

    Args:
        steps: for bash.
        timeout_s: for each.
        environment: make `python` one of an environment of its own, with pip in it.
        keep: lines of the output to keep, a regular expression; "": all.
    """

    def go() -> Output:
        with tempfile.TemporaryDirectory(prefix="errors-") as temporary:
            place = Path(temporary)
            work = place / "here"
            shutil.copytree(HERE, work, ignore=shutil.ignore_patterns("sessions.py", "__pycache__"))
            for file in (HERE.parent / "interpreter").glob("*.c"):
                shutil.copy(file, work)
            variables = _interpreters(place)
            first = Path(sys.executable).parent
            words = {
                str(work) + os.sep: "",
                str(work): ".",
                str(first.parent): ".venv-ft",
                (gil_build() or ("", ""))[1]: "include/python3.13",
                (old_python() or ("", ""))[1]: "include/python3",
                variables["INC"]: "include/python3.13t",
            }
            if environment:
                made = run(
                    [
                        _uv() or "uv",
                        "venv",
                        "-q",
                        "--seed",
                        "--python",
                        sys.executable,
                        place / "venv",
                    ]
                )
                if made.status != 0:
                    return Output(_tidy(made.text, words), made.status)
                first = place / "venv/bin"
                words[str(place / "venv")] = "venv"
            path = os.pathsep.join([str(place / "programs"), str(first), os.environ["PATH"]])
            return _typed(steps, work, {**variables, "PATH": path}, words, timeout_s, keep)

    return go


def _typed(
    steps: tuple[str, ...],
    work: Path,
    variables: Mapping[str, str],
    words: Mapping[str, str],
    timeout_s: float,
    keep: str,
) -> Output:
    said: list[str] = []
    seconds = 0.0
    for number, step in enumerate(steps):
        seen = run(["bash", "-c", step], timeout_s=timeout_s, env=variables, folder=work)
        seconds += seen.seconds
        lines = [line for line in _tidy(seen.text, words).splitlines() if re.search(keep, line)]
        said += [f"$ {step}"] if number else []
        said += [line for line in lines if line.strip()]
        if seen.status != 0:
            said.append(f"({seen.ending})")
    return Output("\n".join(said), seen.status, seen.ended_by, seconds)


#: Where a long command may be continued on the next line: outside of quotes alone.
JOINTS = re.compile(r"('[^']*'|\"[^\"]*\")|(?<=;) | (?=&& |--python-version )")


def _folded(step: str, width: int = 80) -> str:
    """A command as one types it that is too long for a line: continued on the next."""
    parts = JOINTS.sub(lambda found: found[1] or "\n", step).splitlines()
    lines = parts[:1]
    for part in parts[1:]:
        if len(lines[-1]) + len(part) < width:
            lines[-1] += f" {part}"
        else:
            lines[-1] += "" if lines[-1].endswith(";") else " \\"
            lines.append(f"    {part}")
    return "\n".join(lines)


def errors(
    title: str, *steps: str, shape: tuple[str, ...], needs: tuple[str, ...] = (), **more: object
) -> Here:
    """A session of such steps; with "network" among its needs `python` has an environment of its own."""
    steps = tuple(map(_folded, steps))
    network = "network" in needs
    also = tuple(one for one in needs if one in MORE_NEEDS) + (("uv",) if network else ())
    keep = str(more.pop("keep", ""))
    timeout_s = 240.0 if network else 60.0
    return Here(
        title=title,
        command=steps[0],
        run=terminal(*steps, timeout_s=timeout_s, environment=network, keep=keep),
        needs=tuple(one for one in needs if one not in MORE_NEEDS),
        also=also,
        shape=shape,
        **more,  # type: ignore[arg-type]
    )


# ---------------------------------------------------------------------------------------------------
# The sessions
# ---------------------------------------------------------------------------------------------------

FETCH = "python -m pip download -q --no-deps --only-binary :all: --platform manylinux2014_x86_64"
GCC = "gcc -shared -fPIC -I$INC"
FLAGS = "gcc -Wall -Wextra -fPIC -c -I$INC"

SESSIONS = {
    # When you install ------------------------------------------------------------------------------
    "no_wheel": errors(
        "A package without a wheel for 3.13t",
        "python -m pip install --only-binary :all: ujson",
        f"{FETCH} --python-version 3.13 --abi cp313 ujson && ls *.whl",
        f"{FETCH} --python-version 3.14 --abi cp314t ujson && ls *-cp314t-*.whl",
        needs=("network",),
        shape=(
            r"^ERROR: Could not find a version that satisfies the requirement (ujson)",
            r"^ERROR: (No matching distribution) found",
            r"^ujson-.*-(cp313-cp313)-",
            r"^ujson-.*-(cp314-cp314t)-",
        ),
        long=True,
    ),
    "older": errors(
        "A package whose wheels for 3.13t have stopped",
        "python -m pip install -q --only-binary :all: greenlet; python -m pip index versions greenlet",
        needs=("network",),
        keep=r"INSTALLED|LATEST|ERROR",
        shape=(r"(INSTALLED):", r"(LATEST):"),
        long=True,
    ),
    "wrong_tag": errors(
        "A wheel for the build with a GIL, and what renaming it does",
        "python3.13 -m pip wheel -q --no-deps -w dist . && ls dist",
        "python -m pip install dist/ends-*-cp313-cp313-*.whl",
        "python -m pip debug --verbose 2>/dev/null | grep -m1 cp313",
        "python -m pip install -q wheel && python -m wheel tags --remove --abi-tag cp313t dist/*.whl",
        "python -m pip install -q dist/*.whl && python -P -c 'import ends'",
        "unzip -l dist/*.whl | grep -o 'ends.*so'",
        needs=("network", "gil build"),
        shape=(
            r"^ends-1.0-(cp313-cp313)-",
            r"^ERROR: .* is (not a supported wheel) on this platform",
            r"^\s*(cp313-cp313t)-",
            r"^ends-1.0-(cp313-cp313t)-",
            r"^ModuleNotFoundError: No module named '(ends)'",
            r"^ends\.(cpython-313)-\w+-linux-gnu\.so$",
        ),
        long=True,
    ),
    "cython": errors(
        "Cython 3.0.11, and a later one",
        "python -m pip install -q cython==3.0.11 && cython --version",
        "cython -3 cython/twice.pyx && gcc -fPIC -c -I$INC cython/twice.c 2>&1 | grep error",
        "grep Tag: $(dirname $(which python))/../lib/python*/site-packages/Cython-*.dist-info/WHEEL",
        "python -m pip install -q --upgrade cython && cython --version",
        "cython -3 cython/twice.pyx && gcc -fPIC -c -I$INC cython/twice.c && echo compiled",
        needs=("network",),
        shape=(
            r"^Cython version (3\.0\.11)$",
            r"error: (unknown type name) .(__pyx_vectorcallfunc)",
            r"^Tag: (py3-none-any)$",
            r"^Cython version 3\.",
            r"^(compiled)$",
        ),
        long=True,
    ),
    "cython_option": errors(
        "The promise, made to a Cython that does not know it",
        "python -m pip install -q cython==3.0.11 && cython -3 -X freethreading_compatible=True cython/twice.pyx",
        "cython -3 cython/first_line.pyx && echo no complaint",
        "grep -c Py_mod_gil cython/first_line.c",
        needs=("network",),
        keep=r"^(?!Traceback|  )",
        shape=(
            r"^ValueError: (Unknown option: \"freethreading_compatible\")",
            r"(no complaint)",
            "^0$",
        ),
        long=True,
    ),
    # When you compile ------------------------------------------------------------------------------
    "limited": errors(
        "The limited API, asked for and asked for too early",
        f"{FLAGS} -DPy_LIMITED_API=0x030d0000 ends.c 2>&1 | grep -m1 error:",
        f"{FLAGS} limited.c 2>&1 | grep -m1 error:",
        f"{FLAGS} limited_right.c && echo compiled",
        shape=(
            r"#error \"(The limited API is not currently supported)",
            r"#error \"(The limited API is not currently supported)",
            r"^(compiled)$",
        ),
    ),
    "abi3_wheel": errors(
        "A wheel for the limited API",
        "python -W ignore setup_abi3.py -q bdist_wheel 2>&1 | tail -1",
        "python -W ignore setup_both.py -q bdist_wheel 2>log && ls dist",
        shape=(
            r"^ValueError: .(py_limited_api='cp313'). not supported",
            r"^ends-1\.0-(cp313-cp313t)-",
        ),
        long=True,
    ),
    "abi3_both": errors(
        "The second of them, on the build with a GIL",
        "python3.13 -m venv with_gil && with_gil/bin/pip install -q setuptools",
        "with_gil/bin/python -W ignore setup_both.py -q bdist_wheel 2>log && ls dist",
        needs=("network", "gil build"),
        shape=(r"^ends-1\.0-(cp313-abi3)-",),
        long=True,
    ),
    "old_headers": errors(
        "The slot, compiled for a Python that does not know it",
        "sed '/^#if /d; /^#endif/d' ends.c > unguarded.c; gcc -fPIC -c -I$INC_OLD unguarded.c 2>&1 | grep error:",
        "gcc -fPIC -c -I$INC_OLD ends.c && echo compiled",
        needs=("old headers",),
        shape=(
            r"error: .(Py_mod_gil). undeclared",
            r"error: .(Py_MOD_GIL_NOT_USED). undeclared",
            "^(compiled)$",
        ),
    ),
    "critical": errors(
        "A critical section with one end",
        f"{FLAGS} no_end.c 2>&1 | grep error:",
        f"{FLAGS} no_begin.c 2>&1 | grep error:",
        f"{FLAGS} early.c && echo compiled",
        shape=(
            r"^no_end\.c:.* error: (expected declaration or statement at end of input)",
            r"error: .(_py_cs). undeclared",
            r"error: expected identifier or .*(before .return.)",
            r"^(compiled)$",
        ),
    ),
    # When you import -------------------------------------------------------------------------------
    "gil_warning": errors(
        "A module that says nothing about the GIL",
        f"{GCC} interpreter_broken.c -o interpreter_broken$SUFFIX && python -c 'import interpreter_broken'",
        "python -W error::RuntimeWarning -c 'import interpreter_broken'",
        f"{GCC} interpreter_fixed.c -o interpreter_fixed$SUFFIX && "
        "python -W error::RuntimeWarning -c 'import interpreter_fixed, sys; print(sys._is_gil_enabled())'",
        shape=(
            r"RuntimeWarning: The global interpreter lock \(GIL\) has been enabled to load module '(\w+)'",
            r"^RuntimeWarning: The global interpreter lock \(GIL\) has been enabled to load module '(\w+)'",
            r"^(False)$",
        ),
    ),
    "five_ways": errors(
        "Where the promise can be made for Cython, and one place where it cannot",
        "python -m pip install -q cython setuptools meson ninja && cython --version",
        "cd cython && cythonize -q -i -3 -X freethreading_compatible=True twice.pyx && python ../gil_on.py twice",
        "cd cython && cythonize -q -i -3 first_line.pyx && python ../gil_on.py first_line",
        "cd cython && cythonize -q -i -3 too_late.pyx && python ../gil_on.py too_late",
        "cd cython && rm twice.c* && python -W ignore setup.py -q build_ext -i >log && python ../gil_on.py twice",
        "cd cython/each && cp ../twice.pyx . && meson setup build >log && ninja -C build >>log"
        " && cd build && python ../../../gil_on.py twice",
        "cd cython/all && cp ../twice.pyx . && meson setup build >log && ninja -C build >>log"
        " && cd build && python ../../../gil_on.py twice",
        needs=("network",),
        shape=(
            r"^Cython version 3",
            r"GIL on: (False)",
            r"GIL on: (False)",
            r"GIL on: (True)",
            r"GIL on: (False)",
            r"GIL on: (False)",
            r"GIL on: (False)",
        ),
        long=True,
    ),
    "other_abi": errors(
        "A module for the other build",
        "gcc -shared -fPIC -I$INC_GIL ends.c -o ends.cpython-313-x86_64-linux-gnu.so && python -c 'import ends'",
        "python -c 'import importlib.machinery as m; print(m.EXTENSION_SUFFIXES)'",
        "mv ends.cpython-313-x86_64-linux-gnu.so ends.so && python -c 'import ends'",
        f"{GCC} ends.c -o ends.so && python3.13 -c 'import ends'",
        "rm ends.so && "
        + GCC
        + " ends.c -o ends$SUFFIX && python -c 'import ends; print(ends.same([7]))'",
        needs=("gil build",),
        shape=(
            r"^(ModuleNotFoundError): No module named 'ends'",
            r"(\.abi3\.so)",
            r"^(SystemError): init function of ends returned uninitialized object",
            r"^ImportError: .*(undefined symbol): _Py",
            r"^(True)$",
        ),
    ),
    # When you run ----------------------------------------------------------------------------------
    "detached": errors(
        "Calls of Python, detached",
        f"{GCC} detached.c -o detached.so && python -X faulthandler -c 'import detached; detached.state()'",
        "python -X faulthandler -c 'import detached; detached.make()'",
        "python -X faulthandler -c 'import detached; print(detached.make_attached())'",
        shape=(
            r"^Fatal Python error: (PyThreadState_Get): the function must be called with the GIL held",
            r"^Fatal Python error: (Segmentation fault)",
            r"^\[\]$",
        ),
    ),
    "detached_debug": errors(
        "The same calls, in a debug build",
        "gcc -g -shared -fPIC -I$INC_DEBUG detached.c -o detached.so && "
        "python-debug -c 'import detached; detached.state()'",
        "python-debug -c 'import detached; detached.make()'",
        "python-debug -c 'import detached; print(detached.make_attached())'",
        needs=("debug",),
        shape=(
            r"^Fatal Python error: (PyThreadState_Get): the function must be called with the GIL held",
            r"^Fatal Python error: (_Py_object_freelists_GET): the function must be called with the GIL held",
            r"^\[\]$",
        ),
    ),
    # Under ThreadSanitizer -------------------------------------------------------------------------
    "mapping": errors(
        "A layout of memory that ThreadSanitizer cannot use",
        "gcc -fsanitize=thread add.c -o add && setarch -L ./add 2>&1 | head -1",
        "setarch -L python-tsan -c 'print(1)' 2>&1 | head -2",
        "ulimit -v 20000000; python-tsan -c 'print(1)'",
        "python-tsan -c 'print(1)'",
        needs=("tsan", "setarch"),
        shape=(
            r"^FATAL: ThreadSanitizer: (unexpected memory mapping)",
            r"^FATAL: ThreadSanitizer: (memory layout is incompatible)",
            r"(limited virtual address space)",
            r"^(1)$",
        ),
    ),
    "allocator": errors(
        "An allocation that is meant to fail",
        "cat large.py",
        "python-tsan large.py 2>&1 | head -1",
        "TSAN_OPTIONS=allocator_may_return_null=1 python-tsan large.py 2>&1 | tail -1",
        needs=("tsan",),
        shape=(r"(requested allocation size) 0x\S+ exceeds maximum", r"^malloc returned (None)$"),
    ),
    "status_66": errors(
        "A program that does its work, and fails",
        "gcc -g -fsanitize=thread add.c -o add && ./add 2>&1 | grep -v '^ '",
        "./add >/dev/null 2>&1; echo $?",
        "cat Makefile; make test",
        "TSAN_OPTIONS=exitcode=0 ./add >/dev/null 2>&1; echo $?",
        shape=(
            r"^WARNING: ThreadSanitizer: (data race)",
            r"^ThreadSanitizer: (reported 1 warnings)",
            r"^(66)$",
            r"^make: .*(Error 66)",
            r"^(0)$",
        ),
    ),
    # The check at the end --------------------------------------------------------------------------
    "check": errors(
        "One script for the errors that a wheel can have",
        "cat check_wheel.sh",
        "python -m pip wheel -q --no-deps -w good . && bash check_wheel.sh good/*.whl ends",
        "sed -i '/^#if /,/^#endif/d' ends.c && python -m pip wheel -q --no-deps -w silent . && "
        "bash check_wheel.sh silent/*.whl ends 2>&1 | tail -1",
        "python3.13 -m pip wheel -q --no-deps -w gil . && bash check_wheel.sh gil/*.whl ends 2>&1 | tail -1",
        "python -m pip install -q wheel && python -m wheel tags --remove --abi-tag cp313t gil/*.whl && "
        "bash check_wheel.sh gil/*.whl ends 2>&1 | tail -1",
        needs=("network", "gil build"),
        shape=(
            r"^python -m venv",
            r"^(ends: imported, GIL off)$",
            r"^(RuntimeWarning): The global interpreter lock",
            r"(is not a supported wheel)",
            r"^ends-1\.0-(cp313-cp313t)-",
            r"^ModuleNotFoundError: No module named '(ends)'",
        ),
        long=True,
    ),
}
