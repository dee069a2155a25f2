"""Start children, watch them, and say in one word how each of them ended.

The parent never dies with a child, never waits longer than it was told, and leaves nothing behind: no
process, no zombie, no file. A child leads a session of its own and is killed with its whole group; if
the parent is killed, the kernel kills the group (see `child`).
"""

from __future__ import annotations

import contextlib
import html
import json
import os
import re
import selectors
import shutil
import signal
import subprocess
import sys
import textwrap
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, Literal

from racelab.build import Built

__all__ = ["Ending", "run_child"]

#: What is kept of stdout and of stderr; the rest is counted and thrown away.
OUTPUT_LIMIT = 1 << 20
TRACE_LIMIT = 1 << 18
EVENTS_LIMIT = 1 << 26
#: How long a hanging child may take to write its stacks before it is killed.
DUMP_WAIT_S = 0.5
#: Asks faulthandler for every thread's stack. Real-time signals are the ones that nobody uses.
DUMP_SIGNAL = int(signal.SIGRTMIN) + 5 if hasattr(signal, "SIGRTMIN") else int(signal.SIGUSR2)

CODE_NAME = "<child>"
_BOOTSTRAP = (
    "import sys; _ = {{'__name__': 'racelab_child', '__file__': {path!r}}}; "
    "exec(compile(open({path!r}).read(), {path!r}, 'exec'), _); _['main']({descriptor})"
)
_SANITIZER = re.compile(
    r"(?:WARNING|ERROR): (?:Thread|Address)Sanitizer: ([a-zA-Z][\w -]*?)(?: on | \(|\n|$)"
)

Gil = Literal["auto", 0, 1]


@dataclass(frozen=True)
class Ending:
    """How a child ended, and what it left.

    Attributes:
        outcome: one label: "ok", "error(ExcType)", "exit(N)", "crash(SIGSEGV)" (any signal's name),
            "hang" (it was killed at its time limit), "killed" (a SIGKILL that we did not send),
            "sanitizer(what)", "not-run" (the interpreter did not get as far as the code).
        returned: the value of the code's variable `result`, if JSON can carry it; else None.
        stdout, stderr: what was written, the first MiB of each.
        exit_status: as the shell would see it; None when a signal ended the child.
        signal: name of the signal that ended it, or None.
        seconds: from the start of the process to its end.
        traceback: Python's traceback, or every thread's stack where the child crashed or hung.
        warnings: texts of the Python warnings that were shown, and remarks of ours.
        gil_enabled: whether the GIL was on when it was last known; None if the code never ran.
        gil_enabled_by: the module whose import turned it on, when known.
        thrown_away: bytes of output beyond the limit, not kept.
    """

    outcome: str
    returned: Any
    stdout: str
    stderr: str
    exit_status: int | None
    signal: str | None
    seconds: float
    traceback: str
    warnings: tuple[str, ...]
    gil_enabled: bool | None
    gil_enabled_by: str | None
    thrown_away: int = 0

    def __repr__(self) -> str:
        return (
            f"Ending({self.outcome!r}, returned={self.returned!r}, seconds={self.seconds:.2f}, "
            f"gil_enabled={self.gil_enabled})"
        )

    def _rows(self) -> list[tuple[str, str]]:
        rows = [("outcome", self.outcome), ("after", f"{self.seconds:.2f} s")]
        rows.append(("GIL", _gil_words(self.gil_enabled, self.gil_enabled_by)))
        if self.returned is not None:
            rows.append(("result", repr(self.returned)))
        shown = self.traceback.strip()
        rest = self.stderr.replace(shown, "") if shown else self.stderr
        for label, text in (("stdout", self.stdout), ("stderr", rest), ("traceback", shown)):
            if text.strip():
                rows.append((label, _clip(text.strip("\n"))))
        rows += [("warning", text) for text in self.warnings if text not in self.stderr]
        if self.thrown_away:
            rows.append(("thrown away", f"{self.thrown_away:,} bytes of output beyond 1 MiB"))
        return rows

    def __str__(self) -> str:
        width = max(len(label) for label, _ in self._rows())
        return "\n".join(
            f"{label:<{width}}  " + text.replace("\n", "\n" + " " * (width + 2))
            for label, text in self._rows()
        )

    def _repr_pretty_(self, printer: Any, cycle: bool) -> None:
        printer.text(str(self) if not cycle else "Ending(...)")

    def _repr_html_(self) -> str:
        return rows_to_html(self._rows(), "How the child process ended")


