"""The tools that are not ours: which of several is taken, which are too old, and what the doctor says of each."""

from __future__ import annotations

import json
import os
import platform
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from racelab import toolbox

ROOT = Path(__file__).resolve().parent.parent
SERIES = f"{sys.version_info.major}.{sys.version_info.minor}"


@pytest.fixture(autouse=True)
def alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing of the caller's names a tool or an interpreter."""
    for name in os.environ:
        if re.fullmatch(r"RACELAB_(TSAN|ASAN|DEBUG)_PYTHON|RACELAB_(GDB|LLDB|CLANG|GCC).*", name):
            monkeypatch.delenv(name)


def program(path: Path, script: str) -> Path:
    """A program that really runs."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)
    return path


# ---------------------------------------------------------------------------------------------------
# Interpreters
# ---------------------------------------------------------------------------------------------------


@pytest.fixture
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[ModuleType]:
    """tools/_store.py, whose stamps are read, with an empty cache."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.syspath_prepend(str(ROOT / "tools"))
    import _store  # type: ignore[import-not-found]

    yield _store
    for name in ("_store", "_steps"):
        sys.modules.pop(name, None)


def made(store: ModuleType, version: str, flavor: str = "tsan", **changes: Any) -> Path:
    """An interpreter as tools/interpreter.py leaves it."""
    recipe = changes.get("recipe", store.RECIPE)
    folder: Path = store.root() / f"{version}-{flavor}-x86_64-abc-r{recipe}"
    program(folder / f"bin/python{SERIES}t", "true")
    stamp = {
        "version": version, "py": f"{SERIES}t", "flavor": flavor, "recipe": store.RECIPE, "prefix": str(folder),
        "machine": {"amd64": "x86_64"}.get(platform.machine(), platform.machine()), "configure": ["--a"],
        "executable": f"bin/python{SERIES}t", "cc": "sh", "date": "2026-01-01", **changes,
    }  # fmt: skip
    store.write_stamp(folder, stamp)
    return folder


def taken(flavor: str = "tsan") -> Path | None:
    found = toolbox.interpreter_of(flavor)
    return Path(found).parent.parent if found else None


def test_the_newest_interpreter_is_taken_by_number(store: ModuleType) -> None:
    """As the tools do it: 3.13.10 is newer than 3.13.9, and of two builds of one version the later."""
    made(store, f"{SERIES}.5t")
    newest = made(store, f"{SERIES}.10t")
    made(store, f"{SERIES}.9t")
    machine = json.loads((newest / store.STAMP).read_text())["machine"]

    first, *_ = store.finished(f"{SERIES}t", "tsan", machine, ["--a"])
    assert taken() == newest == first.prefix
    later = newest.with_name("later")
    made(store, f"{SERIES}.10t").rename(later)
    stamp = json.loads((later / store.STAMP).read_text())
    store.write_stamp(later, {**stamp, "prefix": str(later), "date": "2026-02-01"})
    assert taken() == later


@pytest.mark.parametrize(
    "change",
    [
        {"recipe": 0},
        {"recipe": 2},
        {"machine": "riscv64"},
        {"prefix": "/moved/from/here"},
        {"flavor": "debug"},
        {"py": "3.9t"},
        {"made_by": "somebody else"},
        {"cc": "no-such-compiler"},
    ],
    ids=lambda change: "-".join(map(str, change)),
)
def test_what_the_tools_would_not_take_is_not_taken(store: ModuleType, change: dict[str, Any]) -> None:  # fmt: skip
    folder = made(store, f"{SERIES}.7t", **{"configure": ["--a"], **change})
    assert taken() is None
    fine = made(store, f"{SERIES}.6t")
    assert fine != folder
    assert taken() == fine


def test_an_interpreter_without_its_stamp_is_not_finished(store: ModuleType) -> None:
    folder = made(store, f"{SERIES}.7t")
    stamp = folder / store.STAMP
    stamp.write_text(stamp.read_text()[:40])
    assert taken() is None
    stamp.write_text("[1]")
    assert taken() is None
    stamp.unlink()
    assert taken() is None


