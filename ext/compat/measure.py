"""One source that uses a function of Python 3.13, compiled and run with each Python that is here.

Run  racelab record compat
     python ext/compat/measure.py [2]   shows the rows, of the first two alone, and records nothing

Looked for: this Python, the book environment's, what PATH has, and what pyenv and uv have put into their usual folders.
The header is taken from where the checks' environment has it (mypy's wheel carries one); nothing is fetched.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
OLDEST, NEWEST = (3, 9), (3, 15)
HEADER = "pythoncapi_compat.h"
ASK = """
import pathlib, sys, sysconfig
include = sysconfig.get_path("include")
free = bool(sysconfig.get_config_var("Py_GIL_DISABLED"))
print(include if pathlib.Path(include, "Python.h").is_file() else "-")
print(".".join(map(str, sys.version_info[:3])), int(free), sys.version_info.major, sys.version_info.minor)
"""
USE = 'import first; assert first.first(["tea", "milk"]) == "tea"'


def header_folder() -> Path | None:
    """Where the header is, if it is."""
    found = sorted(ROOT.glob(f".venv-*/lib/python*/site-packages/mypyc/lib-rt/{HEADER}"))
    return found[0].parent if found else None


def candidates() -> Iterator[str]:
    """Interpreters that may be here; some of them twice."""
    yield sys.executable
    yield str(ROOT / ".venv-book/bin/python")
    for minor in range(OLDEST[1], NEWEST[1] + 1):
        for name in (f"python3.{minor}", f"python3.{minor}t"):
            found = shutil.which(name)
            if found:
                yield found
    for folder in (
        Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv"), "versions"),
        Path.home() / ".local/share/uv/python",
    ):
        yield from map(str, sorted(folder.glob("*/bin/python3")))


def interpreters(most: int | None = None) -> list[tuple[tuple[int, ...], bool, str, str, str]]:
    """(version, free-threaded, its name, command, folder of Python.h), one for each release and build."""
    found: dict[tuple[tuple[int, ...], bool], tuple[str, str, str]] = {}
    for command in candidates():
        if len(found) == most:
            break
        if not Path(command).is_file():
            continue
        asked = subprocess.run([command, "-c", ASK], capture_output=True, text=True)
        if asked.returncode != 0:
            continue  # e.g. a shim of pyenv for a version that is not switched on
        include, facts = asked.stdout.splitlines()
        version, free, major, minor = facts.split()
        if include != "-" and OLDEST <= (int(major), int(minor)) <= NEWEST:
            key = (int(major), int(minor)), free == "1"
            found.setdefault(key, (version, command, include))
    return [(*key, *value) for key, value in sorted(found.items())]


def attempt(command: str, include: str, header: Path | None) -> str:
    """Compile and use the source, with the header or without: what came of it, in a few words."""
    flags = ["-DWITH_COMPAT", "-isystem", str(header)] if header else []
    with tempfile.TemporaryDirectory() as folder:
        built = subprocess.run(
            [
                *("cc", "-shared", "-fPIC", "-O1", "-Wall", "-Werror", "-isystem", include),
                *(*flags, str(HERE / "first.c"), "-o", f"{folder}/first.so"),
            ],
            capture_output=True,
            text=True,
        )
        if built.returncode != 0:
            missing = "PyList_GetItemRef" in built.stderr
            return "PyList_GetItemRef is not there" if missing else "does not compile"
        used = subprocess.run([command, "-c", USE], cwd=folder, capture_output=True, text=True)
        return "runs" if used.returncode == 0 else "does not run"


def versions(most: int | None = None) -> list[dict[str, object]]:
    """Rows of python, build, and what came of the source alone and with the header; of so many at most."""
    header = header_folder()
    return [
        {
            "python": name,
            "build": "free-threaded" if free else "with a GIL",
            "alone": attempt(command, include, None),
            "with the header": attempt(command, include, header) if header else "no header here",
        }
        for _version, free, name, command, include in interpreters(most)
    ]


MEASUREMENTS = {"versions": versions}

if __name__ == "__main__":
    # `result` is what racelab.run_child hands back.
    result = versions(int(sys.argv[1]) if sys.argv[1:] else None)
    print(*result, sep="\n")
