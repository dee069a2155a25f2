"""Read the code with the checkers' eyes: ruff (lint and format), mypy, links, and the C compiler's warnings."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import links
from project import ROOT, python_of, say

WARNINGS = ["-O2", "-Wall", "-Wextra", "-Werror", "-fsyntax-only"]
#: Suffix -> the standard, and the names of GNU's and LLVM's compiler.
LANGUAGES = {".c": ("-std=c11", "gcc", "clang"), ".cpp": ("-std=c++17", "g++", "clang++")}


def main() -> int:
    """Run every checker, even when an earlier one complains; exit status 1 if any did."""
    bin_folder = python_of("checks").parent
    commands: list[list[str | Path]] = [
        [bin_folder / "ruff", "check", "."],
        [bin_folder / "ruff", "format", "--check", "."],
        [bin_folder / "mypy", "--python-executable", python_of("ft")],
    ]
    failed = 0
    for command in commands:
        say(f"check: {' '.join([Path(command[0]).name, *map(str, command[1:2])])}")
        failed += subprocess.run([str(part) for part in command], cwd=ROOT).returncode != 0
    failed += links.main()
    failed += not native_code_is_clean()
    return 1 if failed else 0


#: Sources of a chapter that shows what a compiler says of them: they must not compile.
REFUSED = {f"ext/errors/{name}.c" for name in ("limited", "no_begin", "no_end")}


def native_code_is_clean() -> bool:
    """No warning from any C compiler that is here, for the core and for every lab."""
    include = subprocess.run(
        [str(python_of("ft")), "-c", "import sysconfig; print(sysconfig.get_path('include'))"],
        capture_output=True,
        text=True,
        check=True,
    ).stdout.strip()
    clean = True
    for suffix, (standard, gnu, llvm) in LANGUAGES.items():
        sources = [*ROOT.glob(f"src/racelab/*{suffix}"), *ROOT.glob(f"ext/*/*{suffix}")]
        sources = [path for path in sources if str(path.relative_to(ROOT)) not in REFUSED]
        newest = [llvm, *(f"{llvm}-{version}" for version in range(30, 13, -1))]
        for compiler in filter(None, (shutil.which(gnu), next(filter(shutil.which, newest), None))):
            say(f"check: {Path(compiler).name} on {len(sources)} files")
            for source in sources:
                pedantic = ["-Wpedantic"] if "racelab" in source.parts else []
                command = [compiler, standard, *WARNINGS, *pedantic]
                if suffix == ".cpp":  # CPython's own Py_tss_NEEDS_INIT
                    command.append("-Wno-missing-field-initializers")
                command += [f"-I{include}", f"-I{ROOT / 'src'}", str(source)]
                clean = subprocess.run(command, cwd=ROOT).returncode == 0 and clean
    return clean


if __name__ == "__main__":
    raise SystemExit(main())
