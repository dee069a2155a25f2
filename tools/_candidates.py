"""Interpreters that are already on the machine: find them, and believe none before it has run."""

from __future__ import annotations

import json
import os
import re
import shutil
import tempfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from _steps import Trouble, capture, clean_environment, ending, say

PROBE_LIMIT_S = 120.0
UV_FIND_LIMIT_S = 30.0
UV_INSTALL_LIMIT_S = 60.0
LOCAL_UV = Path(__file__).resolve().parent.parent / ".venv-tools/bin/uv"
NEEDED_MODULES = ("ssl", "sqlite3", "ctypes", "zlib")
"""Without these no package can be installed, or the notebooks' kernel does not start."""

_PROBE = """
import importlib, json, os, sys, sysconfig
missing = []
for name in sys.argv[1].split(","):
    try:
        importlib.import_module(name)
    except ImportError:
        missing.append(name)
places = {sysconfig.get_path("include"), sysconfig.get_path("platinclude")}
print("\\n" + json.dumps({
    "version": sys.version.split()[0],
    "series": "%d.%d" % sys.version_info[:2],
    "gil_disabled": sysconfig.get_config_var("Py_GIL_DISABLED"),
    "gil_enabled": getattr(sys, "_is_gil_enabled", lambda: True)(),
    "headers": any(os.path.exists(os.path.join(place, "Python.h")) for place in places),
    "include": sorted(places)[0],
    "executable": sys.executable,
    "base": sys._base_executable if sys.prefix != sys.base_prefix else sys.executable,
    "missing": missing,
}))
"""
_VENV_PROBE = "import racelab_probe, sys; print(sys._is_gil_enabled(), sys.prefix)"


@dataclass
class Tried:
    """What was looked at and why it did not do, in order; the last error lists it.

    Attributes:
        lines: pairs of place and reason.
    """

    lines: list[tuple[str, str]] = field(default_factory=list)

    def add(self, place: str, reason: str) -> None:
        """Note one place; a second look at it replaces the first."""
        self.lines = [line for line in self.lines if line[0] != place] + [(place, reason)]

    def __str__(self) -> str:
        width = max((len(place) for place, _ in self.lines), default=0)
        return "\n".join(f"  {place:<{width}}  {reason}" for place, reason in self.lines)


def verify(executable: Path, py: str, modules: tuple[str, ...] = NEEDED_MODULES) -> Path:
    """Run an interpreter and make sure that it is what it is taken for.

    Args:
        executable: the interpreter.
        py: the version asked for: "3.13t".
        modules: that must be importable.

    Returns:
        The interpreter to use: the one that answered, or, for one in a virtual environment, the one
        that the environment was made from (the environment may be replaced while it is needed).

    Raises:
        Trouble: it is not; the message is the reason, a clause without its subject.
    """
    facts = _qualified(executable, py, modules)
    base = Path(facts["base"])
    if base != Path(facts["executable"]):
        say(f"{executable} is in a virtual environment; using the interpreter under it: {base}")
        _qualified(base, py, modules)
    _check_venv(base)
    return base


def _qualified(executable: Path, py: str, modules: tuple[str, ...]) -> dict[str, Any]:
    """What an interpreter says about itself, if that is what is asked for."""
    facts = _probe(executable, modules)
    if facts.get("series") != py[:-1]:
        raise Trouble(f"is Python {facts['version']}, not {py}")
    if facts.get("gil_disabled") != 1:
        raise Trouble(f"is an ordinary {facts['version']}, not a free-threaded build")
    if facts.get("gil_enabled"):
        raise Trouble("runs with the GIL enabled")
    if not facts.get("headers"):
        raise Trouble(f"has no Python.h in {facts.get('include')}: its -dev package is missing")
    if facts.get("missing"):
        raise Trouble(f"lacks the modules {', '.join(facts['missing'])}")
    return facts


def _probe(executable: Path, modules: tuple[str, ...]) -> dict[str, Any]:
    if not os.access(executable, os.X_OK) or executable.is_dir():
        raise Trouble("is not a program that can be run")
    command: list[str | Path] = [executable, "-I", "-c", _PROBE, ",".join(modules)]
    status, printed = capture(command, limit_s=PROBE_LIMIT_S)
    lines = printed.strip().splitlines() or ["(no output)"]
    if status != 0:
        raise Trouble(f"does not run ({ending(status)}): {_hinted(lines[-1][:300], printed)}")
    try:
        facts = json.loads(lines[-1])
        if not all(isinstance(facts[name], str) for name in ("executable", "base", "version")):
            raise TypeError
    except (ValueError, TypeError, KeyError):
        raise Trouble(f"does not answer like a Python: {lines[-1][:120]!r}") from None
    return dict(facts)


def _hinted(line: str, printed: str) -> str:
    if re.search(r"Sanitizer \w+ to allocate|rlimit\(\) failed|ReserveShadowMemoryRange", printed):
        return f"{line} (a sanitizer needs more address space: raise the limit, `ulimit -v`)"
    if "ThreadSanitizer" in printed and ("memory" in printed or "ADDR_NO_RANDOMIZE" in printed):
        return f"{line} (ThreadSanitizer needs `sudo sysctl vm.mmap_rnd_bits=28` on this kernel)"
    return line


