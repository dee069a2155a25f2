"""Child processes, spawned or forked by a zygote: start them, watch them, end them, leave nothing.

A child leads a session of its own and is killed with its whole group, always before it is reaped, so
that the group's number cannot belong to anybody else. A descendant that has left the group is found by
the pipes that it still holds. If the parent is killed, the kernel kills the group (see `child`).
"""

from __future__ import annotations

import atexit
import contextlib
import json
import os
import selectors
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import IO, Any, Protocol

__all__ = [
    "Forked",
    "Spawned",
    "Stream",
    "Watched",
    "Zygote",
    "ZygoteError",
    "forked",
    "nameless_file",
    "package_folder",
]

#: What is kept of stdout and of stderr; the rest is counted and thrown away.
OUTPUT_LIMIT = 1 << 20
TRACE_LIMIT = 1 << 18
EVENTS_LIMIT = 1 << 26
#: How long a hanging child may take to write its stacks before it is killed.
DUMP_WAIT_S = 0.5
#: How long we look for descendants that hold our pipes after the group was killed.
HOLDERS_WAIT_S = 0.2
ZYGOTE_START_S = 60.0
#: Asks faulthandler for every thread's stack. Real-time signals are the ones that nobody uses.
DUMP_SIGNAL = int(signal.SIGRTMIN) + 5 if hasattr(signal, "SIGRTMIN") else int(signal.SIGUSR2)

_CHILD = str(Path(__file__).with_name("child.py"))
_BOOTSTRAP = (
    f"import sys; _ = {{'__name__': 'racelab_child', '__file__': {_CHILD!r}}}; "
    f"exec(compile(open({_CHILD!r}).read(), {_CHILD!r}, 'exec'), _); "
)


def package_folder() -> str:
    """The folder that a child must have on its path to import racelab."""
    return str(Path(__file__).resolve().parent.parent)


class Look(Protocol):
    """Looks at a running child now and then."""

    interval_s: float

    def __call__(self, pid: int) -> str | None:
        """Why the child shall be ended now, or None."""


class Stream:
    """One pipe from the child: keeps its beginning, counts the rest."""

    def __init__(self, descriptor: int, limit: int) -> None:
        self.descriptor = descriptor
        self.limit = limit
        self.kept = bytearray()
        self.thrown_away = 0
        self.ended = False
        os.set_blocking(descriptor, False)

    def read(self) -> bool:
        """Take what is there; False when there was nothing, or the stream has ended."""
        try:
            data = os.read(self.descriptor, 1 << 16)
        except BlockingIOError:
            return False
        room = max(0, self.limit - len(self.kept))
        self.kept += data[:room]
        self.thrown_away += max(0, len(data) - room)
        self.ended = not data
        return bool(data)

    def text(self) -> str:
        """What was kept, as text; bytes that are not UTF-8 show as \\xNN."""
        return self.kept.decode("utf-8", "backslashreplace")


