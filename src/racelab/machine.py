"""What this interpreter and this machine are, in the words that a result is printed with."""

from __future__ import annotations

import functools
import os
import platform
import sys
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

__all__ = ["Environment", "cores_usable", "cpu_name", "environment", "gil_enabled", "python_line"]


@dataclass(frozen=True)
class Environment:
    """The facts that decide what a race can show here.

    Attributes:
        python: version and build, e.g. "3.13.5 experimental free-threading build".
        build: the whole line of sys.version.
        free_threaded: whether this build can run without the GIL.
        gil_enabled: whether the GIL is on now.
        cores: how many cores we may use: the affinity mask, cut by a container's quota.
        cpu: the processor's name.
        compiler: first line of the C compiler's --version, "" if there is none.
        cython: version, or None if it is not installed.
        racelab: our own version.
        notes: one sentence for each thing that is not as the book needs it.
    """

    python: str
    build: str
    free_threaded: bool
    gil_enabled: bool
    cores: float
    cpu: str
    compiler: str
    cython: str | None
    racelab: str
    notes: tuple[str, ...]

    def as_dict(self) -> dict[str, Any]:
        """The same facts as a plain dictionary, for JSON."""
        return asdict(self)

    def _rows(self) -> list[tuple[str, str]]:
        build = "free-threaded" if self.free_threaded else "not free-threaded"
        return [
            ("Python", self.build),
            ("build", f"{build}, the GIL is {'on' if self.gil_enabled else 'off'}"),
            ("cores", f"{self.cores:g} usable ({self.cpu})"),
            ("compiler", self.compiler or "none found"),
            ("Cython", self.cython or "not installed"),
            ("racelab", self.racelab),
            *(("note", text) for text in self.notes),
        ]

    def __str__(self) -> str:
        return "\n".join(f"{label:<8}  {text}" for label, text in self._rows())

    def _repr_pretty_(self, printer: Any, cycle: bool) -> None:
        printer.text(str(self) if not cycle else "Environment(...)")

    def _repr_html_(self) -> str:
        from racelab.runner import rows_to_html

        return rows_to_html(self._rows(), "Interpreter and machine")


def environment() -> Environment:
    """Look at the interpreter that runs this and at the machine below it."""
    from importlib import metadata

    from racelab import __version__
    from racelab.build import BuildError, compiler_version

    try:
        compiler = compiler_version()
    except BuildError:
        compiler = ""
    try:
        cython: str | None = metadata.version("cython")
    except metadata.PackageNotFoundError:
        cython = None
    return Environment(
        python=python_line(),
        build=sys.version.replace("\n", " "),
        free_threaded=free_threaded(),
        gil_enabled=gil_enabled(),
        cores=cores_usable(),
        cpu=cpu_name(),
        compiler=compiler,
        cython=cython,
        racelab=__version__,
        notes=tuple(_notes(compiler)),
    )


def python_line() -> str:
    """Version and kind of build, as a result carries it."""
    from racelab.build import python_version

    return python_version()


@functools.lru_cache(maxsize=1)
def free_threaded() -> bool:
    """Whether this build can run without the GIL."""
    import sysconfig

    return bool(sysconfig.get_config_var("Py_GIL_DISABLED"))


def gil_enabled() -> bool:
    """Whether the GIL is on in this process now; True on builds that know nothing else."""
    asked = getattr(sys, "_is_gil_enabled", None)
    return True if asked is None else bool(asked())


def cores_usable() -> float:
    """Cores that our threads can have at once: affinity, cut by cgroup's cpu.max. May be a fraction."""
    allowed = getattr(os, "sched_getaffinity", None)
    cores = float(len(allowed(0)) if allowed else os.cpu_count() or 1)
    return min([cores, *_quotas()])


def _quotas() -> Iterator[float]:
    """CPU quotas, in cores, of our control group and those above it."""
    root = Path("/sys/fs/cgroup")
    try:
        line = next(
            line
            for line in Path("/proc/self/cgroup").read_text().splitlines()
            if line.startswith("0::")
        )
    except (OSError, StopIteration):
        return
    folder = root / line.removeprefix("0::").lstrip("/")
    for place in (folder, *folder.parents):
        if place != root and root not in place.parents:
            return
        try:
            quota, period = (place / "cpu.max").read_text().split()
        except (OSError, ValueError):
            continue
        if quota != "max":
            yield int(quota) / int(period)


@functools.lru_cache(maxsize=1)
def cpu_name() -> str:
    """The processor as it calls itself, or its architecture."""
    try:
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            if line.startswith(("model name", "Model")):
                return " ".join(line.partition(":")[2].split())
    except OSError:
        pass
    return platform.processor() or platform.machine()


def _notes(compiler: str) -> Iterator[str]:
    if not free_threaded():
        yield (
            "This build always has the GIL: C code that races without it will not race here. "
            "Use python3.13t (make env)."
        )
    elif gil_enabled():
        yield _why_gil()
    if cores_usable() < 2:
        yield (
            f"Threads share {cores_usable():g} core: most races cannot show here by themselves. "
            "Run with widening (racelab race --widen)."
        )
    if not compiler:
        yield "No C compiler: labs cannot be compiled. Install gcc, or set CC."


def _why_gil() -> str:
    if os.environ.get("PYTHON_GIL") == "1":
        return "The GIL is on because PYTHON_GIL=1 is set. Unset it and start again."
    if sys._xoptions.get("gil") == "1":
        return "The GIL is on because Python was started with -X gil=1. Start it without."
    named = _enabled_by()
    who = (
        f"importing {named} enabled it"
        if named
        else "an imported module does not declare Py_mod_gil"
    )
    return (
        f"The GIL is on: {who}. Restart; then import that module only in a child (rl.run_child), "
        "or repair it (Py_MOD_GIL_NOT_USED)."
    )


def _enabled_by() -> str | None:
    """The module that the interpreter's own warning named, if it was shown in this process."""
    import re

    pattern = re.compile(r"has been enabled to load module '([^']+)'")
    # `warnings` notes in the registry of the importing module that it has shown a text.
    for module in list(sys.modules.values()):
        registry = getattr(module, "__warningregistry__", None)
        for key in registry if isinstance(registry, dict) else ():
            found = pattern.search(str(key[0])) if isinstance(key, tuple) and key else None
            if found:
                return repr(found.group(1))
    return None
