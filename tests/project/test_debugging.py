"""tools/debugging.py: which debugger and which clang count as there, and what is installed where none does."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

TOOLS = Path(__file__).resolve().parents[2] / "tools"
sys.path.insert(0, str(TOOLS))

import _debian  # noqa: E402
import debugging  # noqa: E402
from _steps import Trouble  # noqa: E402

SAID = {
    "gdb": "GNU gdb (Debian 13.1-3) {}",
    "lldb": "lldb version {}",
    "clang": "Debian clang version {}\nTarget: x86_64-pc-linux-gnu",
    "llvm-symbolizer": "llvm-symbolizer\nDebian LLVM version {}\n  Optimized build.",
}


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A machine with none of the tools: PATH is one folder, empty but for sh."""
    folder = tmp_path / "bin"
    folder.mkdir()
    (folder / "sh").symlink_to("/bin/sh")
    monkeypatch.setenv("PATH", str(folder))
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr(debugging.tempfile, "tempdir", None)
    return folder


def tool(folder: Path, program: str, version: str, name: str = "") -> str:
    """A program that only says its version."""
    path = folder / (name or program)
    path.write_text(f"#!/bin/sh\necho '{SAID[program].format(version)}'\n")
    path.chmod(0o755)
    return str(path)


def test_debian_12s_own_llvm_is_too_old(machine: Path) -> None:
    """Its clang is 14, and the interpreter of ThreadSanitizer needs 18."""
    for program in debugging.PACKAGES:
        tool(machine, program, "14.0.6")

    assert debugging.missing() == {
        name: f"{name} (here is 14.0.6; it takes 18 or later)"
        for name in ("lldb", "clang", "llvm-symbolizer")
    }


@pytest.mark.parametrize("program", debugging.OF_LLVM)
def test_of_several_our_version_then_the_newest(machine: Path, program: str) -> None:
    assert debugging.chosen(program) is None
    plain = tool(machine, program, "18.1.3")
    assert debugging.chosen(program) == plain
    newer = tool(machine, program, "20.1.0", f"{program}-20")
    tool(machine, program, "17.0.6", f"{program}-17")
    assert debugging.chosen(program) == newer
    tool(machine, program, "21.1.0")
    assert debugging.chosen(program) == plain
    ours = tool(machine, program, "19.1.7", f"{program}-19")
    assert debugging.chosen(program) == ours
    assert program not in debugging.missing()


def test_what_says_no_version_does_not_do(machine: Path) -> None:
    (machine / "clang").write_text("#!/bin/sh\nexit 1\n")
    (machine / "clang").chmod(0o755)

    assert debugging.missing()["clang"] == "clang (here is unknown; it takes 18 or later)"


#: An apt-get of a system whose newest LLVM has this version, under this name of a package.
APT = """#!/bin/sh
for word in "$@"; do
  case $word in
    *-19) [ {column} = own ] && echo "E: Unable to locate package $word" && exit 100 ;;
  esac
done
case "$*" in *install*) ;; *) exit 0 ;; esac
for name in gdb lldb clang llvm-symbolizer; do
  printf '#!/bin/sh\necho "GNU (x) version {version}"\n' > {folder}/$name{suffix}
  {chmod} 755 {folder}/$name{suffix}
done
"""


def apt(folder: Path, column: str, version: str, suffix: str) -> None:
    text = APT.format(
        column=column, version=version, folder=folder, suffix=suffix, chmod="/bin/chmod"
    )
    (folder / "apt-get").write_text(text)
    (folder / "apt-get").chmod(0o755)


@pytest.fixture
def root(machine: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(_debian, "is_debian_like", lambda: True)
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    return machine


def test_what_is_missing_is_installed(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    tool(root, "clang", "14.0.6")
    tool(root, "gdb", "13.1")
    apt(root, "ours", "19.1.7", "-19")

    assert debugging.main() == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[:2] for line in lines[1:]] == [
        [name, "19.1.7"] for name in debugging.OF_LLVM
    ]


def test_a_system_that_has_only_an_old_one_is_told(root: Path) -> None:
    apt(root, "own", "14.0.6", "")

    with pytest.raises(Trouble, match=r"Still missing after apt-get: .*clang \(here is 14\.0\.6; "):
        debugging.ensure()


def test_without_root_the_command_is_said(machine: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tool(machine, "gdb", "13.1")
    tool(machine, "clang", "14.0.6")
    monkeypatch.setattr(_debian, "is_debian_like", lambda: True)
    monkeypatch.setattr(os, "geteuid", lambda: 1000)

    with pytest.raises(Trouble, match=r"clang \(here is 14\.0\.6.*sudo apt-get install lldb-19 clang-19 llvm-19"):  # fmt: skip
        debugging.ensure()
