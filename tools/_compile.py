"""Build CPython from a source package: what is needed first, the four recipes, the proof after."""

from __future__ import annotations

import contextlib
import os
import platform
import re
import shutil
import struct
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import _candidates
import _debian
import _store
from _steps import Trouble, capture, clean_environment, say, step

MACHINES = {"x86_64": "x86_64", "amd64": "x86_64", "aarch64": "aarch64", "arm64": "aarch64"}
OLDEST_CLANG = 18
"""Older ones' ThreadSanitizer dies at start on kernels with much address-space randomisation."""
CLANG_TO_INSTALL = 19
PROVEN_MODULES = (
    *("ssl", "sqlite3", "readline", "ctypes", "lzma", "bz2", "zlib", "uuid", "_uuid", "curses"),
    "ensurepip",
)
MB_PER_JOB = 700
COMMON = (
    *("--disable-gil", "--without-ensurepip"),
    *("--disable-test-modules", "--without-static-libpython"),  # half the time, half the disk
)

# Debian's patches for packaging send a private installation to folders that it does not have
# (dist-packages, lib/python3.13): packages in a virtual environment were not found. So only patches
# that repair CPython are applied: security, OpenSSL, and memory errors.
REPAIRS = re.compile(
    r"CVE-.*|ssl-sni-crash\.patch|ssl-reference-leak\.patch|dict-use-after-free\.patch"
    r"|traverse-managed-dicts\.patch|issue127330\.diff"
)


@dataclass(frozen=True)
class Recipe:
    """How one flavor is configured.

    Attributes:
        configure: flags beside the prefix.
        variables: of configure, except the compiler.
        sanitizer: the compiler's -fsanitize= word; empty for none.
        needs_mb: free disk space for the build, megabytes.
        usually: how long compiling takes on 2 cores.
    """

    configure: tuple[str, ...]
    variables: dict[str, str] = field(default_factory=dict)
    sanitizer: str = ""
    needs_mb: int = 1200
    usually: str = "3-6 minutes on 2 cores"

    @property
    def words(self) -> list[str]:
        """All that configure is told, apart from where to install and which compiler to use."""
        return [*self.configure, *(f"{k}={v}" for k, v in sorted(self.variables.items()))]


# Compressed debug information: gdb's py-bt needs all of it, the disk does not. NODIST keeps the flag
# out of what extension modules are linked with.
_SMALL = {"LDFLAGS_NODIST": "-Wl,--compress-debug-sections=zlib"}
RECIPES = {
    "release": Recipe(COMMON, _SMALL),
    "debug": Recipe((*COMMON, "--with-pydebug"), _SMALL),
    "tsan": Recipe(
        (*COMMON, "--with-thread-sanitizer"),
        _SMALL,
        sanitizer="thread",
        needs_mb=1600,
        usually="6-9 minutes on 2 cores",
    ),
    # Objects live in mimalloc, which hides frees from AddressSanitizer unless it is told of them.
    "asan": Recipe(
        (*COMMON, "--with-pydebug", "--with-address-sanitizer"),
        {**_SMALL, "CFLAGS": "-DMI_TRACK_ASAN=1"},
        sanitizer="address",
        needs_mb=1600,
        usually="4-7 minutes on 2 cores",
    ),
}


@dataclass(frozen=True)
class Library:
    """A library that CPython's standard modules need, and how to see that it is there."""

    package: str
    headers: tuple[str, ...]
    flags: tuple[str, ...]


LIBRARIES = (
    Library("libssl-dev", ("openssl/ssl.h",), ("-lssl", "-lcrypto")),
    Library("libsqlite3-dev", ("sqlite3.h",), ("-lsqlite3",)),
    Library("libreadline-dev", ("stdio.h", "readline/readline.h"), ("-lreadline",)),
    Library("libffi-dev", ("ffi.h",), ("-lffi",)),
    Library("liblzma-dev", ("lzma.h",), ("-llzma",)),
    Library("libbz2-dev", ("stdio.h", "bzlib.h"), ("-lbz2",)),
    Library("zlib1g-dev", ("zlib.h",), ("-lz",)),
    Library("uuid-dev", ("uuid/uuid.h",), ("-luuid",)),
    Library("libncurses-dev", ("ncurses.h", "panel.h"), ("-lncursesw", "-lpanelw")),
)
PROGRAMS = {"make": "make", "dpkg-source": "dpkg-dev", "patch": "patch", "xz": "xz-utils"}


