"""Install what the chapters on debuggers and sanitizers run: gdb, lldb, clang and its symbolizer.

As root on Debian and Ubuntu apt-get installs what is missing; elsewhere the last line says what to run. LLVM is of the
version that ThreadSanitizer's interpreter is built with (`_compile.CLANG_TO_INSTALL`); where a system does not have that,
its own. Nothing of this is needed to read the book: what cannot be run is shown as it was recorded.

Exit status: 0 all there, 1 something is missing (the last line says what to do), 130 interrupted.
"""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
from pathlib import Path

import _debian
from _compile import CLANG_TO_INSTALL
from _steps import Trouble, say

INTERRUPTED = 130
#: Program to its Debian packages: of LLVM's version that we want, and the system's own.
PACKAGES = {
    "gdb": ("gdb", "gdb"),
    "lldb": (f"lldb-{CLANG_TO_INSTALL}", "lldb"),
    "clang": (f"clang-{CLANG_TO_INSTALL}", "clang"),
    "llvm-symbolizer": (f"llvm-{CLANG_TO_INSTALL}", "llvm"),
}


def missing() -> list[str]:
    """Programs of which neither our version nor the system's own is on PATH."""
    return [
        program
        for program in PACKAGES
        if not (shutil.which(f"{program}-{CLANG_TO_INSTALL}") or shutil.which(program))
    ]


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
            f"Missing: {', '.join(wanted)}. Install what your system calls them (Debian: {names})."
        )
    if os.geteuid() != 0:
        raise Trouble(f"Missing: {', '.join(wanted)}. Run `sudo apt-get install {names}`.")
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
        raise Trouble(f"Still missing after apt-get: {', '.join(still)}. See {log}.")


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
        found = shutil.which(f"{program}-{CLANG_TO_INSTALL}") or shutil.which(program)
        print(f"{program:<16} {found}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