class Watched:
    """One child process from start to end; a context manager that never leaves it running.

    Attributes:
        pid: its process id.
        status: its wait status, as `os.waitstatus_to_exitcode` gives it, once it has ended.
        ended_by_us: why we ended it: "limit" or what `Look` said; None if it ended by itself.
        seconds: from its start to its end.
    """

    pid: int

    def __init__(self) -> None:
        self.begin = time.perf_counter()
        self.seconds = 0.0
        self.status: int | None = None
        self.ended_by_us: str | None = None
        self._opened: list[int] = []
        self._theirs: list[int] = []

    # -- what the two kinds do differently ----------------------------------------------------------

    def exit_descriptor(self) -> int | None:
        """Readable when the child has ended; None if one has to look again and again."""
        raise NotImplementedError

    def has_ended(self) -> bool:
        """Whether the child has ended."""
        raise NotImplementedError

    def ask_for_stacks(self) -> None:
        """Have faulthandler write the stack of every thread."""
        raise NotImplementedError

    def end(self) -> int:
        """Kill the child's group if it is there, reap the child, and return its exit code."""
        raise NotImplementedError

    # -- what they share ----------------------------------------------------------------------------

    def _pipe(self) -> tuple[int, int]:
        """A pipe of which the child gets the second end."""
        mine, theirs = os.pipe()
        self._opened += (mine, theirs)
        self._theirs.append(theirs)
        return mine, theirs

    def _make_pipes(self) -> dict[str, int]:
        """All pipes; returns the child's ends by name."""
        out, out_child = self._pipe()
        err, err_child = self._pipe()
        events, events_child = self._pipe()
        trace, trace_child = self._pipe()
        # The other way round: the child holds the reading end and learns when ours is closed.
        life_child, life = os.pipe()
        self._opened += (life_child, life)
        self._theirs.append(life_child)
        self.out = Stream(out, OUTPUT_LIMIT)
        self.err = Stream(err, OUTPUT_LIMIT)
        self.events = Stream(events, EVENTS_LIMIT)
        self.trace = Stream(trace, TRACE_LIMIT)
        return {
            "out": out_child,
            "err": err_child,
            "events": events_child,
            "trace": trace_child,
            "life": life_child,
        }

    def _close_theirs(self) -> None:
        for descriptor in self._theirs:
            os.close(descriptor)
            self._opened.remove(descriptor)
        self._theirs.clear()

    def streams(self) -> tuple[Stream, ...]:
        """The four pipes that we read."""
        return (self.out, self.err, self.events, self.trace)

    def __enter__(self) -> Watched:
        return self

    def __exit__(self, *_: object) -> None:
        """Whatever happened (Ctrl-C, say): kill the group, reap the child, close the pipes."""
        try:
            self.finish()
        finally:
            self.close()

    def close(self) -> None:
        """Close our ends of the pipes; the kernel then kills what is left of the child's group."""
        for descriptor in self._opened:
            with contextlib.suppress(OSError):
                os.close(descriptor)
        self._opened.clear()
        self._theirs.clear()

    def watch(self, timeout_s: float, look: Look | None = None) -> None:
        """Read what the child writes until it ends, its time is up, or `look` says that it is over."""
        deadline = self.begin + timeout_s
        with selectors.DefaultSelector() as selector:
            exited = self.exit_descriptor()
            if exited is not None:
                selector.register(exited, selectors.EVENT_READ)
            for stream in self.streams():
                selector.register(stream.descriptor, selectors.EVENT_READ, stream)
            interval = min(look.interval_s if look else 1e9, 1e9 if exited is not None else 0.005)
            looked = time.perf_counter()
            while not self.has_ended():
                now = time.perf_counter()
                if now >= deadline:
                    self.ended_by_us = "limit"
                elif look is not None and now - looked >= look.interval_s:
                    looked = now
                    self.ended_by_us = look(self.pid)
                if self.ended_by_us is not None:
                    self._wait_for_stacks(selector)
                    return
                _pump(selector, min(deadline - now, interval))

    def _wait_for_stacks(self, selector: selectors.BaseSelector) -> None:
        """Ask for the stacks, give the child a moment to write them, and leave the rest to `finish`."""
        self.ask_for_stacks()
        until = time.perf_counter() + DUMP_WAIT_S
        seen = -1
        while time.perf_counter() < until and not self.has_ended():
            if len(self.trace.kept) == seen > 0:
                break
            seen = len(self.trace.kept)
            _pump(selector, 0.05)

    def finish(self) -> None:
        """End the child if it has not ended, then read what is left in the pipes."""
        if self.status is not None:
            return
        self.status = self.end()
        self.seconds = time.perf_counter() - self.begin
        for stream in self.streams():
            _drain(stream)
        if not all(stream.ended for stream in self.streams()):
            self._end_holders()

    def _end_holders(self) -> None:
        """Kill descendants that left the group: they are the ones that still hold our pipes."""
        inodes = {os.fstat(stream.descriptor).st_ino for stream in self.streams()}
        until = time.perf_counter() + HOLDERS_WAIT_S
        while time.perf_counter() < until:
            for stream in self.streams():
                _drain(stream)
            if all(stream.ended for stream in self.streams()):
                return
            for pid in _holders(inodes):
                with contextlib.suppress(ProcessLookupError, PermissionError):
                    os.kill(pid, signal.SIGKILL)
            time.sleep(0.005)


def _pump(selector: selectors.BaseSelector, timeout_s: float) -> None:
    """Read from every pipe that has something; forget those that have ended."""
    for key, _ in selector.select(max(0.0, timeout_s)):
        if isinstance(key.data, Stream) and not key.data.read() and key.data.ended:
            selector.unregister(key.fd)


def _drain(stream: Stream) -> None:
    """What is still in the pipe, but no endless flood."""
    for _ in range(1024):
        if stream.ended or not stream.read():
            return


def _holders(inodes: set[int]) -> Iterator[int]:
    """Other processes that have one of these pipes open."""
    wanted = {f"pipe:[{inode}]" for inode in inodes}
    own = str(os.getpid())
    proc = Path("/proc")
    for process in proc.iterdir() if (proc / "self" / "fd").is_dir() else ():
        if not process.name.isdigit() or process.name == own:
            continue
        with contextlib.suppress(OSError):
            if any(str(entry.readlink()) in wanted for entry in (process / "fd").iterdir()):
                yield int(process.name)