def _check_venv(executable: Path) -> None:
    """Make a virtual environment, put a module into it, import it: what an installer relies on."""
    with tempfile.TemporaryDirectory(prefix="racelab-venv-") as folder:
        place = Path(folder) / "env"
        command: list[str | Path] = [executable, "-I", "-m", "venv", "--without-pip", place]
        status, printed = capture(command, limit_s=PROBE_LIMIT_S)
        if status != 0:
            lines = printed.strip().splitlines() or ["no message"]
            raise Trouble(f"cannot make virtual environments: {lines[-1][:300]}")
        inside = place / "bin/python"
        ask = "import sysconfig; print(sysconfig.get_path('purelib'))"
        status, printed = capture([inside, "-I", "-c", ask], limit_s=PROBE_LIMIT_S)
        packages = Path((printed.strip().splitlines() or ["/nowhere"])[-1])
        if status == 0 and packages.is_relative_to(place):
            packages.mkdir(parents=True, exist_ok=True)
            (packages / "racelab_probe.py").touch()
            status, printed = capture([inside, "-I", "-c", _VENV_PROBE], limit_s=PROBE_LIMIT_S)
            if status == 0 and printed.strip() == f"False {place}":
                return
    raise Trouble("makes virtual environments that do not find the packages installed in them")


def accept(place: str, executable: Path, py: str, tried: Tried) -> Path | None:
    """Verify a candidate; one that fails is named with its reason, noted, and passed over."""
    try:
        return verify(executable, py)
    except Trouble as trouble:
        line = (place, f"{executable} {trouble}")
        if line not in tried.lines:
            say(f"Passing over {executable}: it {trouble}")
        tried.add(*line)
        return None


def from_variable(py: str, tried: Tried) -> Path | None:
    """The interpreter that RACELAB_PYTHON names.

    Raises:
        Trouble: it is set and does not do. Somebody asked for this one: no other is taken instead.
    """
    value = os.environ.get("RACELAB_PYTHON", "")
    if not value:
        tried.add("RACELAB_PYTHON", "not set")
        return None
    found = shutil.which(value)
    try:
        if found is None:
            raise Trouble("is not a program that can be run")
        return verify(Path(found).absolute(), py)
    except Trouble as trouble:
        raise Trouble(
            f"RACELAB_PYTHON={value}: it {trouble}. Set it to a free-threaded {py}, or unset it."
        ) from None


def from_path(py: str, tried: Tried) -> Path | None:
    """The first `python3.13t` on PATH that does."""
    place = f"python{py} on PATH"
    tried.add(place, "none")
    for folder in os.get_exec_path():
        executable = Path(folder or ".").absolute() / f"python{py}"
        if os.access(executable, os.X_OK) and not executable.is_dir():
            found = accept(place, executable, py, tried)
            if found is not None:
                return found
    return None


def uv_program() -> str | None:
    """uv on PATH, or the one that the project installed for itself."""
    local = str(LOCAL_UV) if os.access(LOCAL_UV, os.X_OK) else None
    return shutil.which("uv") or local


def _uv(uv: str, *arguments: str, limit_s: float) -> tuple[int, str]:
    # UV_PYTHON_INSTALL_BIN: nothing is put on anybody's PATH. `/`: no project file is looked at.
    env = clean_environment(UV_PYTHON_INSTALL_BIN="0", NO_COLOR="1")
    env.pop("UV_PYTHON", None)
    return capture([uv, "--no-config", "python", *arguments], limit_s=limit_s, cwd="/", env=env)


def from_uv(py: str, tried: Tried) -> Path | None:
    """An interpreter that uv knows of, without asking the network."""
    uv = uv_program()
    if uv is None:
        tried.add("uv python find", "uv is not installed")
        return None
    try:
        arguments = ("find", "--system", "--no-python-downloads", py)
        status, printed = _uv(uv, *arguments, limit_s=UV_FIND_LIMIT_S)
    except Trouble as trouble:
        tried.add("uv python find", str(trouble))
        return None
    paths = [line for line in printed.splitlines() if line.startswith("/")]
    if status != 0 or not paths:
        tried.add("uv python find", _uv_reason(printed))
        return None
    return accept("uv python find", Path(paths[-1]), py, tried)


def _uv_reason(printed: str) -> str:
    """The line of uv's answer that says what is wrong."""
    lines = printed.strip().splitlines() or ["no answer"]
    errors = [line for line in lines if line.startswith("error: ")]
    return (errors or lines[-1:])[0].removeprefix("error: ")[:200]


def install_with_uv(py: str, tried: Tried) -> Path | None:
    """Let uv download an interpreter; where it cannot, come back soon and say so in one line."""
    uv = uv_program()
    if uv is None:
        tried.add("uv python install", "uv is not installed")
        return None
    say(f"Asking uv for CPython {py}: at most {UV_INSTALL_LIMIT_S:.0f} s")
    try:
        status, printed = _uv(uv, "install", py, limit_s=UV_INSTALL_LIMIT_S)
    except Trouble as trouble:
        tried.add("uv python install", str(trouble))
        say(f"uv {trouble}; going on without it")
        return None
    if status != 0:
        tried.add("uv python install", f"failed: {_uv_reason(printed)}")
        say("uv could not download it; going on without it")
        return None
    return from_uv(py, tried)