def machine() -> str:
    """The processor architecture: "x86_64" or "aarch64".

    Raises:
        Trouble: this system is not one that building has been thought through for.
    """
    name = MACHINES.get(platform.machine().lower(), "")
    system = platform.system()
    if system != "Linux" or not name or struct.calcsize("P") != 8:
        bits = struct.calcsize("P") * 8
        raise Trouble(
            f"This is {system or sys.platform} on {platform.machine() or 'an unknown machine'} "
            f"({bits}-bit). Building CPython here is untested: it works on 64-bit Linux on x86-64 "
            "and aarch64. Install a free-threaded CPython yourself and set RACELAB_PYTHON to it."
        )
    return name


@dataclass(frozen=True)
class Compiler:
    """The compilers of a build, as programs on PATH; empty where there is none."""

    cc: str
    cxx: str

    @property
    def variables(self) -> dict[str, str]:
        """For configure."""
        return {"CC": self.cc, "CXX": self.cxx}


def compiler(flavor: str) -> Compiler:
    """gcc, or for ThreadSanitizer the newest clang that is installed."""
    if flavor != "tsan":
        for cc, cxx in (("gcc", "g++"), ("clang", "clang++"), ("cc", "c++")):
            if shutil.which(cc):
                return Compiler(cc, cxx)
        return Compiler("", "")
    for version in sorted(_clangs(), reverse=True):
        return Compiler(f"clang-{version}", f"clang++-{version}")
    if shutil.which("clang") and shutil.which("clang++"):
        _, printed = capture(["clang", "-dumpversion"], limit_s=30)
        major = printed.strip().split(".")[0]
        if major.isdigit() and int(major) >= OLDEST_CLANG:
            return Compiler("clang", "clang++")
    return Compiler("", "")


def _clangs() -> set[int]:
    names = (
        path.name
        for folder in os.get_exec_path()
        if Path(folder).is_dir()
        for path in Path(folder).glob("clang-[0-9]*")
    )
    versions = {int(name[6:]) for name in names if name[6:].isdigit()}
    return {v for v in versions if v >= OLDEST_CLANG and shutil.which(f"clang++-{v}")}


def missing_packages(flavor: str) -> list[str]:
    """What has to be installed before a build, by the names that Debian and Ubuntu use.

    Found out by compiling and linking, not by asking dpkg, so it is right on other systems too.
    """
    missing = [package for program, package in PROGRAMS.items() if not shutil.which(program)]
    found = compiler(flavor)
    if not found.cc:
        names = [f"clang-{CLANG_TO_INSTALL}", f"libclang-rt-{CLANG_TO_INSTALL}-dev"]
        missing += names if flavor == "tsan" else ["gcc"]
        if not shutil.which("gcc"):
            return [*missing, "libc6-dev", *(library.package for library in LIBRARIES)]
        found = compiler("release")
    with tempfile.TemporaryDirectory(prefix="racelab-cc-") as folder:
        if not _compiles(found.cc, ("stdio.h", "stdlib.h"), (), Path(folder)):
            return [*missing, "libc6-dev", *(library.package for library in LIBRARIES)]
        for library in LIBRARIES:
            if not _compiles(found.cc, library.headers, library.flags, Path(folder)):
                missing.append(library.package)
        sanitizer = RECIPES[flavor].sanitizer
        flags = (f"-fsanitize={sanitizer}",)
        if compiler(flavor).cc and sanitizer and not _compiles(found.cc, (), flags, Path(folder)):
            missing.append(_runtime_package(found.cc))
    return missing


def _runtime_package(cc: str) -> str:
    version = cc.rpartition("-")[2]
    if cc.startswith("clang"):
        return f"libclang-rt-{version if version.isdigit() else CLANG_TO_INSTALL}-dev"
    _, printed = capture([cc, "-dumpversion"], limit_s=30)
    return f"libgcc-{printed.strip().split('.')[0]}-dev"


def _compiles(cc: str, headers: Sequence[str], flags: Sequence[str], folder: Path) -> bool:
    program = folder / "check.c"
    lines = [f"#include <{header}>" for header in headers]
    program.write_text("\n".join([*lines, "int main(void) { return 0; }", ""]))
    # --no-as-needed: link with the library although nothing of it is called.
    command: list[str | Path] = [cc, program, "-o", folder / "check", "-Wl,--no-as-needed", *flags]
    try:
        return capture(command, limit_s=60)[0] == 0
    except Trouble:
        return False


def require_packages(flavor: str, log: Path) -> None:
    """Make sure that everything a build needs is there; as root on Debian or Ubuntu, install it.

    Raises:
        Trouble: something is missing; the message has the command that installs it.
    """
    missing = missing_packages(flavor)
    if not missing:
        return
    names = " ".join(missing)
    say(f"Missing for the build: {names}")
    if not _debian.is_debian_like():
        raise Trouble(
            f"Missing for the build, by their Debian names: {names}. Install what your system calls "
            "these, then run this again."
        )
    if os.geteuid() != 0:
        raise Trouble(
            f"Missing for the build: {names}. Run `sudo apt-get install {names}`, then this again."
        )
    _debian.install_packages(missing, log)
    if still := missing_packages(flavor):
        raise Trouble(
            f"Missing for the build although apt-get was asked for {names}: {' '.join(still)}. "
            f"See {log}."
        )


