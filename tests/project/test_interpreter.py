"""tools/interpreter.py: what it takes for an interpreter, and what it leaves behind when stopped.

Nothing is compiled here but in the last test (`make test-race`). Candidates are small programs that
lie about themselves; the archive is a small one of our own, really signed, served on the loopback.
"""

from __future__ import annotations

import contextlib
import errno
import functools
import hashlib
import http.server
import json
import os
import platform
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

TOOLS = Path(__file__).resolve().parents[2] / "tools"
sys.path.insert(0, str(TOOLS))

import _candidates  # noqa: E402
import _compile  # noqa: E402
import _debian  # noqa: E402
import _steps  # noqa: E402
import _store  # noqa: E402
import interpreter  # noqa: E402
import project  # noqa: E402
from _steps import Trouble  # noqa: E402

PY = "3.13t"
SCRIPT = TOOLS / "interpreter.py"
PATIENCE_S = 30.0

pytestmark = pytest.mark.skipif(
    platform.system() != "Linux" or platform.machine() not in _compile.MACHINES,
    reason="interpreters are built on Linux on x86-64 and aarch64 only",
)

HONEST = {
    "version": "3.13.5",
    "series": "3.13",
    "gil_disabled": 1,
    "gil_enabled": False,
    "headers": True,
    "include": "/nowhere",
    "missing": [],
}

# Answers the questions that a candidate is asked, with prepared facts instead of its own.
LIAR = """#!{python}
import json, os, shutil, sys
me = os.path.abspath(sys.argv[0])
question = sys.argv[-1]
if "venv" in sys.argv:
    if not {venv}:
        sys.exit("No module named ensurepip")
    os.makedirs(question + "/bin")
    shutil.copy(me, question + "/bin/python")
elif "purelib" in question:
    print(os.path.dirname(os.path.dirname(me)) + "/lib")
elif "racelab_probe" in question:
    print(False, os.path.dirname(os.path.dirname(me)))
else:
    print(json.dumps({{"executable": me, "base": me, **json.loads({facts!r})}}))
"""


def liar(path: Path, *, venv: bool = True, **lies: object) -> Path:
    """Write a program that passes for a free-threaded 3.13, but for the lies."""
    facts = json.dumps({**HONEST, **lies})
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(LIAR.format(python=sys.executable, venv=venv, facts=facts))
    path.chmod(0o755)
    return path


