"""How the interpreter bootstrap speaks, and how it runs other programs.

Progress goes to standard error: a live count of seconds on a terminal, a line every 30 s elsewhere.
No program started here outlives this process, however this process ends (see `_guard.py`).
"""

from __future__ import annotations

import contextlib
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO

GUARD = Path(__file__).resolve().with_name("_guard.py")
LINE_EVERY_S = 30
KILLED_BY = 128


class Trouble(Exception):
    """Something that the person at the keyboard has to hear: what, where, what to do next."""


def say(text: str) -> None:
    """Print one line of progress on standard error; a reader who went away is no reason to stop."""
    with contextlib.suppress(OSError, ValueError):
        print(text, file=sys.stderr, flush=True)


def clean_environment(**extra: str) -> dict[str, str]:
    """The caller's environment without what would change how an interpreter starts or is built.

    Removed: every PYTHON* variable (PYTHON_GIL=1 would hide what is asked for), an active virtual
    environment, make's own variables (this tool is run by make, and runs make), and compiler flags.

    Args:
        extra: variables to set; ASAN_OPTIONS is added to what is there.
    """
    unwanted = {"VIRTUAL_ENV", "CONDA_PREFIX", "MAKEFLAGS", "MFLAGS", "MAKELEVEL", "MAKEOVERRIDES"}
    unwanted |= {"CC", "CXX", "CPP", "CFLAGS", "CXXFLAGS", "CPPFLAGS", "LDFLAGS", "LIBS", "OPT"}
    unwanted |= {"CONFIG_SITE", "DESTDIR", "BASECFLAGS", "GNUMAKEFLAGS", "LC_ALL", "LANGUAGE"}
    kept = {
        name: value
        for name, value in os.environ.items()
        if name not in unwanted and not name.startswith(("PYTHON", "__PYVENV"))
    }
    # An interpreter never frees everything at exit: without this, ASan makes each run a failure.
    asan = [kept.get("ASAN_OPTIONS", ""), "detect_leaks=0"]
    return {**kept, "LC_ALL": "C.UTF-8", "ASAN_OPTIONS": ":".join(filter(None, asan)), **extra}


@dataclass
class Ticker:
    """Shows that a long step is alive.

    Attributes:
        what: the step, in the reader's words.
    """

    what: str

    def __post_init__(self) -> None:
        self.start = time.monotonic()
        self.live = sys.stderr is not None and sys.stderr.isatty()
        self.next_line = LINE_EVERY_S

    @property
    def seconds(self) -> float:
        """Seconds since the step began."""
        return time.monotonic() - self.start

    def tick(self) -> None:
        """Call about once a second."""
        if self.live:
            with contextlib.suppress(OSError):
                sys.stderr.write(f"\r  {self.what}: {self.seconds:.0f} s ")
                sys.stderr.flush()
        elif self.seconds >= self.next_line:
            say(f"  {self.what}: {self.seconds:.0f} s")
            self.next_line += LINE_EVERY_S

    def clear(self) -> None:
        """Wipe the live line, so that the next line starts at the margin."""
        if self.live:
            with contextlib.suppress(OSError):
                sys.stderr.write("\r\x1b[K")
                sys.stderr.flush()


@contextlib.contextmanager
def _guarded(
    command: Sequence[str | Path],
    output: int | IO[bytes],
    *,
    cwd: Path | str | None,
    env: Mapping[str, str] | None,
    keep_open: Sequence[int],
) -> Iterator[subprocess.Popen[bytes]]:
    """Start a command under the guard; whatever happens in the block, nothing of it is left after."""
    reader, writer = os.pipe()
    try:
        child = subprocess.Popen(
            [sys.executable, "-I", "-S", str(GUARD), *map(str, command)],
            stdin=reader,
            stdout=output,
            stderr=subprocess.STDOUT,
            cwd=cwd,
            env=dict(env if env is not None else clean_environment()),
            start_new_session=True,
            pass_fds=tuple(keep_open),
        )
    except BaseException:
        os.close(writer)
        raise
    finally:
        os.close(reader)
    try:
        yield child
    finally:
        finished = child.poll() is not None
        if not finished or (child.returncode or 0) < 0:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(child.pid, signal.SIGKILL)
        os.close(writer)
        child.wait()
        if child.stdout is not None:
            child.stdout.close()