def jobs() -> int:
    """How many compilers to run at once: one per processor, as far as memory goes."""
    processors = len(os.sched_getaffinity(0))
    with contextlib.suppress(OSError, StopIteration):
        lines = Path("/proc/meminfo").read_text().splitlines()
        available = next(line for line in lines if line.startswith("MemAvailable"))
        by_memory = int(available.split()[1]) // 1024 // MB_PER_JOB
        return max(1, min(processors, by_memory))
    return processors


@dataclass
class Build:
    """One build: from a source package to a stamped interpreter in the cache.

    Attributes:
        py: "3.13t".
        flavor: one of the recipes.
        lock: file descriptor of the held lock; the compilers keep it while they live.
    """

    py: str
    flavor: str
    lock: int

    def run(self) -> Path:
        """Build, install, verify, stamp. Call it with the lock held.

        Returns:
            The interpreter.

        Raises:
            Trouble: it failed; the log is kept and named.
        """
        arch = machine()
        folder = _store.prepare(_store.root())
        _store.clean_leftovers(self.py, self.flavor)
        _store.enough_space(folder, RECIPES[self.flavor].needs_mb)
        _debian.require(self.py)
        with self._logging(folder / "logs"):
            require_packages(self.flavor, self.log)
            source = _debian.source(self.py)
            staging = _store.building_folder(self.py, self.flavor)
            try:
                return self._build(source, staging, arch)
            finally:
                _store.discard(staging)

    @contextlib.contextmanager
    def _logging(self, folder: Path) -> Iterator[None]:
        """Keep one log, and only of a failure."""
        _store.prepare(folder)
        self.log = folder / f"{self.py}-{self.flavor}.log"
        self.log.unlink(missing_ok=True)
        failed = False
        try:
            yield
        except Trouble:
            failed = True
            raise
        finally:
            if not failed:
                self.log.unlink(missing_ok=True)
            with contextlib.suppress(OSError):
                folder.rmdir()

    def _build(self, source: _debian.Source, staging: Path, arch: str) -> Path:
        start = time.monotonic()
        tree = staging / "src"
        patches = self._unpack(source, tree)
        version = _version(tree)
        digest = _store.flags_hash(source.version, *RECIPES[self.flavor].words)
        prefix = _store.root() / _store.key(version, self.flavor, arch, digest)
        chosen = compiler(self.flavor)
        self._make(tree, staging / "root", prefix, chosen, version)
        installed = staging / "root" / str(prefix)[1:]
        _add_debugger_files(tree, installed)
        self._compile_library(staging / "root", installed, version)
        self._move_into_place(installed, staging, prefix)
        executable = prefix / f"bin/python{self.py}"
        self._prove(executable)
        facts = self._describe(source, patches, prefix, chosen)
        seconds = round(time.monotonic() - start)
        _store.write_stamp(prefix, {"version": version, **facts, "seconds": seconds})
        return executable

    def _describe(
        self, source: _debian.Source, patches: list[str], prefix: Path, chosen: Compiler
    ) -> dict[str, Any]:
        """What the stamp says."""
        return {
            "py": self.py,
            "flavor": self.flavor,
            "machine": machine(),
            "recipe": _store.RECIPE,
            "prefix": str(prefix),
            "executable": f"bin/python{self.py}",
            "configure": RECIPES[self.flavor].words,
            "compiler": _compiler_version(chosen),
            "cc": chosen.cc,
            "source": {
                "package": source.package,
                "version": source.version,
                "suite": source.suite,
                "sha256": source.sha256,
                "patches": patches,
            },
            "date": datetime.now(timezone.utc).isoformat(timespec="seconds"),
        }

    def _step(self, what: str, command: list[str | Path], cwd: Path, usually: str) -> None:
        # ThreadSanitizer's reports on the interpreter itself are no reason to stop its build.
        env = clean_environment(TSAN_OPTIONS="report_bugs=0")
        step(what, command, log=self.log, usually=usually, cwd=cwd, env=env, keep_open=(self.lock,))

    def _unpack(self, source: _debian.Source, tree: Path) -> list[str]:
        """Unpack a source package and apply the patches that repair CPython; return their names."""
        unpack: list[str | Path] = ["dpkg-source", "--skip-patches", "-x", source.dsc, tree]
        what = f"unpacking {source.package} {source.version}"
        self._step(what, unpack, tree.parent, "10 seconds")
        applied = []
        patches = tree / "debian/patches"
        for name in _series(patches / "series"):
            command: list[str | Path] = ["patch", "-p1", "-f", "--no-backup-if-mismatch"]
            command += ["-i", patches / name]
            if capture([*command, "--dry-run"], limit_s=60, cwd=tree)[0] != 0:
                say(f"Debian's patch {name} does not fit without its packaging; left out")
                continue
            status, printed = capture(command, limit_s=60, cwd=tree)
            if status != 0:
                raise Trouble(f"Debian's patch {name} failed: {printed.strip()[-300:]}")
            applied.append(name)
        return applied

    def _make(self, tree: Path, root: Path, prefix: Path, chosen: Compiler, version: str) -> None:
        recipe = RECIPES[self.flavor]
        variables = {**chosen.variables, **recipe.variables}
        configure: list[str | Path] = [
            "./configure",
            f"--prefix={prefix}",
            *recipe.configure,
            *(f"{name}={value}" for name, value in variables.items()),
        ]
        title = f"CPython {version} ({self.flavor})"
        self._step(f"configuring {title}", configure, tree, "1-2 minutes")
        self._step(f"compiling {title}", ["make", f"-j{jobs()}"], tree, recipe.usually)
        # `make install` compiles the library at three levels of optimization with the new, perhaps
        # slow interpreter: minutes under a sanitizer. `true` in its place, then one level.
        install: list[str | Path] = ["make", "install", f"DESTDIR={root}", "PYTHON_FOR_BUILD=true"]
        self._step(f"installing {title}", install, tree, "10 seconds")

    def _compile_library(self, root: Path, installed: Path, version: str) -> None:
        python = installed / f"bin/python{self.py}"
        command: list[str | Path] = [python, "-I", "-m", "compileall", "-q", f"-j{jobs()}"]
        # The folder that the files will be in, not the present one, goes into the tracebacks.
        command += ["-s", root, "-p", "/", "-x", "bad_coding|badsyntax"]
        command += [installed / f"lib/python{self.py}"]
        title = f"compiling the library of CPython {version} ({self.flavor})"
        self._step(title, command, root, "20 seconds, minutes under a sanitizer")

    def _move_into_place(self, installed: Path, staging: Path, prefix: Path) -> None:
        (installed / _store.MARKER).touch()
        if prefix.exists():
            # A finished one that no longer runs; anything else there would not be ours to touch.
            if not (prefix / _store.STAMP).exists():
                raise Trouble(
                    f"{prefix} is in the way and not of this tool's making: move it away."
                )
            prefix.rename(staging / "broken")
        installed.rename(prefix)

    def _prove(self, executable: Path) -> None:
        """Run the new interpreter from its final place."""
        say("checking the new interpreter")
        try:
            _candidates.verify(executable, self.py, PROVEN_MODULES)
        except Trouble as trouble:
            raise Trouble(f"The new interpreter {executable} {trouble}. Log: {self.log}") from None


