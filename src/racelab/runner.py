"""Run a child, and say in one word how it ended.

The parent never dies with a child, never waits longer than it was told, and leaves nothing behind: no
process, no zombie, no file (see `processes`).
"""

from __future__ import annotations

import contextlib
import functools
import html
import json
import os
import shutil
import signal
import sys
import textwrap
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from racelab import reports
from racelab.build import Built
from racelab.processes import Look, Spawned, Watched
from racelab.reports import Report

__all__ = ["Ending", "run_child"]

CODE_NAME = "<child>"
#: How a child ends that a sanitizer has reported, where it ends by itself; see `reports.sanitizer_options`.
REPORTED = 66

Gil = Literal["auto", 0, 1]


@dataclass(frozen=True)
class Ending:
    """How a child ended, and what it left.

    Attributes:
        outcome: one label: "ok", "error(ExcType)", "exit(N)", "crash(SIGSEGV)" (any signal's name),
            "hang" (it was killed at its time limit), "killed" (a SIGKILL that we did not send),
            "sanitizer(data race in bump, counter.c:31)", "not-run" (the interpreter did not get as
            far as the code, or a sanitizer could not do its own work: `warnings` says what to do).
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

    @functools.cached_property
    def reports(self) -> list[Report]:
        """What a sanitizer or a debug interpreter has reported, taken to pieces; see `racelab.reports`."""
        return reports.parse(self.stderr)

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
    """Text of several lines some of which are indented is a machine's: its columns are kept."""
    escaped = html.escape(text)
    columns = "\n " in text or "\n\t" in text
    return f'<code style="background:none;color:inherit">{escaped}</code>' if columns else escaped


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
    look: Look | None = None,
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
        look: looks at the child now and then, and may end it before its time, as a "hang".

    Raises:
        FileNotFoundError: the file or the interpreter is not there.
        ValueError: an argument out of its range.
    """
    if not timeout_s > 0:
        raise ValueError(f"timeout_s={timeout_s!r}: a time limit is a number of seconds above 0.")
    text, filename, folder = _code(code)
    job = {
        "task": "code",
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
    with Spawned(interpreter(python), job, variables, xoptions) as child:
        child.watch(timeout_s, look)
    return ending_of(child)


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


def ending_of(child: Watched) -> Ending:
    """Put together what was seen of a child that has ended."""
    events = parse_events(child.events.text())
    assert child.status is not None
    died_by = _signal_name(-child.status) if child.status < 0 else None
    last = {key: value for event in events for key, value in event.items() if value is not None}
    outcome = _outcome(child, events, died_by)
    unable = reports.unable(child.err.text()) if outcome == "not-run" else ""
    return Ending(
        outcome=outcome,
        returned=first_event(events, "done").get("returned"),
        stdout=child.out.text(),
        stderr=child.err.text(),
        exit_status=None if child.status < 0 else child.status,
        signal=died_by,
        seconds=child.seconds,
        traceback=first_event(events, "error").get("traceback") or _own_frames(child.trace.text()),
        warnings=(*_warnings(events), *([unable] if unable else [])),
        gil_enabled=True if last.get("gil_enabled_by") else last.get("gil"),
        gil_enabled_by=last.get("gil_enabled_by"),
        thrown_away=child.out.thrown_away + child.err.thrown_away,
    )


def _outcome(child: Watched, events: list[dict[str, Any]], died_by: str | None) -> str:
    if child.ended_by_us is not None:
        return "hang"
    text = child.err.text()
    found = (
        reports.gravest(reports.parse(text)) if child.status != 0 and "Sanitizer" in text else None
    )
    if child.status != 0 and (found is None or not events) and reports.unable(text):
        return "not-run"
    if found and not found.elsewhere:
        return f"sanitizer({found.label})"
    if died_by is not None:
        return "killed" if died_by == "SIGKILL" else f"crash({died_by})"
    error = first_event(events, "error")
    if error and child.status in (1, REPORTED):
        return f"error({error['type']})"
    if found and child.status == REPORTED:
        return f"sanitizer({found.label})"
    if not events and child.status != 0:
        return "not-run"
    return "ok" if child.status == 0 and first_event(events, "done") else f"exit({child.status})"


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


def parse_events(text: str) -> list[dict[str, Any]]:
    """Whole lines only: a child that dies while it writes leaves half a line."""
    events = []
    for line in text.splitlines():
        with contextlib.suppress(json.JSONDecodeError):
            event = json.loads(line)
            if isinstance(event, dict):
                events.append(event)
    return events


def first_event(events: list[dict[str, Any]], name: str) -> dict[str, Any]:
    """The first event of that name, or an empty one."""
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