def rows_to_html(rows: Iterable[tuple[str, str]], caption: str) -> str:
    """A two-column table in the page's own colours, with a caption for screen readers."""
    line = "border-top:1px solid color-mix(in srgb, currentColor 25%, transparent)"
    head = f"text-align:left;vertical-align:top;font-weight:600;padding:.2em 1em .2em 0;{line}"
    cell = f"text-align:left;padding:.2em 0;white-space:pre-wrap;overflow-wrap:anywhere;{line}"
    body = "".join(
        f'<tr style="background:none"><th scope="row" style="{head}">{html.escape(label)}</th>'
        f'<td style="{cell}">{_cell(text)}</td></tr>'
        for label, text in rows
    )
    return (
        '<table class="racelab-table" style="border-collapse:collapse;color:inherit;margin:.5em 0">'
        f'<caption style="text-align:left;opacity:.8">{html.escape(caption)}</caption>'
        f"<tbody>{body}</tbody></table>"
    )


def _cell(text: str) -> str:
    escaped = html.escape(text)
    return (
        f'<code style="background:none;color:inherit">{escaped}</code>' if "\n" in text else escaped
    )


def _clip(text: str, lines: int = 30, width: int = 200) -> str:
    """First and last lines of a long text, each cut to a width: the ends say the most."""
    found = text.splitlines()
    half = lines // 2
    if len(found) > lines:
        found = [*found[:half], f"... {len(found) - lines:,} lines more ...", *found[-half:]]
    return "\n".join(line if len(line) <= width else f"{line[:width]} ..." for line in found)


def _gil_words(enabled: bool | None, by: str | None) -> str:
    if enabled is None:
        return "unknown: the code did not run"
    if not enabled:
        return "off"
    return f"on: importing {by!r} enabled it" if by else "on"


def run_child(
    code: str | Path,
    *,
    timeout_s: float = 10.0,
    gil: Gil = "auto",
    python: str | Path | None = None,
    args: Sequence[str] = (),
    env: Mapping[str, str | None] | None = None,
    modules: Iterable[Built | str | Path] = (),
    xoptions: Sequence[str] = (),
    memory_mb: float | None = None,
) -> Ending:
    """Run Python code in a process of its own and say how it ended, whatever it does.

    Args:
        code: Python source (indentation is removed), or the path of a .py file. What it assigns to
            `result` comes back in `Ending.returned`, if JSON can carry it.
        timeout_s: seconds from the start of the process, start-up included, after which it is killed
            with all its descendants.
        gil: "auto" leaves PYTHON_GIL unset, so that imports may turn the GIL on and say so;
            0 or 1 sets it.
        python: interpreter. Default: this one.
        args: what the code finds in sys.argv[1:].
        env: environment variables on top of ours; None as a value removes one.
        modules: what `compile` returned, or paths of shared libraries: importable by name.
        xoptions: for -X, e.g. ("gil=1",).
        memory_mb: limit of the child's data in MiB, so that running out of memory is the child's affair alone.

    Raises:
        FileNotFoundError: the file or the interpreter is not there.
        ValueError: an argument out of its range.
    """
    if not timeout_s > 0:
        raise ValueError(f"timeout_s={timeout_s!r}: a time limit is a number of seconds above 0.")
    text, filename, folder = _code(code)
    job = {
        "code": text,
        "filename": filename,
        "folder": folder,
        "args": [str(arg) for arg in args],
        "modules": module_paths(modules),
        "memory_mb": memory_mb,
    }
    variables = child_environment(gil, env)
    if memory_mb is not None:
        # The allocator of a free-threaded build sets a GiB aside at its start, beyond any limit.
        variables.setdefault("MIMALLOC_ARENA_RESERVE", "0")
    with _Child(interpreter(python), job, variables, xoptions) as child:
        child.watch(timeout_s)
    return child.ending()


