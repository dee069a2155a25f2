"""The cache of interpreters: where they lie, what they are called, who may touch them.

    $XDG_CACHE_HOME/racelab/python/
        3.13.5t-release-x86_64-<hash>-r1/   a finished interpreter; its stamp was written last
        .building-3.13t-release-<pid>/      a build in progress, or what an interrupted one left
        .lock-3.13t-release                 who builds
        sources/3.13/<version>/             source packages, with their hashes
        logs/                               logs of failed builds

Only what carries a stamp, a marker or one of the dotted names is ours; nothing else is ever removed.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import re
import shutil
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from _steps import Ticker, Trouble, say

STAMP = "racelab-python.json"
"""In the prefix of a finished interpreter; written last."""
MARKER = ".racelab-unfinished"
"""In a prefix that was moved into place and has no stamp yet."""
MADE_BY = "racelab tools/interpreter.py"
RECIPE = 1
"""Raise it when the way of building changes, so that old builds are not taken for new ones."""
FLAVORS = ("release", "tsan", "asan", "debug")
_OURS = re.compile(r"\.(building|removing|fetching|lock)-")


def root() -> Path:
    """The folder that holds everything: `$XDG_CACHE_HOME/racelab/python`, default `~/.cache`.

    Raises:
        Trouble: XDG_CACHE_HOME is relative or has characters that CPython's makefiles cannot take.
    """
    base = os.environ.get("XDG_CACHE_HOME") or str(Path("~/.cache").expanduser())
    if not base.startswith("/"):
        raise Trouble(f"XDG_CACHE_HOME is {base!r}, not an absolute path: correct or unset it.")
    if not re.fullmatch(r"[\w/.+,@=-]+", base):
        raise Trouble(
            f"CPython cannot be built under {base!r} because of the spaces or special characters in "
            "it: set XDG_CACHE_HOME to a plainer path."
        )
    return Path(base) / "racelab" / "python"


def flags_hash(*words: str) -> str:
    """Ten hexadecimal digits over configure flags and source version, for a key."""
    return hashlib.sha256("\0".join(words).encode()).hexdigest()[:10]


def key(version: str, flavor: str, machine: str, digest: str) -> str:
    """The folder name of an interpreter.

    Args:
        version: of CPython, with the letter of a free-threaded build: "3.13.5t".
        flavor: one of `FLAVORS`.
        machine: "x86_64" or "aarch64".
        digest: of `flags_hash`.
    """
    return f"{version}-{flavor}-{machine}-{digest}-r{RECIPE}"


@dataclass(frozen=True)
class Stored:
    """A finished interpreter in the cache.

    Attributes:
        prefix: its folder.
        stamp: what is known about it (the content of its stamp).
    """

    prefix: Path
    stamp: dict[str, Any]

    @property
    def executable(self) -> Path:
        """The interpreter itself."""
        return self.prefix / str(self.stamp["executable"])


def finished(py: str, flavor: str, machine: str, configure: Sequence[str]) -> list[Stored]:
    """The stamped interpreters for a request, newest version first.

    Args:
        py: "3.13t".
        flavor: one of `FLAVORS`.
        machine: "x86_64" or "aarch64".
        configure: the flags that one would be built with today; others don't count.
    """
    found = [
        stored
        for stored in _stamped(root())
        if (stored.stamp.get("py"), stored.stamp.get("flavor")) == (py, flavor)
        and (stored.stamp.get("machine"), stored.stamp.get("recipe")) == (machine, RECIPE)
        and stored.stamp.get("prefix") == str(stored.prefix)
        and stored.stamp.get("configure") == list(configure)
    ]
    return sorted(found, key=_newness, reverse=True)


def _newness(stored: Stored) -> tuple[list[int], str]:
    version = [int(part) for part in re.findall(r"\d+", str(stored.stamp.get("version")))]
    return version, str(stored.stamp.get("date"))


def _stamped(folder: Path) -> Iterator[Stored]:
    for path in sorted(folder.glob(f"*/{STAMP}")):
        with contextlib.suppress(OSError, ValueError):
            stamp = json.loads(path.read_text())
            if stamp.get("made_by") == MADE_BY and not path.parent.name.startswith("."):
                yield Stored(path.parent, stamp)


def write_stamp(prefix: Path, stamp: dict[str, Any]) -> None:
    """Declare an interpreter finished: from here on it is used.

    The data goes to the disk first, so that a power cut cannot leave a stamp on half a build.
    """
    os.sync()
    half = prefix / f"{STAMP}.half"
    half.write_text(json.dumps({"made_by": MADE_BY, **stamp}, indent=1) + "\n")
    half.replace(prefix / STAMP)
    (prefix / MARKER).unlink(missing_ok=True)


def prepare(folder: Path) -> Path:
    """Make a folder of the cache and prove that it can be written to.

    Raises:
        Trouble: it cannot; the message says what to do.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        proof = folder / f".lock-writable-{os.getpid()}"
        proof.touch()
        proof.unlink()
    except OSError as error:
        raise Trouble(
            f"The cache {folder} cannot be written to ({error.strerror}): "
            "set XDG_CACHE_HOME to a folder that you can write to."
        ) from None
    return folder