def test_the_stamp_is_the_one_that_the_tools_write(store: ModuleType) -> None:
    ours = (toolbox.STAMP, toolbox.MADE_BY, toolbox.RECIPE)

    assert ours == (store.STAMP, store.MADE_BY, store.RECIPE)


def test_an_interpreter_that_does_not_start_is_no_help(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    dying = "FATAL: ThreadSanitizer: unexpected memory mapping 0x555500000000-0x555500400000"
    monkeypatch.setenv(
        "RACELAB_TSAN_PYTHON", str(program(tmp_path / "a", f"echo '{dying}'; exit 66"))
    )
    monkeypatch.setenv("RACELAB_DEBUG_PYTHON", str(program(tmp_path / "b", "echo no; exit 3")))
    checks = {name: toolbox._flavor(flavor, name) for flavor, name in toolbox.FLAVORS}

    seen = checks["ThreadSanitizer"]
    assert "does not run: FATAL: ThreadSanitizer: unexpected memory mapping" in seen.found
    assert "sudo sysctl vm.mmap_rnd_bits=28" in seen.advice
    seen = checks["debug interpreter"]
    assert seen.found.endswith("does not run: no")
    assert seen.advice == "Set RACELAB_DEBUG_PYTHON to one that runs, or unset it."
    assert all(check.ok is None for check in checks.values())
    assert toolbox.missing(["tsan"]) == [
        "the tsan interpreter does not run here (racelab doctor says why)"
    ]


@pytest.mark.parametrize(("flavor", "name"), toolbox.FLAVORS)
def test_an_interpreter_that_is_here_is_started(flavor: str, name: str) -> None:
    if missing := toolbox.missing([flavor]):
        pytest.skip("; ".join(missing))
    seen = toolbox._flavor(flavor, name)

    assert re.match(rf"{SERIES}\.\d+\S*, built by (GCC|Clang) \d", seen.found)
    assert seen.advice == ""
    (compiler,) = toolbox.versions([flavor])
    assert re.fullmatch(r"(gcc|clang) \d+\.[\d.]+", compiler)
    assert compiler.split()[1] in seen.found


# ---------------------------------------------------------------------------------------------------
# Versions of LLVM, gcc
# ---------------------------------------------------------------------------------------------------


def llvm(folder: Path, name: str, version: str) -> str:
    return str(program(folder / name, f"echo '{name.rstrip('-0123456789')} version {version}'"))


@pytest.mark.parametrize("tool", toolbox.OF_LLVM)
def test_of_several_versions_ours_then_the_newest(
    tool: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever the unversioned name stands for: on Debian 12 it is 14."""
    monkeypatch.setenv("PATH", str(tmp_path))
    old = llvm(tmp_path, tool, "14.0.6")
    assert toolbox.find(tool) == old
    assert toolbox.missing([tool]) == [f"{tool} 14.0.6 is older than 18 (make tools)"]
    newer = llvm(tmp_path, f"{tool}-98", "98.0.1")
    assert toolbox.find(tool) == newer
    llvm(tmp_path, f"{tool}-97", "97.1.0")
    assert toolbox.find(tool) == newer
    newest = llvm(tmp_path, tool, "99.1.0")
    os.utime(newest, ns=(1, 1))  # not what was asked above
    assert toolbox.find(tool) == newest
    ours = llvm(tmp_path, f"{tool}-19", "19.1.7")
    assert toolbox.find(tool) == ours
    monkeypatch.setenv(f"RACELAB_{tool.upper()}", old)
    assert toolbox.find(tool) == old
    assert toolbox.too_old(tool) == ""  # somebody wants it


def test_one_oldest_version_for_modules_and_for_their_interpreter() -> None:
    found = re.search(r"^OLDEST_CLANG = (\d+)", (ROOT / "tools/_compile.py").read_text(), re.M)

    assert found
    assert int(found[1]) == toolbox.OLDEST_LLVM


def test_what_lldb_does_not_find_is_said_up_to_its_version(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    advice = {}
    for version in ("20.1.8", "21.1.0"):
        stops = f"case $1 in --version) echo 'lldb version {version}';; *) echo 'stop reason = x';; esac"
        monkeypatch.setenv("RACELAB_LLDB", str(program(tmp_path / version, stops)))
        toolbox.probe.cache_clear()
        advice[version] = toolbox._lldb().advice
    toolbox.probe.cache_clear()

    assert "-fno-reorder-blocks-and-partition" in advice["20.1.8"]
    assert advice["21.1.0"] == ""


def test_gcc_has_its_own_number(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    said = "gcc (Debian 12.2.0-14+deb12u1) 12.2.1"
    monkeypatch.setenv("RACELAB_GCC", str(program(tmp_path / "gcc", f"echo '{said}'")))

    assert toolbox.versions(["gcc", "gcc"]) == ["gcc 12.2.1"]
    assert toolbox.missing(["gcc"]) == []
    monkeypatch.setenv("RACELAB_GCC", "/nowhere")
    assert toolbox.missing(["gcc"]) == ["no gcc here (apt-get install gcc)"]


# ---------------------------------------------------------------------------------------------------
# cygdb
# ---------------------------------------------------------------------------------------------------

SCRIPTS = {
    "3.2.9": "python\\nimport os\\nopen(os.getenv('VIRTUAL_ENV') + '/bin/activate_this.py')\\nend\\n",
    "3.3.1": "python\\nprint((1)\\nend\\n",
    "9.0.0": "python\\nprint(1)\\nend\\n",
}


def cygdb(folder: Path, version: str, monkeypatch: pytest.MonkeyPatch) -> str:
    """What the doctor says of a Cython whose cygdb writes such a script as that version's."""
    package = folder / version / "Cython"
    (package / "Debugger").mkdir(parents=True)
    (package / "__init__.py").write_text(f"__version__ = {version!r}\n")
    (package / "Debugger/__init__.py").touch()
    (package / "Debugger/Cygdb.py").write_text(
        f"import tempfile\ndef make_command_file(path, no_import):\n"
        f"    with tempfile.NamedTemporaryFile('w', delete=False) as file:\n"
        f'        file.write("{SCRIPTS[version]}")\n    return file.name\n'
    )
    monkeypatch.setenv("PYTHONPATH", str(package.parent))
    seen = toolbox._cygdb()
    return f"{seen.found} -> {seen.advice}"


def test_cygdbs_faults_are_told_by_version(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("Cython")
    monkeypatch.setenv("VIRTUAL_ENV", str(tmp_path))
    old = cygdb(tmp_path, "3.2.9", monkeypatch)
    assert "of Cython 3.2.9, does not start in a virtual environment: no activate_this.py" in old
    assert "cython#1961" in old
    monkeypatch.delenv("VIRTUAL_ENV")
    broken = cygdb(tmp_path, "3.3.1", monkeypatch)
    assert "of Cython 3.3.1, does not start: the script" in broken
    later = cygdb(tmp_path, "9.0.0", monkeypatch)
    assert later == "of Cython 9.0.0, starts -> "  # nobody has looked at its commands


def test_the_installed_cygdb_is_as_chapter_17_has_it() -> None:
    """Its table was made by versions.py, with the real commands."""
    cython = pytest.importorskip("Cython")
    rows = (ROOT / "notebooks/recorded/cygdb.jsonl").read_text()
    recorded = re.findall(rf"{re.escape(cython.__version__)} +no venv +([^\\]*)", rows)
    seen = subprocess.run(
        [sys.executable, "-c", "from racelab import toolbox; print(toolbox._cygdb().found)"],
        capture_output=True, text=True, timeout=120, check=True,
        env={name: value for name, value in os.environ.items() if name != "VIRTUAL_ENV"},
    ).stdout  # fmt: skip

    assert f"of Cython {cython.__version__}, " in seen
    if recorded:
        assert ("does not start" in seen) == ("does not start" in recorded[0])