def _code(code: str | Path) -> tuple[str, str, str]:
    """Source text, the name that tracebacks give it, and the folder that it imports from."""
    looks_like_path = isinstance(code, Path) or ("\n" not in code and code.endswith(".py"))
    if not looks_like_path:
        return textwrap.dedent(str(code)).strip("\n") + "\n", CODE_NAME, ""
    path = Path(code)
    if not path.is_file():
        raise FileNotFoundError(f"{path}: there is no such file (looked in {Path.cwd()}).")
    path = path.resolve()
    return path.read_text(encoding="utf-8"), str(path), str(path.parent)


def module_paths(modules: Iterable[Built | str | Path]) -> dict[str, str]:
    """Module name to absolute path, for the child's import system."""
    found: dict[str, str] = {}
    for item in modules:
        path = item.path if isinstance(item, Built) else Path(item)
        if not path.is_file():
            raise FileNotFoundError(f"{path}: there is no such module file; compile it again.")
        name = item.name if isinstance(item, Built) else path.name.split(".", 1)[0]
        found[name] = str(path.resolve())
    return found


def interpreter(python: str | Path | None) -> str:
    """Full path of the interpreter to start.

    Raises:
        FileNotFoundError: it is not there, or cannot be executed.
    """
    if python is None:
        return sys.executable
    found = shutil.which(str(python))
    if found is None:
        raise FileNotFoundError(
            f"{python}: there is no such interpreter, or it cannot be executed."
        )
    return found


def child_environment(gil: Gil, env: Mapping[str, str | None] | None) -> dict[str, str]:
    """Our environment as a child gets it: PYTHON_GIL is there only if asked for."""
    if gil not in ("auto", 0, 1):
        raise ValueError(f'gil={gil!r} is not "auto", 0 or 1.')
    merged: dict[str, str | None] = {
        **os.environ,
        "PYTHON_GIL": None if gil == "auto" else str(gil),
    }
    merged.update(env or {})
    return {name: value for name, value in merged.items() if value is not None}


class _Stream:
    """One pipe from the child: keeps its beginning, counts the rest."""

    def __init__(self, descriptor: int, limit: int) -> None:
        self.descriptor = descriptor
        self.limit = limit
        self.kept = bytearray()
        self.thrown_away = 0
        os.set_blocking(descriptor, False)

    def read(self) -> bool:
        """Take what is there; False at the end of the stream."""
        try:
            data = os.read(self.descriptor, 1 << 16)
        except BlockingIOError:
            return True
        room = self.limit - len(self.kept)
        self.kept += data[:room]
        self.thrown_away += max(0, len(data) - max(room, 0))
        return bool(data)

    def text(self) -> str:
        """What was kept, as text; bytes that are not UTF-8 show as \\xNN."""
        return self.kept.decode("utf-8", "backslashreplace")