def enough_space(folder: Path, needed_mb: int) -> None:
    """Check the free space of a folder's file system.

    Args:
        folder: exists.
        needed_mb: megabytes (10^6 bytes) that the build takes at its largest.

    Raises:
        Trouble: there is less.
    """
    free_mb = shutil.disk_usage(folder).free // 10**6
    if free_mb < needed_mb:
        raise Trouble(
            f"The build needs {needed_mb} MB of free disk space, and {folder} has {free_mb} MB: "
            "free some, or set XDG_CACHE_HOME to a folder on another disk."
        )


@contextlib.contextmanager
def lock(name: str, what: str) -> Iterator[int]:
    """Hold a lock of the cache; if another process has it, say so and wait.

    Args:
        name: of the lock: "3.13t-release".
        what: what the other process is doing, for the message: "building CPython 3.13t (release)".

    Yields:
        The lock's file descriptor. A child that inherits it keeps the lock until it ends.
    """
    path = prepare(root()) / f".lock-{name}"
    handle = _try_lock(path)
    if handle is None:
        say(f"Another process ({_holder(path)}) is {what}; waiting for it")
        ticker = Ticker(f"waiting for the process that is {what}")
        try:
            while (handle := _try_lock(path)) is None:
                time.sleep(1)
                ticker.tick()
        finally:
            ticker.clear()
    try:
        os.ftruncate(handle, 0)
        os.pwrite(handle, f"{os.getpid()}\n".encode(), 0)
        yield handle
    finally:
        os.close(handle)


def _try_lock(path: Path) -> int | None:
    import fcntl  # not at the top: on Windows this tool must still be able to say that it cannot

    handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        # `--remove` deletes lock files: a lock on a file without a name locks nobody out.
        if os.fstat(handle).st_ino == path.stat().st_ino:
            return handle
    except (BlockingIOError, FileNotFoundError):
        pass
    except OSError as error:
        os.close(handle)
        raise Trouble(
            f"{path} cannot be locked ({error.strerror}): set XDG_CACHE_HOME to a folder on a "
            "local disk."
        ) from None
    os.close(handle)
    return None


def _holder(path: Path) -> str:
    with contextlib.suppress(OSError):
        if pid := path.read_text().strip():
            return f"number {pid}"
    return "number unknown"


def building_folder(py: str, flavor: str) -> Path:
    """A fresh folder for one build; call it with the build's lock held.

    What earlier, interrupted builds of the same interpreter left is removed first: nobody else can
    be using it while we hold the lock.
    """
    clean_leftovers(py, flavor)
    folder = root() / f".building-{py}-{flavor}-{os.getpid()}"
    folder.mkdir()
    return folder