def nameless_file(purpose: str) -> IO[bytes]:
    """A file of any size that nobody needs to remove."""
    import tempfile

    if hasattr(os, "memfd_create"):
        return os.fdopen(os.memfd_create(purpose), "w+b")
    return tempfile.TemporaryFile()


@contextlib.contextmanager
def _job_file(job: Mapping[str, Any]) -> Iterator[IO[bytes]]:
    """The job, ready to be read."""
    with nameless_file("racelab-job") as file:
        file.write(json.dumps(job).encode())
        file.flush()
        file.seek(0)
        yield file


def _command(python: str, last: str, xoptions: Sequence[str]) -> list[str]:
    """-u, so that what was printed before a crash is not lost; -P, so that our folder is not on the path."""
    options = [word for option in xoptions for word in ("-X", option)]
    return [python, "-u", "-P", *options, "-c", _BOOTSTRAP + last]


# ---------------------------------------------------------------------------------------------------
# Spawned
# ---------------------------------------------------------------------------------------------------


class Spawned(Watched):
    """A child started afresh: a new interpreter, tens of milliseconds."""

    def __init__(
        self,
        python: str,
        job: Mapping[str, Any],
        env: dict[str, str],
        xoptions: Sequence[str] = (),
        tally: int = -1,
    ) -> None:
        super().__init__()
        self._exited: int | None = None
        try:
            self._start(python, job, env, xoptions, tally)
        except BaseException:
            self.close()
            raise

    def _start(
        self,
        python: str,
        job: Mapping[str, Any],
        env: dict[str, str],
        xoptions: Sequence[str],
        tally: int,
    ) -> None:
        theirs = self._make_pipes()
        handed = {name: theirs[name] for name in ("events", "trace", "life")}
        with _job_file({**job, **handed, "tally": tally, "dump_signal": DUMP_SIGNAL}) as file:
            keep = [file.fileno(), *handed.values(), *([tally] if tally >= 0 else [])]
            self.process = subprocess.Popen(
                _command(python, f"_['main']({file.fileno()})", xoptions),
                stdin=subprocess.DEVNULL,
                stdout=theirs["out"],
                stderr=theirs["err"],
                pass_fds=keep,
                env=env,
                start_new_session=True,
            )
        self.pid = self.process.pid
        self._close_theirs()

    def exit_descriptor(self) -> int | None:
        """A pidfd, where the system has such a thing."""
        if self._exited is None and hasattr(os, "pidfd_open"):
            with contextlib.suppress(OSError):
                self._exited = os.pidfd_open(self.pid)
                self._opened.append(self._exited)
        return self._exited

    def has_ended(self) -> bool:
        """Whether the child has ended. It is not reaped yet, so its group's number is still ours."""
        return os.waitid(os.P_PID, self.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is not None

    def ask_for_stacks(self) -> None:
        with contextlib.suppress(ProcessLookupError):
            self.process.send_signal(DUMP_SIGNAL)

    def end(self) -> int:
        # The leader is alive, or dead and not reaped: this hits its group and nobody else.
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self.pid, signal.SIGKILL)
        return self.process.wait()


# ---------------------------------------------------------------------------------------------------
# Forked
# ---------------------------------------------------------------------------------------------------


class ZygoteError(RuntimeError):
    """The process that forks children is gone or does not answer."""


class Zygote:
    """A light process with one thread that forks children for us, one at a time."""

    def __init__(self, python: str, env: dict[str, str], xoptions: Sequence[str]) -> None:
        mine, theirs = socket.socketpair()
        self.line = mine
        self.words = nameless_file("racelab-zygote")  # its stderr; a pipe could fill up
        number = theirs.fileno()
        try:
            self.process = subprocess.Popen(
                _command(python, f"_['zygote']({number}, {package_folder()!r})", xoptions),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=self.words,
                pass_fds=(number,),
                env=env,
                start_new_session=True,
            )
        except BaseException:
            mine.close()
            self.words.close()
            raise
        finally:
            theirs.close()
        self.line.settimeout(ZYGOTE_START_S)
        try:
            self._expect(b"Z")
        except ZygoteError as error:
            self.line.close()
            self.process.wait(timeout=ZYGOTE_START_S)
            self.words.seek(0)
            said = self.words.read().decode("utf-8", "replace").strip().splitlines()
            self.close()
            raise ZygoteError(f"{python} cannot run races: {said[-1] if said else error}") from None
        except BaseException:
            self.close()
            raise

    def _expect(self, kind: bytes) -> int:
        """Wait for the next answer, which must be of this kind; returns its number."""
        answer = b""
        while len(answer) < 9:
            try:
                more = self.line.recv(9 - len(answer))
            except OSError as error:
                raise ZygoteError(f"the zygote does not answer ({error})") from error
            if not more:
                raise ZygoteError("the zygote has ended")
            answer += more
        if answer[:1] != kind:
            raise ZygoteError(f"the zygote answered {answer!r}, not {kind!r}")
        return int.from_bytes(answer[1:], "little")

    def fork(self, descriptors: Sequence[int]) -> int:
        """Fork a child that gets these file descriptors; returns its pid."""
        try:
            socket.send_fds(self.line, [b"R\0"], list(descriptors))
        except OSError as error:
            raise ZygoteError(f"the zygote is gone ({error})") from error
        return self._expect(b"P")

    def tell(self, command: bytes) -> None:
        """Send a two-byte command about the running child."""
        with contextlib.suppress(OSError):
            self.line.sendall(command)

    def wait(self) -> int:
        """Wait until the running child is reaped; returns its exit code."""
        return os.waitstatus_to_exitcode(self._expect(b"X"))

    @property
    def alive(self) -> bool:
        """Whether the process is still there."""
        return self.process.poll() is None

    def close(self) -> None:
        """Hang up: the zygote kills its child, if it has one, and ends."""
        self.line.close()
        try:
            self.process.wait(timeout=5)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self.words.close()