class _Child:
    """One child process from start to end; a context manager that never leaves it running."""

    def __init__(
        self, python: str, job: dict[str, Any], env: dict[str, str], xoptions: Sequence[str]
    ) -> None:
        self.begin = time.perf_counter()
        self.seconds = 0.0
        self.timed_out = False
        self.status: int | None = None
        self._opened: list[int] = []
        try:
            self._start(python, job, env, xoptions)
        except BaseException:
            self._close_all()
            raise

    def _pipe(self) -> tuple[int, int]:
        ends = os.pipe()
        self._opened += ends
        return ends

    def _start(
        self, python: str, job: dict[str, Any], env: dict[str, str], xoptions: Sequence[str]
    ) -> None:
        out, out_child = self._pipe()
        err, err_child = self._pipe()
        events, events_child = self._pipe()
        trace, trace_child = self._pipe()
        life_child, self._life = self._pipe()
        job = {
            **job,
            "events": events_child,
            "trace": trace_child,
            "life": life_child,
            "dump_signal": DUMP_SIGNAL,
        }
        with _job_file(job) as file:
            self.process = subprocess.Popen(
                _command(python, file.fileno(), xoptions),
                stdin=subprocess.DEVNULL,
                stdout=out_child,
                stderr=err_child,
                pass_fds=(file.fileno(), events_child, trace_child, life_child),
                env=env,
                start_new_session=True,
            )
        for descriptor in (out_child, err_child, events_child, trace_child, life_child):
            os.close(descriptor)
            self._opened.remove(descriptor)
        self.out = _Stream(out, OUTPUT_LIMIT)
        self.err = _Stream(err, OUTPUT_LIMIT)
        self.events = _Stream(events, EVENTS_LIMIT)
        self.trace = _Stream(trace, TRACE_LIMIT)

    def _streams(self) -> tuple[_Stream, ...]:
        return (self.out, self.err, self.events, self.trace)

    def __enter__(self) -> _Child:
        return self

    def __exit__(self, *_: object) -> None:
        """Whatever happened (Ctrl-C, say): kill the group, reap the child, close the pipes."""
        try:
            self._finish()
        finally:
            self._close_all()

    def _close_all(self) -> None:
        for descriptor in self._opened:
            with contextlib.suppress(OSError):
                os.close(descriptor)
        self._opened.clear()

    def watch(self, timeout_s: float) -> None:
        """Read what the child writes until it ends or its time is up."""
        deadline = self.begin + timeout_s
        with selectors.DefaultSelector() as selector:
            exited = _exit_descriptor(self.process.pid)
            if exited is not None:
                self._opened.append(exited)
                selector.register(exited, selectors.EVENT_READ)
            for stream in self._streams():
                selector.register(stream.descriptor, selectors.EVENT_READ, stream)
            while not self._ended():
                left = deadline - time.perf_counter()
                if left <= 0:
                    self._time_is_up(selector)
                    return
                # Without a descriptor for the exit we have to look every few milliseconds.
                _pump(selector, left if exited is not None else min(left, 0.005))

    def _ended(self) -> bool:
        """Whether the child has ended. It is not reaped yet, so its group's number is still ours."""
        flags = os.WEXITED | os.WNOHANG | os.WNOWAIT
        return os.waitid(os.P_PID, self.process.pid, flags) is not None

    def _time_is_up(self, selector: selectors.BaseSelector) -> None:
        """Ask for the stacks, give it a moment to write them, and leave the rest to `_finish`."""
        self.timed_out = True
        with contextlib.suppress(ProcessLookupError):
            self.process.send_signal(DUMP_SIGNAL)
        until = time.perf_counter() + DUMP_WAIT_S
        seen = -1
        while time.perf_counter() < until and not self._ended():
            if len(self.trace.kept) == seen > 0:
                break
            seen = len(self.trace.kept)
            _pump(selector, 0.05)

    def _finish(self) -> None:
        if self.status is not None:
            return
        # The leader is dead or dying but not reaped: this hits its descendants and nobody else.
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.status = self.process.wait()
        self.seconds = time.perf_counter() - self.begin
        for stream in self._streams():
            self._drain(stream)

    @staticmethod
    def _drain(stream: _Stream) -> None:
        """What is still in the pipe. A descendant that left the group may hold it open: do not wait."""
        for _ in range(1024):
            before = len(stream.kept) + stream.thrown_away
            if not stream.read() or len(stream.kept) + stream.thrown_away == before:
                return

    def ending(self) -> Ending:
        """Put together what was seen."""
        events = _parse_events(self.events.text())
        assert self.status is not None
        died_by = _signal_name(-self.status) if self.status < 0 else None
        last = {key: value for event in events for key, value in event.items() if value is not None}
        return Ending(
            outcome=self._outcome(events, died_by),
            returned=_first(events, "done").get("returned"),
            stdout=self.out.text(),
            stderr=self.err.text(),
            exit_status=None if self.status < 0 else self.status,
            signal=died_by,
            seconds=self.seconds,
            traceback=_first(events, "error").get("traceback") or _own_frames(self.trace.text()),
            warnings=tuple(_warnings(events)),
            gil_enabled=True if last.get("gil_enabled_by") else last.get("gil"),
            gil_enabled_by=last.get("gil_enabled_by"),
            thrown_away=self.out.thrown_away + self.err.thrown_away,
        )

    def _outcome(self, events: list[dict[str, Any]], died_by: str | None) -> str:
        if self.timed_out:
            return "hang"
        found = _SANITIZER.search(self.err.text())
        if found and self.status != 0:
            return f"sanitizer({found.group(1).strip()})"
        if died_by is not None:
            return "killed" if died_by == "SIGKILL" else f"crash({died_by})"
        error = _first(events, "error")
        if error and self.status == 1:
            return f"error({error['type']})"
        if not events and self.status != 0:
            return "not-run"
        return "ok" if self.status == 0 and _first(events, "done") else f"exit({self.status})"