def script(path: Path, text: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(0o755)
    return path


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A cache of its own; the folder is not made yet."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return tmp_path / "cache/racelab/python"


@pytest.fixture
def path_folder(tmp_path: Path, cache: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A machine without interpreters, uv or compilers: PATH is one folder, empty but for sh."""
    del cache
    folder = tmp_path / "bin"
    folder.mkdir()
    (folder / "sh").symlink_to("/bin/sh")
    monkeypatch.setenv("PATH", str(folder))
    monkeypatch.delenv("RACELAB_PYTHON", raising=False)
    monkeypatch.setattr(_candidates, "LOCAL_UV", tmp_path / "no-uv")
    return folder


def store_one(flavor: str = "release", version: str = "3.13.5t", **changes: Any) -> Path:
    """Put a stamped liar into the cache; return its prefix."""
    words = _compile.RECIPES[flavor].words
    digest = _store.flags_hash(version, *words)
    prefix = _store.root() / _store.key(version, flavor, _compile.machine(), digest)
    liar(prefix / "bin/python3.13t", version=version[:-1])
    stamp = {
        "py": PY,
        "version": version,
        "flavor": flavor,
        "machine": _compile.machine(),
        "recipe": _store.RECIPE,
        "prefix": str(prefix),
        "executable": "bin/python3.13t",
        "configure": words,
        "cc": "sh",
        "date": "2026-01-01",
    }
    _store.write_stamp(prefix, {**stamp, **changes})
    return prefix


def eventually(question: Callable[[], bool]) -> bool:
    """Whether something comes true before the patience is at its end."""
    end = time.monotonic() + PATIENCE_S
    while time.monotonic() < end:
        if question():
            return True
        time.sleep(0.05)
    return question()


def gone(pid: int) -> bool:
    """Whether a process has ended (a zombie that nobody waits for has)."""
    try:
        return ") Z " in Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return True


@contextlib.contextmanager
def background(code: str, *arguments: object) -> Iterator[subprocess.Popen[str]]:
    """A process that runs code beside the tools; killed at the end if it still runs."""
    child = subprocess.Popen(
        [sys.executable, "-c", code, *map(str, arguments)],
        cwd=TOOLS,
        env={**os.environ, "PYTHONPATH": str(TOOLS)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        yield child
    finally:
        child.kill()
        child.communicate(timeout=PATIENCE_S)


def command_line(*words: str, **variables: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, str(SCRIPT), *words],
        env={**os.environ, **variables},
        capture_output=True,
        text=True,
        timeout=120,
    )


# What it is called and where it lies


def test_cache_is_the_one_that_the_other_tools_use(cache: Path) -> None:
    assert _store.root() == cache == project.cache_folder() / "python"


def test_key_tells_builds_apart() -> None:
    """Version, flavor, machine, flags and recipe each make another folder."""
    plain = _store.flags_hash("1", "--disable-gil")
    keys = {
        _store.key("3.13.5t", "release", "x86_64", plain),
        _store.key("3.13.6t", "release", "x86_64", plain),
        _store.key("3.13.5t", "debug", "x86_64", plain),
        _store.key("3.13.5t", "release", "aarch64", plain),
        _store.key("3.13.5t", "release", "x86_64", _store.flags_hash("1", "--disable-gil", "-O2")),
        _store.key("3.13.5t", "release", "x86_64", _store.flags_hash("2", "--disable-gil")),
    }

    assert len(keys) == 6
    assert all(key.endswith(f"-r{_store.RECIPE}") for key in keys)


@pytest.mark.parametrize(
    ("value", "complaint"), [("cache", "not an absolute path"), ("/tmp/a b", "spaces")]
)
def test_cache_folder_that_cannot_work_is_named(
    value: str, complaint: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", value)

    with pytest.raises(Trouble, match=complaint):
        _store.root()


def test_newest_finished_build_comes_first(cache: Path) -> None:
    """By number, not by letters: 3.13.10 is newer than 3.13.9."""
    older, newer = store_one(version="3.13.9t"), store_one(version="3.13.10t")

    found = _store.finished(PY, "release", _compile.machine(), _compile.RECIPES["release"].words)

    assert [each.prefix for each in found] == [newer, older]
    assert found[0].prefix.parent == cache


@pytest.mark.parametrize(
    "change",
    [
        {"recipe": _store.RECIPE - 1},
        {"machine": "riscv64"},
        {"prefix": "/moved/from/here"},
        {"configure": ["--enable-something"]},
        {"flavor": "debug"},
        {"made_by": "somebody else"},
    ],
    ids=lambda change: next(iter(change)),
)
def test_build_of_another_kind_is_not_taken(change: dict[str, Any], cache: Path) -> None:
    del cache
    store_one(**change)

    words = _compile.RECIPES["release"].words
    assert _store.finished(PY, "release", _compile.machine(), words) == []


def test_build_without_stamp_or_with_half_a_stamp_is_not_taken(cache: Path) -> None:
    prefix = store_one()
    words = _compile.RECIPES["release"].words
    stamp = prefix / _store.STAMP
    stamp.write_text(stamp.read_text()[:50])
    assert _store.finished(PY, "release", _compile.machine(), words) == []

    stamp.unlink()
    assert _store.finished(PY, "release", _compile.machine(), words) == []
    assert prefix.parent == cache


# Mirrors in apt's lists

ONE_LINE = """
# deb http://old.example/debian bookworm main
deb [arch=amd64 signed-by=/usr/share/keyrings/x.gpg] https://mirror.example/debian/ bookworm main contrib
deb-src http://second.example/debian bookworm-updates main   # sources too
deb http://security.example/debian-security bookworm-security main
deb https://packages.example/cloud cloud-sdk main
deb cdrom:[Debian 12]/ bookworm main
"""
DEB822 = """
Types: deb
# a comment inside the stanza
URIs: http://mirror.example/debian
  http://third.example/debian
Suites: trixie trixie-updates
Components: main
Signed-By:
 -----BEGIN PGP PUBLIC KEY BLOCK-----
 .
 mQINBF
 -----END PGP PUBLIC KEY BLOCK-----

Types: deb
URIs: http://off.example/debian
Suites: trixie
Components: main
Enabled: no

types: deb
uris: http://security.example/debian-security
suites: trixie-security
components: main
"""


def test_one_line_lists_are_read() -> None:
    entries = _debian.parse_one_line(ONE_LINE)

    assert entries[0] == _debian.Entry(
        ("deb",), ("https://mirror.example/debian/",), ("bookworm",), ("main", "contrib")
    )
    assert "http://old.example/debian" not in [uri for entry in entries for uri in entry.uris]


def test_deb822_lists_are_read() -> None:
    entries = _debian.parse_deb822(DEB822)

    assert entries[0].uris == ("http://mirror.example/debian", "http://third.example/debian")
    assert entries[0].suites == ("trixie", "trixie-updates")
    assert len(entries) == 2, "a disabled stanza counts as none"


def test_mirrors_come_from_both_kinds_of_list_without_those_of_other_archives(
    tmp_path: Path,
) -> None:
    (tmp_path / "sources.list").write_text(ONE_LINE)
    (tmp_path / "sources.list.d").mkdir()
    (tmp_path / "sources.list.d/debian.sources").write_text(DEB822)
    (tmp_path / "sources.list.d/notes.disabled").write_text(ONE_LINE.replace("mirror", "unread"))

    assert _debian.mirrors(tmp_path) == [
        "https://mirror.example/debian",
        "http://second.example/debian",
        "http://mirror.example/debian",
        "http://third.example/debian",
    ]


def test_ubuntus_archive_is_not_debians(
    tmp_path: Path, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """There the message says which variable names a mirror."""
    del cache
    monkeypatch.delenv(_debian.MIRROR_VARIABLE, raising=False)
    monkeypatch.setattr(_debian, "APT_FOLDER", tmp_path)
    monkeypatch.setattr(_debian, "KEYRING", Path(__file__))
    monkeypatch.setattr(_debian.mirrors, "__defaults__", (tmp_path,))
    monkeypatch.setattr(shutil, "which", lambda name: f"/usr/bin/{name}")
    (tmp_path / "sources.list").write_text(
        "deb http://archive.example/ubuntu noble main universe\n"
    )

    with pytest.raises(Trouble, match="RACELAB_DEBIAN_MIRROR"):
        _debian.require(PY)


def test_mirror_of_ones_own_goes_before_the_lists(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "sources.list").write_text(ONE_LINE)
    monkeypatch.setenv(_debian.MIRROR_VARIABLE, "http://mine.example/debian/")
    assert _debian.mirrors(tmp_path) == ["http://mine.example/debian"]

    monkeypatch.setenv(_debian.MIRROR_VARIABLE, "http://mine.example/debian\nTrusted: yes")
    with pytest.raises(Trouble, match="not an address"):
        _debian.mirrors(tmp_path)


# Candidates


def test_order_of_places(
    tmp_path: Path, path_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """RACELAB_PYTHON, PATH, uv, cache: take the first away and the next one is found."""
    chosen = liar(tmp_path / "chosen/python")
    on_path = liar(path_folder / "python3.13t")
    of_uv = liar(tmp_path / "uv-pythons/python3.13")
    uv = script(path_folder / "uv", f'[ "$3" = find ] && echo {of_uv}')
    stored = store_one() / "bin/python3.13t"
    monkeypatch.setenv("RACELAB_PYTHON", str(chosen))

    assert interpreter.where(PY) == chosen
    monkeypatch.delenv("RACELAB_PYTHON")
    assert interpreter.where(PY) == on_path
    on_path.unlink()
    assert interpreter.where(PY) == of_uv
    uv.unlink()
    assert interpreter.where(PY) == stored
    stored.unlink()
    with pytest.raises(Trouble, match=r"No CPython 3\.13t"):
        interpreter.where(PY)


def test_second_on_path_is_taken_when_the_first_does_not_do(
    tmp_path: Path,
    path_folder: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    liar(path_folder / "python3.13t", gil_enabled=True)
    good = liar(tmp_path / "other/python3.13t")
    monkeypatch.setenv("PATH", f"{path_folder}:{good.parent}")

    assert interpreter.where(PY) == good
    assert f"Passing over {path_folder}/python3.13t: it runs with the GIL enabled" in (
        capsys.readouterr().err
    )


@pytest.mark.parametrize(
    ("lies", "reason"),
    [
        ({"series": "3.12", "version": "3.12.1"}, "is Python 3.12.1, not 3.13t"),
        ({"gil_disabled": 0}, "is an ordinary 3.13.5, not a free-threaded build"),
        ({"gil_disabled": None}, "is an ordinary 3.13.5, not a free-threaded build"),
        ({"gil_enabled": True}, "runs with the GIL enabled"),
        ({"headers": False}, "has no Python.h"),
        ({"missing": ["ssl", "zlib"]}, "lacks the modules ssl, zlib"),
        ({"venv": False}, "cannot make virtual environments: No module named ensurepip"),
        ({"base": None}, "does not answer like a Python"),
    ],
    ids=str,
)
def test_candidate_that_does_not_do_is_named_with_the_reason(
    lies: dict[str, Any], reason: str, path_folder: Path
) -> None:
    liar(path_folder / "python3.13t", **lies)

    with pytest.raises(Trouble) as caught:
        interpreter.where(PY)

    assert f"{path_folder}/python3.13t {reason}" in str(caught.value)


@pytest.mark.parametrize(
    ("said", "hint"),
    [
        ("FATAL: ThreadSanitizer: unexpected memory mapping 0x5-0x6", "vm.mmap_rnd_bits=28"),
        ("ThreadSanitizer: CHECK failed: (old | ADDR_NO_RANDOMIZE)", "vm.mmap_rnd_bits=28"),
        ("ERROR: ThreadSanitizer setrlimit() failed 22", "ulimit -v"),
        ("ERROR: AddressSanitizer failed to allocate 0xdfff bytes", "ulimit -v"),
        ("ReserveShadowMemoryRange failed while trying to map 0xdfff bytes", "ulimit -v"),
    ],
)
def test_sanitizer_that_cannot_start_is_told_with_its_cure(
    said: str, hint: str, tmp_path: Path
) -> None:
    dying = script(tmp_path / "python", f"echo '{said}'; exit 66")

    with pytest.raises(Trouble) as caught:
        _candidates.verify(dying, PY)

    assert said in str(caught.value)
    assert hint in str(caught.value)


def test_candidate_that_answers_nonsense_or_not_at_all(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(Trouble, match="does not answer like a Python: 'hello'"):
        _candidates.verify(script(tmp_path / "a", "echo hello"), PY)
    with pytest.raises(Trouble, match=r"does not run \(exit status 127\): pyenv: not found"):
        _candidates.verify(script(tmp_path / "b", "echo pyenv: not found; exit 127"), PY)
    with pytest.raises(Trouble, match=r"does not run \(SIGSEGV\): \(no output\)"):
        _candidates.verify(script(tmp_path / "s", "kill -SEGV $$"), PY)
    with pytest.raises(Trouble, match="not a program"):
        _candidates.verify(tmp_path, PY)

    half = tmp_path / "half"
    half.write_bytes(Path(sys.executable).resolve().read_bytes()[:4096])
    half.chmod(0o755)
    with pytest.raises(Trouble, match="does not run"):
        _candidates.verify(half, PY)

    monkeypatch.setattr(_candidates, "PROBE_LIMIT_S", 1.0)
    pid = tmp_path / "pid"
    with pytest.raises(Trouble, match="no answer within 1 s"):
        _candidates.verify(script(tmp_path / "c", f"sleep 600 & echo $! > {pid}; wait"), PY)
    assert eventually(lambda: gone(int(pid.read_text()))), "what it started still runs"


def test_the_real_interpreter_of_this_test_is_seen_through() -> None:
    """No fake: whatever runs the tests is asked, and it is not what is looked for."""
    here = Path(sys.executable)
    series = f"{sys.version_info.major}.{sys.version_info.minor}t"

    with pytest.raises(Trouble, match=r"is Python .*, not 3\.99t"):
        _candidates.verify(here, "3.99t")
    if not (getattr(sys, "_is_gil_enabled", lambda: True)()):
        pytest.skip("the tests run on a free-threaded build")
    with pytest.raises(Trouble, match="not a free-threaded build"):
        _candidates.verify(here, series)


def test_interpreter_below_a_virtual_environment_is_used(path_folder: Path, tmp_path: Path) -> None:
    """`make env` may replace the environment that is active while it runs."""
    base = liar(tmp_path / "base/python3.13t")
    liar(path_folder / "python3.13t", base=str(base))

    assert interpreter.where(PY) == base

    liar(base, gil_enabled=True)
    with pytest.raises(Trouble, match="runs with the GIL enabled"):
        interpreter.where(PY)


def test_variable_that_names_the_wrong_one_is_an_error(
    path_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Somebody asked for that one: taking another would hide the mistake."""
    liar(path_folder / "python3.13t")
    wrong = liar(path_folder / "wrong", series="3.12", version="3.12.1")

    done = command_line("--where", RACELAB_PYTHON=str(wrong))

    assert (done.returncode, done.stdout) == (1, "")
    assert f"RACELAB_PYTHON={wrong}: it is Python 3.12.1, not 3.13t" in done.stderr
    monkeypatch.setenv("RACELAB_PYTHON", "/not/there")
    with pytest.raises(Trouble, match=r"/not/there: it is not a program .* or unset it"):
        interpreter.where(PY)


def test_environment_of_the_caller_does_not_colour_the_answer(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """PYTHON_GIL=1 would make every candidate look unfit; make's flags would go into the build."""
    for name in ("PYTHON_GIL", "PYTHONHOME", "VIRTUAL_ENV", "MAKEFLAGS", "CFLAGS", "CC"):
        monkeypatch.setenv(name, "1")
    monkeypatch.setenv("ASAN_OPTIONS", "abort_on_error=1")

    clean = _steps.clean_environment(EXTRA="x")

    assert not {"PYTHON_GIL", "PYTHONHOME", "VIRTUAL_ENV", "MAKEFLAGS", "CFLAGS", "CC"} & set(clean)
    assert clean["ASAN_OPTIONS"] == "abort_on_error=1:detect_leaks=0"
    assert clean["EXTRA"] == "x"


def test_uv_that_cannot_download_or_hangs_is_passed_over(
    path_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tried = _candidates.Tried()
    script(path_folder / "uv", "echo 'error: no download for you'; echo '  cause: x'; exit 2")
    assert _candidates.install_with_uv(PY, tried) is None
    assert tried.lines == [("uv python install", "failed: no download for you")]

    monkeypatch.setattr(_candidates, "UV_INSTALL_LIMIT_S", 1.0)
    script(path_folder / "uv", "while :; do :; done")
    assert _candidates.install_with_uv(PY, tried) is None
    assert tried.lines == [("uv python install", "gave no answer within 1 s")]


def test_uv_that_downloads_is_used(path_folder: Path, tmp_path: Path) -> None:
    new = tmp_path / "uv-pythons/python3.13"
    script(path_folder / "uv", f'[ "$3" = install ] && exit 0; echo warning: x >&2; echo {new}')
    liar(new)

    assert interpreter.ensure(PY) == new


# The command line


@pytest.mark.parametrize(
    "words", [["--py", "3.13"], ["--py", "3.12t"], ["--flavor", "fast"], ["--where", "--remove"]]
)
def test_wrong_usage_is_status_2(words: list[str]) -> None:
    done = command_line(*words)

    assert (done.returncode, done.stdout) == (2, "")
    assert "usage:" in done.stderr


def test_where_only_looks(path_folder: Path, cache: Path) -> None:
    """One path on standard output and nothing else; or a sentence, status 1, and nothing made."""
    done = command_line("--where", "--flavor", "tsan")
    assert (done.returncode, done.stdout) == (1, "")
    assert "tools/interpreter.py --py 3.13t --flavor tsan` to get one" in done.stderr
    assert not cache.exists()

    prefix = store_one("tsan")
    done = command_line("--where", "--flavor", "tsan")
    assert (done.returncode, done.stdout) == (0, f"{prefix}/bin/python3.13t\n"), done.stderr
    assert path_folder.is_dir()


def test_cache_that_cannot_be_written_to(path_folder: Path, tmp_path: Path) -> None:
    del path_folder
    (tmp_path / "file").touch()

    done = command_line(XDG_CACHE_HOME=str(tmp_path / "file"))

    assert (done.returncode, done.stdout) == (1, "")
    assert "cannot be written to (Not a directory): set XDG_CACHE_HOME" in done.stderr


def test_disk_that_fills_up_is_a_sentence_not_a_traceback(
    path_folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    del path_folder

    def full(*_words: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device", "/somewhere")

    monkeypatch.setattr(_store, "lock", full)
    monkeypatch.setattr(signal, "signal", lambda *_words: None)  # pytest keeps its own handlers

    assert interpreter.main([]) == 1
    printed = capsys.readouterr()
    assert printed.out == ""
    assert "'/somewhere'. Please free some disk space, then run this again." in printed.err


@pytest.mark.parametrize(("system", "machine"), [("Linux", "riscv64"), ("Darwin", "arm64")])
def test_other_systems_hear_about_the_variable(
    system: str, machine: str, path_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    del path_folder
    monkeypatch.setattr(platform, "system", lambda: system)
    monkeypatch.setattr(platform, "machine", lambda: machine)

    with pytest.raises(Trouble, match=f"{system} on {machine}.*untested.*RACELAB_PYTHON"):
        interpreter.ensure(PY)


def test_sanitizer_build_without_its_compiler_is_not_taken(path_folder: Path) -> None:
    """Extension modules are compiled with the compiler that the interpreter was."""
    del path_folder
    store_one("tsan", cc="clang-99")

    with pytest.raises(Trouble, match="built with clang-99, which is no longer there"):
        interpreter.where(PY, "tsan")


# What is missing


def test_no_compiler_and_no_make(
    path_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """PATH really has neither; the sentence has the command."""
    del path_folder
    release = tmp_path / "os-release"
    release.write_text('ID=mint\nID_LIKE="ubuntu debian"\n')
    monkeypatch.setattr(_debian, "OS_RELEASE", release)
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    script(Path(os.environ["PATH"]) / "apt-get", "exit 1")

    with pytest.raises(Trouble, match=r"Run `sudo apt-get install make .*gcc .*`") as caught:
        _compile.require_packages("release", tmp_path / "log")
    assert "libssl-dev" in str(caught.value)
    with pytest.raises(Trouble, match="clang-19 libclang-rt-19-dev"):
        _compile.require_packages("tsan", tmp_path / "log")

    release.write_text("ID=fedora\n")
    with pytest.raises(Trouble, match=r"by their Debian names: make .*gcc"):
        _compile.require_packages("release", tmp_path / "log")


def test_apt_get_that_fails_is_reported(
    path_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As root the packages are installed; what apt-get says is passed on, and where its log is."""
    monkeypatch.setattr(_debian, "is_debian_like", lambda: True)
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    script(path_folder / "apt-get", "echo 'E: Unable to locate package gcc'; exit 100")

    with pytest.raises(Trouble, match=r"failed \(exit status 100\)(.|\n)*E: Unable to locate"):
        _compile.require_packages("release", tmp_path / "log")


@pytest.mark.skipif(shutil.which("gcc") is None, reason="needs gcc")
def test_missing_library_is_found_out_by_compiling(monkeypatch: pytest.MonkeyPatch) -> None:
    absent = _compile.Library("libabsent-dev", ("racelab/absent.h",), ())
    unlinkable = _compile.Library("libnolink-dev", ("stdio.h",), ("-lracelab_absent",))
    present = _compile.Library("libc6-dev", ("math.h",), ("-lm",))
    monkeypatch.setattr(_compile, "LIBRARIES", (absent, present, unlinkable))
    monkeypatch.setattr(_compile, "PROGRAMS", {"sh": "dash", "racelab-absent": "absent"})

    assert _compile.missing_packages("release") == ["absent", "libabsent-dev", "libnolink-dev"]


def test_newest_clang_is_taken_and_old_ones_are_not(path_folder: Path) -> None:
    for version in (17, 18, 20):
        script(path_folder / f"clang-{version}", "")
    for version in (17, 18):
        script(path_folder / f"clang++-{version}", "")

    assert _compile.compiler("tsan") == _compile.Compiler("clang-18", "clang++-18")
    (path_folder / "clang-18").unlink()
    assert _compile.compiler("tsan") == _compile.Compiler("", "")


def test_no_disk_space_is_found_before_anything_is_fetched(
    path_folder: Path, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    del path_folder
    huge = _compile.Recipe(_compile.COMMON, needs_mb=10**9)
    monkeypatch.setitem(_compile.RECIPES, "release", huge)

    with pytest.raises(Trouble, match=r"needs 1000000000 MB .* has \d+ MB: free some"):
        interpreter.ensure(PY)

    assert [path.name for path in cache.iterdir()] == [f".lock-{PY}-release"]


def test_last_message_lists_what_was_tried(
    path_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(_debian, "KEYRING", Path("/no/keyring"))
    script(path_folder / "apt-get", "exit 1")

    with pytest.raises(Trouble) as caught:
        interpreter.ensure(PY)

    text = str(caught.value)
    places = ["RACELAB_PYTHON", "on PATH", "uv python find", "uv python install", "the cache"]
    assert all(place in text for place in places)
    assert "/no/keyring, which Debian's signature is checked with, is missing" in text
    assert text.endswith("set RACELAB_PYTHON to it.")


# The archive and its signature

needs_apt = pytest.mark.skipif(shutil.which("apt-get") is None, reason="needs apt-get")
needs_gpg = pytest.mark.skipif(
    shutil.which("apt-get") is None or shutil.which("gpg") is None, reason="needs apt-get and gpg"
)


class Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *_words: object) -> None:
        pass


@contextlib.contextmanager
def served(folder: Path) -> Iterator[str]:
    """The address of a folder's content on the loopback."""
    handler = functools.partial(Quiet, directory=str(folder))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
            thread.join()


@pytest.fixture(scope="module")
def keys(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A gpg home with two keys, `ours` and `theirs`, and a keyring file of each."""
    home = tmp_path_factory.mktemp("gpg", numbered=True)
    home.chmod(0o700)
    gpg = ["gpg", "--homedir", str(home), "--batch", "--pinentry-mode", "loopback"]
    for name in ("ours", "theirs"):
        make = [*gpg, "--passphrase", "", "--quick-gen-key", f"{name}@example", "ed25519", "sign"]
        subprocess.run(make, check=True, capture_output=True)
        export = [*gpg, "-o", str(home / f"{name}.gpg"), "--export", f"{name}@example"]
        subprocess.run(export, check=True, capture_output=True)
    yield home
    subprocess.run(["gpgconf", "--homedir", str(home), "--kill", "all"], check=True)


def make_archive(folder: Path, keys: Path) -> Path:
    """A Debian archive with one source package, signed with the key `ours`."""
    pool, index = folder / "pool", folder / "dists/trixie/main/source"
    pool.mkdir(parents=True)
    index.mkdir(parents=True)
    tarball = pool / "python3.13_3.13.99.tar.xz"
    tarball.write_bytes(b"not really compressed")
    dsc = pool / "python3.13_3.13.99.dsc"
    head = "Format: 3.0 (native)\nSource: python3.13\nVersion: 3.13.99\n"
    dsc.write_text(f"{head}Checksums-Sha256:\n {_sum(tarball)} {tarball.name}\n")
    files = "".join(f" {_sum(path)} {path.name}\n" for path in (tarball, dsc))
    sources = index / "Sources"
    sources.write_text(
        "Package: python3.13\nBinary: python3.13\nVersion: 3.13.99\nFormat: 3.0 (native)\n"
        f"Directory: pool\nChecksums-Sha256:\n{files}\n"
    )
    release = folder / "Release"
    release.write_text(
        "Origin: Test\nSuite: trixie\nCodename: trixie\nComponents: main\nArchitectures: amd64\n"
        "Date: Thu, 01 Jan 2026 00:00:00 UTC\n"
        f"SHA256:\n {_sum(sources)} main/source/Sources\n"
    )
    sign = ["gpg", "--homedir", str(keys), "--batch", "--pinentry-mode", "loopback"]
    sign += ["--passphrase", "", "-u", "ours@example", "--clearsign"]
    target = folder / "dists/trixie/InRelease"
    subprocess.run([*sign, "-o", str(target), str(release)], check=True, capture_output=True)
    return folder


def _sum(path: Path) -> str:
    content = path.read_bytes()
    return f"{hashlib.sha256(content).hexdigest()} {len(content)}"


@pytest.fixture
def archive(
    tmp_path: Path, cache: Path, keys: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Path]:
    """A signed archive that is served, and the machine set up to trust its key."""
    del cache
    folder = make_archive(tmp_path / "archive", keys)
    monkeypatch.setattr(_debian, "KEYRING", keys / "ours.gpg")
    with served(folder) as address:
        monkeypatch.setenv(_debian.MIRROR_VARIABLE, address)
        yield folder


def spoil(path: Path, before: str, after: str) -> None:
    """Alter a file without altering its length."""
    text = path.read_text()
    assert before in text
    assert len(before) == len(after)
    path.write_text(text.replace(before, after))


@needs_gpg
def test_signed_source_is_fetched_once(archive: Path, cache: Path) -> None:
    """The second time neither mirror nor keyring is needed."""
    first = _debian.source(PY)
    assert (first.package, first.version, first.suite) == ("python3.13", "3.13.99", "trixie")
    assert sorted(first.sha256) == ["python3.13_3.13.99.dsc", "python3.13_3.13.99.tar.xz"]
    assert first.folder == cache / "sources/3.13/3.13.99"

    shutil.rmtree(archive)
    assert _debian.source(PY) == first
    assert not list(cache.glob(".fetching-*"))


@needs_gpg
def test_damaged_download_in_the_cache_is_fetched_again(archive: Path) -> None:
    del archive
    first = _debian.source(PY)
    spoil(first.folder / "python3.13_3.13.99.tar.xz", "not", "NOT")

    assert _debian.source(PY) == first
    assert (first.folder / "python3.13_3.13.99.tar.xz").read_text() == "not really compressed"


@needs_gpg
def test_mirror_on_a_disk_gives_copies_not_links(
    archive: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(_debian.MIRROR_VARIABLE, f"file:{archive}")

    source = _debian.source(PY)

    assert not any(path.is_symlink() for path in source.folder.iterdir())


@needs_gpg
@pytest.mark.parametrize(
    ("place", "before", "after", "reason"),
    [
        ("dists/trixie/InRelease", "Origin: Test", "Origin: Best", "signature is bad or missing"),
        ("dists/trixie/main/source/Sources", "3.13.99", "3.13.98", "does not have the hash"),
        ("pool/python3.13_3.13.99.tar.xz", "not", "NOT", "does not have the hash"),
        ("pool/python3.13_3.13.99.dsc", "3.13.99", "3.13.98", "does not have the hash"),
    ],
)
def test_altered_archive_is_refused(
    place: str, before: str, after: str, reason: str, archive: Path, cache: Path
) -> None:
    """Release file, index, tarball, description: each link of the chain, altered by one byte."""
    spoil(archive / place, before, after)

    with pytest.raises(Trouble, match=reason):
        _debian.source(PY)

    assert not list(cache.glob("sources/*/*"))
    assert not list(cache.glob(".fetching-*"))


@needs_gpg
def test_archive_signed_by_somebody_else_is_refused(
    archive: Path, keys: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    del archive
    monkeypatch.setattr(_debian, "KEYRING", keys / "theirs.gpg")

    with pytest.raises(Trouble, match="does not have the key that signed it"):
        _debian.source(PY)


@needs_gpg
def test_unsigned_archive_is_refused_even_if_apt_is_told_to_take_it(
    archive: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The machine's apt.conf may be careless; this tool is not."""
    (archive / "dists/trixie/InRelease").unlink()
    (archive / "Release").rename(archive / "dists/trixie/Release")
    careless = tmp_path / "apt.conf"
    careless.write_text(
        'Acquire::AllowInsecureRepositories "true"; APT::Get::AllowUnauthenticated "true";'
    )
    monkeypatch.setenv("APT_CONFIG", str(careless))

    with pytest.raises(Trouble, match="signature is bad or missing, so nothing of it is used"):
        _debian.source(PY)


@needs_gpg
def test_suite_without_the_package(archive: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    del archive
    monkeypatch.setitem(_debian.SUITES, "3.14", ("trixie",))

    with pytest.raises(Trouble, match=r"python3\.14 from .*: the suite does not have this package"):
        _debian.source("3.14t")


@needs_apt
def test_mirror_that_refuses_connections(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))  # bound, not listening: the port refuses
        port = unused.getsockname()[1]
        monkeypatch.setenv(_debian.MIRROR_VARIABLE, f"http://127.0.0.1:{port}")
        monkeypatch.setattr(_debian, "KEYRING", Path(__file__))

        with pytest.raises(Trouble, match="cannot be reached; is the network there"):
            _debian.source(PY)

    assert not list(cache.glob("sources/*"))


def test_only_repairs_are_applied(tmp_path: Path) -> None:
    """Debian's packaging patches send a private installation to folders that it does not have."""
    series = tmp_path / "series"
    series.write_text(
        "#git-updates.diff\nsysconfig-debian-schemes.diff\nCVE-2025-1.patch -p1\n\n"
        "dict-use-after-free.patch\nensurepip-disabled.diff\n"
    )

    assert _compile._series(series) == ["CVE-2025-1.patch", "dict-use-after-free.patch"]
    assert _compile._series(tmp_path / "none") == []


# Two at once, and interruptions

HOLD = """
import sys, time, _store
with _store.lock("x", "building"):
    print("held", flush=True)
    time.sleep(float(sys.argv[1]))
"""
STEP = """
import sys, _steps, _store
from pathlib import Path
with _store.lock("x", "building") as held:
    command = ["sh", "-c", f"sleep 600 & echo $! > {sys.argv[1]}; wait"]
    _steps.step("sleeping", command, log=Path(sys.argv[2]), usually="long", keep_open=(held,))
"""


def test_second_process_waits_and_says_so(cache: Path) -> None:
    del cache
    with background(HOLD, 1.5) as first:
        assert first.stdout is not None
        assert first.stdout.readline() == "held\n"
        with background(HOLD, 0) as second:
            printed, said = second.communicate(timeout=PATIENCE_S)

            assert first.poll() is not None, "the second got the lock while the first had it"
            assert printed == "held\n"
            assert f"Another process (number {first.pid}) is building; waiting for it" in said


def test_lock_on_a_removed_file_counts_for_nothing(
    cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`--remove` may delete the lock file between our opening it and our locking it."""
    cache.mkdir(parents=True)
    really_open = os.open

    def open_then_lose(path: Path, *flags: int) -> int:
        handle = really_open(path, *flags)
        path.unlink()
        return handle

    monkeypatch.setattr(os, "open", open_then_lose)

    assert _store._try_lock(cache / ".lock-x") is None


def test_killed_process_leaves_neither_its_lock_nor_what_it_ran(
    cache: Path, tmp_path: Path
) -> None:
    """kill -9 gives it no chance to clean up: its commands go by themselves."""
    del cache
    pid_file = tmp_path / "pid"
    with background(STEP, pid_file, tmp_path / "log") as first:
        assert eventually(lambda: pid_file.exists() and pid_file.read_text().endswith("\n"))
        sleeper = int(pid_file.read_text())
        assert not gone(sleeper)

        first.kill()
        first.wait(timeout=PATIENCE_S)
        assert eventually(lambda: gone(sleeper)), "the command outlived the tool"

    with background(HOLD, 0) as second:
        assert second.communicate(timeout=PATIENCE_S)[0] == "held\n"


def test_result_of_the_other_process_is_used(path_folder: Path, cache: Path) -> None:
    """Waiting for the lock, then building what is already there, would be minutes for nothing."""
    del path_folder
    with background(HOLD.replace('"x"', f'"{PY}-release"'), 600) as first:
        assert first.stdout is not None
        assert first.stdout.readline() == "held\n"
        second = subprocess.Popen(
            [sys.executable, str(SCRIPT)],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        try:
            assert second.stderr is not None
            assert "waiting for it" in second.stderr.readline()
            prefix = store_one()
            first.kill()
            printed, _ = second.communicate(timeout=PATIENCE_S)
        finally:
            second.kill()
            second.communicate()

    assert (second.returncode, printed) == (0, f"{prefix}/bin/python3.13t\n")
    assert prefix.parent == cache


def test_leftovers_of_an_interrupted_build_are_removed_and_nothing_else(cache: Path) -> None:
    finished = store_one()
    half = cache / f".building-{PY}-release-4242/src"
    half.mkdir(parents=True)
    unstamped = cache / "3.13.5t-release-x86_64-0123456789-r1"
    unstamped.mkdir()
    (unstamped / _store.MARKER).touch()
    foreign = cache / "3.13.5t-release-x86_64-mine"
    foreign.mkdir()
    other = cache / f".building-{PY}-debug-4242"
    other.mkdir()

    fresh = _store.building_folder(PY, "release")

    assert sorted(cache.iterdir()) == sorted([finished, foreign, other, fresh])


@needs_apt
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_interrupted_download_leaves_nothing(
    number: signal.Signals, path_folder: Path, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A mirror that accepts and never answers; the interrupt comes while apt-get waits for it."""
    monkeypatch.setenv("PATH", f"{path_folder}:{os.environ.get('PATH', '')}:/usr/bin:/bin")
    code = "import signal, sys, interpreter, _compile, _candidates, _debian\n"
    # A shell's background jobs, and so all that they start, ignore SIGINT.
    code += "signal.signal(signal.SIGINT, signal.default_int_handler)\n"
    code += "from pathlib import Path\n"
    code += f"_debian.KEYRING = Path({str(__file__)!r})\n"
    code += "_compile.missing_packages = lambda flavor: []\n"
    code += "sys.exit(interpreter.main(['--flavor', 'debug']))"
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        silent.settimeout(PATIENCE_S)
        monkeypatch.setenv(
            _debian.MIRROR_VARIABLE, f"http://127.0.0.1:{silent.getsockname()[1]}/debian"
        )
        with background(code) as child:
            connection, _ = silent.accept()
            child.send_signal(number)
            _, said = child.communicate(timeout=PATIENCE_S)
            connection.close()

    assert child.returncode == interpreter.INTERRUPTED, said
    assert "Interrupted." in said
    names = [path.name for path in cache.iterdir()]
    assert all(name.startswith(".lock-") for name in names), names


def test_broken_build_in_the_cache_is_replaced(
    path_folder: Path,
    cache: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """A truncated interpreter is noticed because it is run, and the next build takes its place."""
    del path_folder
    old = store_one(version="3.13.6t")
    executable = old / "bin/python3.13t"
    executable.write_text(executable.read_text()[:60])

    def build(build: _compile.Build) -> Path:
        assert (build.py, build.flavor) == (PY, "release")
        return store_one() / "bin/python3.13t"

    monkeypatch.setattr(_compile.Build, "run", build)

    assert interpreter.ensure(PY).parent.parent.parent == cache
    assert f"Passing over {executable}" in capsys.readouterr().err
    assert not old.exists()


# Removing


def test_remove_takes_only_what_is_ours(cache: Path) -> None:
    store_one()
    store_one("debug")
    for name in ("sources/3.13/1", "logs", f".building-{PY}-tsan-1", ".fetching-3.13-1"):
        (cache / name).mkdir(parents=True)
    (cache / f".lock-{PY}-release").touch()
    letter = cache / "letter.txt"
    letter.touch()
    foreign = cache / "3.13.5t-release-x86_64-mine"
    foreign.mkdir()

    done = command_line("--remove")

    assert (done.returncode, done.stdout) == (0, "")
    assert sorted(cache.iterdir()) == [foreign, letter]
    assert "Left alone, because this tool did not make it: 3.13.5t-release" in done.stderr

    letter.unlink()
    foreign.rmdir()
    assert command_line("--remove").returncode == 0
    assert not cache.parent.exists(), "an empty cache is no longer needed"
    assert "nothing" in command_line("--remove").stderr


def test_remove_can_be_narrowed(cache: Path) -> None:
    kept, doomed = store_one(), store_one("debug")

    assert _store.remove(PY, "debug") == [doomed.name]
    assert [path.name for path in cache.iterdir()] == [kept.name]


def test_remove_waits_for_no_build_and_disturbs_none(cache: Path) -> None:
    store_one()
    with background(HOLD.replace('"x"', f'"{PY}-release"'), 600) as builder:
        assert builder.stdout is not None
        assert builder.stdout.readline() == "held\n"

        done = command_line("--remove")

    assert done.returncode == 1
    assert f"number {builder.pid} is building CPython {PY} (release)" in done.stderr
    assert len(list(cache.glob(f"*/{_store.STAMP}"))) == 1


# Messages


def test_log_is_boiled_down_to_what_went_wrong() -> None:
    log = (
        "checking for error_at_line... no\nfine\nfoo.c:1: error: x\nmake: *** [all] Error 2\nbye\n"
    )

    assert _steps.error_lines(log) == ["foo.c:1: error: x", "make: *** [all] Error 2"]
    assert _steps.error_lines("a\n\nb\n") == ["a", "b"]


def test_failed_step_names_its_log_and_its_last_lines(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    log = tmp_path / "log"
    with pytest.raises(Trouble) as caught:
        _steps.step("cooking", ["sh", "-c", "echo fatal: burnt; exit 3"], log=log, usually="1 s")

    assert "cooking failed (exit status 3)" in str(caught.value)
    assert "fatal: burnt" in str(caught.value)
    assert f"Full log: {log}" in str(caught.value)
    assert "cooking: usually 1 s" in capsys.readouterr().err
    assert "fatal: burnt" in log.read_text()


@pytest.mark.race
@pytest.mark.timeout(3600)
def test_build_from_source(cache: Path) -> None:
    """The whole road, minutes long: fetch, check the signature, compile, install, prove."""
    cache.mkdir(parents=True)
    with _store.lock(f"{PY}-debug", "building") as held:
        executable = _compile.Build(PY, "debug", held).run()

    assert interpreter.where(PY, "debug") == executable
    prefix = executable.parents[1]
    stamp = json.loads((prefix / _store.STAMP).read_text())
    assert stamp["source"]["package"] == "python3.13"
    assert (prefix / "share/gdb/libpython.py").is_file()
    assert Path(f"{executable.resolve()}-gdb.py").is_file()
    assert not list(cache.glob(".building-*"))
    assert not list(cache.glob("logs"))