def clean_leftovers(py: str, flavor: str) -> None:
    """Remove what interrupted builds of one interpreter left; call it with the build's lock held."""
    for path in _unfinished(py, flavor):
        say(f"Removing what an interrupted build left: {path.name}")
        discard(path)


def _unfinished(py: str, flavor: str) -> list[Path]:
    halves = [
        path.parent
        for path in root().glob(f"{py[:-1]}.*t-{flavor}-*/{MARKER}")
        if not (path.parent / STAMP).exists()
    ]
    return [
        *root().glob(f".building-{py}-{flavor}-*"),
        *root().glob(f".removing-{py}-{flavor}-*"),
        *halves,
    ]


def discard(path: Path) -> None:
    """Remove a file or folder, also while processes that were just killed still write into it."""
    if path.is_symlink() or not path.is_dir():
        path.unlink(missing_ok=True)
        return
    for last in (False, False, True):
        shutil.rmtree(path, ignore_errors=not last)
        if not path.exists():
            return
        time.sleep(0.3)


def remove(py: str | None = None, flavor: str | None = None) -> list[str]:
    """Remove what this tool made in the cache, and nothing else.

    Args:
        py: only this version ("3.13t"); by default all.
        flavor: only this flavor; by default all, and sources and logs with them.

    Returns:
        The names of what was removed.

    Raises:
        Trouble: a build is running.
    """
    if not root().is_dir():
        return []
    removed = []
    for each_py, each_flavor in sorted(_known()):
        if py in (None, each_py) and flavor in (None, each_flavor):
            removed += _remove_one(each_py, each_flavor)
    if py is None and flavor is None:
        removed += _remove_shared()
        for folder in (root(), root().parent):
            with contextlib.suppress(OSError):
                folder.rmdir()
    return removed


def _known() -> set[tuple[str, str]]:
    """Version and flavor of everything of ours that has one, from stamps, markers and dotted names."""
    known = {(str(s.stamp.get("py")), str(s.stamp.get("flavor"))) for s in _stamped(root())}
    pattern = re.compile(r"(?:\.\w+-)?(3\.\d+)[\w.]*t-(" + "|".join(FLAVORS) + r")(?:-.*)?")
    for path in root().iterdir():
        match = pattern.fullmatch(path.name)
        if match and (_OURS.match(path.name) or (path / MARKER).exists()):
            known.add((f"{match[1]}t", match[2]))
    return known


def _remove_one(py: str, flavor: str) -> list[str]:
    path = root() / f".lock-{py}-{flavor}"
    handle = _try_lock(path)
    if handle is None:
        raise Trouble(
            f"Process {_holder(path)} is building CPython {py} ({flavor}), so nothing of it was "
            "removed: let it finish or stop it, then run this again."
        )
    try:
        removed = [path.name for path in _unfinished(py, flavor)]
        for leftover in _unfinished(py, flavor):
            discard(leftover)
        for stored in _stamped(root()):
            if (stored.stamp.get("py"), stored.stamp.get("flavor")) == (py, flavor):
                # Renamed first: an interrupted removal must not leave half an interpreter stamped.
                doomed = root() / f".removing-{py}-{flavor}-{stored.prefix.name}"
                stored.prefix.rename(doomed)
                discard(doomed)
                removed.append(stored.prefix.name)
        path.unlink(missing_ok=True)
    finally:
        os.close(handle)
    return removed


def _remove_shared() -> list[str]:
    removed = []
    for path in sorted(root().iterdir()):
        if path.name in ("sources", "logs") or path.name.startswith((".lock-", ".fetching-")):
            discard(path)
            if not path.name.startswith(".lock-"):
                removed.append(path.name)
    return removed


def strangers() -> Sequence[Path]:
    """What lies in the cache and is not ours."""
    return sorted(root().iterdir()) if root().is_dir() else []