class Forked(Watched):
    """A child forked by a zygote: a millisecond or two."""

    def __init__(
        self, zygote: Zygote, job: Mapping[str, Any], env: Mapping[str, str], tally: int
    ) -> None:
        super().__init__()
        self.zygote = zygote
        self.pid = 0
        try:
            theirs = self._make_pipes()
            full = {**job, "env": dict(env), "cwd": str(Path.cwd()), "dump_signal": DUMP_SIGNAL}
            with _job_file(full) as file:
                self.pid = zygote.fork(
                    [
                        file.fileno(),
                        *(theirs[n] for n in ("out", "err", "events", "trace", "life")),
                        tally,
                    ]
                )
            self._close_theirs()
        except BaseException:
            self.close()
            raise

    def exit_descriptor(self) -> int | None:
        return self.zygote.line.fileno()

    def has_ended(self) -> bool:
        """Whether the zygote has said so."""
        import select

        return bool(select.select([self.zygote.line], [], [], 0)[0])

    def ask_for_stacks(self) -> None:
        self.zygote.tell(b"D" + bytes([DUMP_SIGNAL]))

    def end(self) -> int:
        if not self.has_ended():
            self.zygote.tell(b"K\0")
        try:
            return self.zygote.wait()
        except ZygoteError:
            # It was killed, perhaps for memory. Our end of the life pipe takes the child with it.
            self.ended_by_us = self.ended_by_us or "the zygote was killed"
            return -int(signal.SIGKILL)


_Key = tuple[str, tuple[tuple[str, str], ...], tuple[str, ...]]
_idle: dict[_Key, list[Zygote]] = {}
_lock = threading.Lock()
_owner = os.getpid()

#: Variables that an interpreter reads when it starts: a zygote started with others is another zygote.
_AT_START = ("PYTHON", "LD_", "MIMALLOC_", "TSAN_", "ASAN_", "GLIBC_")


@contextlib.contextmanager
def forked(python: str, env: dict[str, str], xoptions: Sequence[str] = ()) -> Iterator[Zygote]:
    """A zygote that nobody else is using; it goes back to the idle ones unless something went wrong."""
    starting = tuple(sorted((k, v) for k, v in env.items() if k.startswith(_AT_START)))
    key: _Key = (python, starting, tuple(xoptions))
    zygote = _take(key) or Zygote(python, env, xoptions)
    try:
        yield zygote
    except GeneratorExit:
        # Somebody had seen enough between two repetitions: no child is running.
        _give_back(key, zygote)
        raise
    except BaseException:
        zygote.close()
        raise
    _give_back(key, zygote)


def _give_back(key: _Key, zygote: Zygote) -> None:
    with _lock:
        if zygote.alive:
            _idle.setdefault(key, []).append(zygote)


def _take(key: _Key) -> Zygote | None:
    global _owner
    with _lock:
        if _owner != os.getpid():
            # We are a fork of the process that started them; they are not ours to use.
            _idle.clear()
            _owner = os.getpid()
        waiting = _idle.get(key, [])
        while waiting:
            zygote = waiting.pop()
            if zygote.alive:
                return zygote
    return None


@atexit.register
def close_zygotes() -> None:
    """End all idle zygotes. They would end by themselves; this also reaps them."""
    with _lock:
        mine = [z for many in _idle.values() for z in many] if _owner == os.getpid() else []
        _idle.clear()
    for zygote in mine:
        zygote.close()


if sys.platform == "win32":
    raise ImportError("racelab needs POSIX processes; on Windows, run it in WSL.")
