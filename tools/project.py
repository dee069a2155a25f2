"""Where the project keeps things, and how its tools speak.

Every tool in this folder runs on the host's ordinary Python (3.10 or newer) with the standard
library alone: it has to work before anything is installed.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import os
import shutil
import subprocess
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import NoReturn

ROOT = Path(__file__).resolve().parent.parent
BUILD = ROOT / "_build"
SITE = BUILD / "html"
KERNELS = ROOT / ".kernels"
"""The kernelspec lives here and is found through JUPYTER_PATH, so that nobody's own kernels change."""
KERNEL_NAME = "racelab"


def cache_folder() -> Path:
    """The cache outside the clone: `$XDG_CACHE_HOME/racelab`, by default `~/.cache/racelab`."""
    base = os.environ.get("XDG_CACHE_HOME") or Path("~/.cache").expanduser()
    return Path(base) / "racelab"


def python_of(name: str) -> Path:
    """The interpreter of one of the project's environments: tools, book, ft or checks."""
    return ROOT / f".venv-{name}" / "bin" / "python"


def say(text: str) -> None:
    """One line of progress, on standard error: standard output belongs to answers."""
    print(text, file=sys.stderr, flush=True)


def fail(sentence: str, status: int = 1) -> NoReturn:
    """Stop with one sentence that says what is wrong, where, and what to do next."""
    say(sentence)
    raise SystemExit(status)


def run(
    command: Sequence[str | Path],
    *,
    what: str,
    env: Mapping[str, str] | None = None,
    quiet: bool = False,
) -> str:
    """Run a command to its end and return what it printed; stop the tool if it fails.

    Args:
        command: program and arguments.
        what: the step in the reader's words, for the message when it fails.
        env: variables to set beside the present ones.
        quiet: keep the output for the error message instead of showing it.
    """
    done = subprocess.run(
        [str(part) for part in command],
        cwd=ROOT,
        env={**os.environ, **(env or {})},
        text=True,
        stdout=subprocess.PIPE if quiet else None,
        stderr=subprocess.STDOUT if quiet else None,
    )
    if done.returncode != 0:
        tail = "\n".join((done.stdout or "").strip().splitlines()[-15:])
        fail(
            f"{tail}\n{what} failed (exit status {done.returncode}). "
            f"The command was: {' '.join(str(part) for part in command)}"
        )
    return done.stdout or ""


def digest(paths: Iterable[Path], *words: str) -> str:
    """One hash over the names and contents of files (folders are walked) and over some words."""
    total = hashlib.sha256()
    for word in words:
        total.update(word.encode() + b"\0")
    for path in sorted(_files(paths)):
        total.update(os.path.relpath(path, ROOT).encode() + b"\0")
        total.update(hashlib.sha256(path.read_bytes()).digest())
    return total.hexdigest()


def _files(paths: Iterable[Path]) -> Iterator[Path]:
    for path in paths:
        if path.is_dir():
            yield from (
                found
                for found in path.rglob("*")
                if found.is_file()
                and "__pycache__" not in found.parts
                and not any(part.endswith(".egg-info") for part in found.parts)
                and found.suffix != ".so"
            )
        elif path.exists():
            yield path


@contextlib.contextmanager
def only_one(name: str) -> Iterator[None]:
    """Let two runs of one step wait for each other instead of writing into the same folder."""
    place = ROOT / ".locks"
    place.mkdir(exist_ok=True)
    with (place / name).open("w") as handle:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            say(f"{name}: another run is at it; waiting for it to finish")
            fcntl.flock(handle, fcntl.LOCK_EX)
        yield


def remove(path: Path) -> None:
    """Remove a file or folder of ours, if it is there."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)