def _pump(selector: selectors.BaseSelector, timeout_s: float) -> None:
    """Read from every pipe that has something; forget those that have ended."""
    for key, _ in selector.select(timeout_s):
        if isinstance(key.data, _Stream) and not key.data.read():
            selector.unregister(key.fd)


def _exit_descriptor(pid: int) -> int | None:
    """A descriptor that becomes readable when the process ends, where the system has such a thing."""
    if not hasattr(os, "pidfd_open"):
        return None
    try:
        return os.pidfd_open(pid)
    except OSError:
        return None


def _command(python: str, descriptor: int, xoptions: Sequence[str]) -> list[str]:
    """-u, so that what was printed before a crash is not lost; -P, so that our folder is not on the path."""
    script = str(Path(__file__).with_name("child.py"))
    options = [word for option in xoptions for word in ("-X", option)]
    return [
        python,
        "-u",
        "-P",
        *options,
        "-c",
        _BOOTSTRAP.format(path=script, descriptor=descriptor),
    ]


@contextlib.contextmanager
def _job_file(job: dict[str, Any]) -> Any:
    """The job in a file without a name: any size, and nothing to remove."""
    import tempfile

    file: IO[bytes]
    if hasattr(os, "memfd_create"):
        file = os.fdopen(os.memfd_create("racelab-job"), "w+b")
    else:
        file = tempfile.TemporaryFile()  # noqa: SIM115  (closed below)
    with file:
        file.write(json.dumps(job).encode())
        file.flush()
        file.seek(0)
        yield file


def _own_frames(stacks: str) -> str:
    """faulthandler's text without the frames that only started the code."""
    lines = []
    ours = False
    for line in stacks.splitlines():
        starter = ours and line == '  File "<string>", line 1 in <module>'
        ours = f'File "{Path(__file__).with_name("child.py")}"' in line
        if not (ours or starter):
            lines.append(line)
        ours = ours or starter
    return "\n".join(lines)


def _parse_events(text: str) -> list[dict[str, Any]]:
    """Whole lines only: a child that dies while it writes leaves half a line."""
    events = []
    for line in text.splitlines():
        with contextlib.suppress(json.JSONDecodeError):
            event = json.loads(line)
            if isinstance(event, dict):
                events.append(event)
    return events


def _first(events: list[dict[str, Any]], name: str) -> dict[str, Any]:
    return next((event for event in events if event.get("event") == name), {})


def _warnings(events: list[dict[str, Any]]) -> Iterable[str]:
    for event in events:
        if event.get("event") == "warning":
            yield f"{event['category']}: {event['text']}"
        if event.get("unreturnable"):
            yield str(event["unreturnable"])


def _signal_name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"