def _series(path: Path) -> list[str]:
    if not path.exists():
        return []
    lines = (line.split("#")[0].strip() for line in path.read_text().splitlines())
    names = (line.split()[0] for line in lines if line)
    return [name for name in names if REPAIRS.fullmatch(name)]


def _version(tree: Path) -> str:
    """The version that a source tree says it is, with the letter of a free-threaded build."""
    header = (tree / "Include/patchlevel.h").read_text()
    match = re.search(r'#define PY_VERSION\s+"([\w.+]+)"', header)
    if match is None:
        raise Trouble(f"{tree} does not look like CPython's source: no PY_VERSION in patchlevel.h.")
    return match[1].rstrip("+") + "t"


def _compiler_version(chosen: Compiler) -> str:
    _, printed = capture([chosen.cc, "--version"], limit_s=30)
    return (printed.strip().splitlines() or ["unknown"])[0]


def _add_debugger_files(tree: Path, prefix: Path) -> None:
    """Give gdb what `py-bt` needs, and every build the name that its version asks for."""
    binaries = prefix / "bin"
    programs = [
        path
        for path in sorted(binaries.glob("python3.*"))
        if re.fullmatch(r"python3\.\d+t?d?", path.name) and not path.is_symlink()
    ]
    for path in programs:
        plain = binaries / path.name.rstrip("d")
        if not plain.exists():
            plain.symlink_to(path.name)
    library = tree / "Tools/gdb/libpython.py"
    share = prefix / "share/gdb"
    share.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(library, share / "libpython.py")
    for path in programs:
        # gdb looks for this name beside the program, after following symbolic links.
        shutil.copyfile(library, binaries / f"{path.name}-gdb.py")
