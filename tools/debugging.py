"""Install what the chapters on debuggers and sanitizers run: gdb, lldb, clang and its symbolizer.

As root on Debian and Ubuntu apt-get installs what is missing; elsewhere the last line says what to run. LLVM is of the
version that ThreadSanitizer's interpreter is built with (`_compile.CLANG_TO_INSTALL`); where a system does not have that,
another, but none before `_compile.OLDEST_CLANG`. Nothing of this is needed to read the book: what cannot be run is shown
as it was recorded.

Exit status: 0 all there, 1 something is missing (the last line says what to do), 130 interrupted.
"""

from __future__ import annotations

import os
import re
import shutil
import sys
import tempfile
from pathlib import Path

import _debian
from _compile import CLANG_TO_INSTALL, OLDEST_CLANG
from _steps import Trouble, capture, say

INTERRUPTED = 130
ASK_LIMIT_S = 30.0
OF_LLVM = ("lldb", "clang", "llvm-symbolizer")
#: Program to its Debian packages: of LLVM's version that we want, and the system's own.
PACKAGES = {
    "gdb": ("gdb", "gdb"),
    "lldb": (f"lldb-{CLANG_TO_INSTALL}", "lldb"),
    "clang": (f"clang-{CLANG_TO_INSTALL}", "clang"),
    "llvm-symbolizer": (f"llvm-{CLANG_TO_INSTALL}", "llvm"),
}


def version(path: str) -> str:
    """What a program says its version is, e.g. "19.1.7"; "" where it says none."""
    try:
        _, printed = capture([path, "--version"], limit_s=ASK_LIMIT_S)
    except Trouble:
        return ""
    # "GNU gdb (Debian 13.1-3) 13.1": of its first line with a number the last one is gdb's own.
    lines = (re.findall(r"\d+\.\d[\w.]*", line) for line in printed.splitlines())
    found = next((numbers for numbers in lines if numbers), [""])
    return found[-1] if "GNU" in printed else found[0]


def chosen(program: str) -> str | None:
    """Where a program is that does: of our version of LLVM, else the newest that is not too old."""
    if program not in OF_LLVM:
        return shutil.which(program)
    exact = shutil.which(f"{program}-{CLANG_TO_INSTALL}")
    majors = ((_major(path), path) for path in _others(program))
    return exact or max((each for each in majors if each[0] >= OLDEST_CLANG), default=(0, None))[1]


def _others(program: str) -> list[str]:
    numbered = (
        str(path)
        for folder in os.get_exec_path()
        for path in Path(folder or ".").glob(f"{program}-[0-9]*")
        if path.name.removeprefix(f"{program}-").isdigit() and os.access(path, os.X_OK)
    )
    plain = shutil.which(program)
    return [*numbered, *([plain] if plain else [])]


def _major(path: str) -> int:
    said = version(path).partition(".")[0]
    return int(said) if said.isdigit() else 0


def missing() -> dict[str, str]:
    """Programs that are not here, and those that are too old; with the reason."""
    found = {}
    for program in PACKAGES:
        if chosen(program) is None:
            there = ", ".join(version(path) or "unknown" for path in _others(program))
            old = f" (here is {there}; it takes {OLDEST_CLANG} or later)" if there else ""
            found[program] = f"{program}{old}"
    return found


def ensure() -> None:
    """Install what is missing.

    Raises:
        Trouble: it cannot be done from here; the message has the command.
    """
    wanted = missing()
    if not wanted:
        return
    names = " ".join(PACKAGES[program][0] for program in wanted)
    if not _debian.is_debian_like():
        raise Trouble(
            f"Missing: {', '.join(wanted.values())}. Install what your system calls them (Debian: {names})."
        )
    if os.geteuid() != 0:
        raise Trouble(f"Missing: {', '.join(wanted.values())}. Run `sudo apt-get install {names}`.")
    log = Path(tempfile.gettempdir()) / "racelab-tools.log"
    for column in (0, 1):
        packages = sorted({PACKAGES[program][column] for program in wanted})
        try:
            _debian.install_packages(packages, log)
            break
        except Trouble as trouble:
            if column == 1:
                raise
            say(f"{trouble}\nTrying the system's own version of LLVM")
    if still := missing():
        raise Trouble(
            f"Still missing after apt-get: {', '.join(still.values())}. See {log}; what needs them is shown "
            "as it was recorded."
        )


def main() -> int:
    """Do it; say where each program is."""
    try:
        ensure()
    except Trouble as trouble:
        say(str(trouble))
        return 1
    except KeyboardInterrupt:
        return INTERRUPTED
    for program in PACKAGES:
        found = chosen(program)
        print(f"{program:<16} {version(found) if found else '':<10} {found}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