def capture(
    command: Sequence[str | Path],
    *,
    limit_s: float,
    cwd: Path | str | None = None,
    env: Mapping[str, str] | None = None,
) -> tuple[int, str]:
    """Run a short command and return its exit status and all it printed.

    Args:
        command: program and arguments; a program that is not there gives status 127.
        limit_s: seconds after which it is killed, with everything it started.
        cwd: folder to run in.
        env: the whole environment; by default `clean_environment()`.

    Raises:
        Trouble: it ran into the time limit.
    """
    with _guarded(command, subprocess.PIPE, cwd=cwd, env=env, keep_open=()) as child:
        try:
            printed, _ = child.communicate(timeout=limit_s)
        except subprocess.TimeoutExpired:
            raise Trouble(f"gave no answer within {limit_s:.0f} s") from None
    return child.returncode, printed.decode(errors="replace")


def step(
    what: str,
    command: Sequence[str | Path],
    *,
    log: Path,
    usually: str,
    cwd: Path | None = None,
    env: Mapping[str, str] | None = None,
    limit_s: float | None = None,
    keep_open: Sequence[int] = (),
) -> None:
    """Run one long command, its output in a log, its progress on standard error.

    Args:
        what: the step in the reader's words: "compiling CPython 3.13.5t".
        command: program and arguments.
        log: file that its output is added to.
        usually: how long it takes on an ordinary machine: "3-6 minutes".
        cwd: folder to run in.
        env: the whole environment; by default `clean_environment()`.
        limit_s: seconds after which it is killed; by default never.
        keep_open: file descriptors (of locks) that live as long as the command.

    Raises:
        Trouble: it failed; the message has the last error lines and the log's path.
    """
    say(f"{what}: usually {usually}")
    ticker = Ticker(what)
    with log.open("ab") as output:
        output.write(f"\n== {what}\n$ {' '.join(map(str, command))}\n".encode())
        output.flush()
        begin = output.tell()
        with _guarded(command, output, cwd=cwd, env=env, keep_open=keep_open) as child:
            try:
                _wait(child, ticker, limit_s)
            finally:
                ticker.clear()
    if child.returncode != 0:
        raise Trouble(_failure(what, child.returncode, log, begin))
    say(f"{what}: done in {ticker.seconds:.0f} s")


def _wait(child: subprocess.Popen[bytes], ticker: Ticker, limit_s: float | None) -> None:
    while child.poll() is None:
        if limit_s is not None and ticker.seconds > limit_s:
            raise Trouble(f"{ticker.what} did not finish within {limit_s:.0f} s.")
        with contextlib.suppress(subprocess.TimeoutExpired):
            child.wait(timeout=1)
        ticker.tick()


def ending(status: int) -> str:
    """An exit status in words: "exit status 2", or "SIGSEGV" for 128 + 11."""
    with contextlib.suppress(ValueError):
        if status > KILLED_BY:
            return signal.Signals(status - KILLED_BY).name
    return f"exit status {status}"


def _failure(what: str, status: int, log: Path, begin: int) -> str:
    with log.open("rb") as output:
        output.seek(begin)
        text = output.read().decode(errors="replace")
    lines = "".join(f"\n    {line}" for line in error_lines(text))
    hint = " The disk is full: free some space first." if "No space left" in text else ""
    if status == KILLED_BY + signal.SIGKILL:
        hint = " It was killed, most likely because memory ran out."
    return f"{what} failed ({ending(status)}).{hint} Last lines:{lines}\n    Full log: {log}"


_ERROR = re.compile(
    r"\b(error|fatal|undefined reference|no space left|killed|cannot|not found|failed)\b|^E:|\*\*\*",
    re.IGNORECASE,
)


def error_lines(text: str, most: int = 6) -> list[str]:
    """The lines of a log that say what went wrong; its last lines where none does.

    Args:
        text: the log.
        most: how many lines at most.
    """
    lines = [line.rstrip()[:300] for line in text.splitlines() if line.strip()]
    # configure and make talk about errors that are none ("checking for error_at_line... no").
    telling = [line for line in lines if _ERROR.search(line) and not line.startswith("checking ")]
    return list(dict.fromkeys(telling))[-most:] or lines[-most:]
