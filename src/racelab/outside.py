"""Run programs that are not ours: debuggers, compilers, pytest under a sanitizer.

Each runs as a child does (see `processes`): in a session of its own, with a time limit, its output kept up
to a limit, and nothing that it started is left behind, whatever happens to us meanwhile.
"""

from __future__ import annotations

import json
import os
import re
import signal
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from racelab.processes import Look, Spawned

__all__ = ["Output", "clean", "run"]

#: The child becomes the program: its group, its pipes and its end are then the program's.
_BECOME = """
import json, os, sys
given = json.loads(sys.argv[1])
os.chdir(given["folder"])
os.dup2(1, 2)
try:
    os.execvpe(given["command"][0], given["command"], given["env"])
except OSError as error:
    print(f"{given['command'][0]}: {error.strerror}")
    os._exit(127)
"""
_ADDRESS = re.compile(r"\b0x[0-9a-f]{5,16}\b")
#: "LWP 123" and "Thread 0x7f... (LWP 123)" of gdb, "Process 123" of lldb, "(pid=123)" and "==123==" of sanitizers.
_PROCESS = re.compile(r"(\bLWP |\bProcess |\b[Pp]rocess |\bpid[= ]|\(tid=|==)(\d+)\b")


@dataclass(frozen=True)
class Output:
    """What a program printed, and how it ended.

    Attributes:
        text: stdout and stderr as one, the first MiB.
        status: exit status; None where it was ended by a signal or by us.
        ended_by: "", the name of the signal that ended it, or "limit": its time was up.
        seconds: from its start to its end.
    """

    text: str
    status: int | None
    ended_by: str = ""
    seconds: float = 0.0

    @property
    def ending(self) -> str:
        """How it ended, in words."""
        if self.ended_by == "limit":
            return f"ended by us after {self.seconds:.0f} s"
        return f"ended by {self.ended_by}" if self.ended_by else f"exit status {self.status}"


def run(
    command: Sequence[str | Path],
    *,
    timeout_s: float = 60.0,
    env: Mapping[str, str | None] | None = None,
    folder: str | Path | None = None,
    look: Look | Callable[[int], str | None] | None = None,
) -> Output:
    """Run a program to its end, or to the end of its time.

    Args:
        command: the program, looked for on PATH, and its arguments.
        timeout_s: seconds after which it is killed with all that it started.
        env: variables on top of ours; None as a value removes one. PYTHON_GIL is removed unless given.
        folder: to run in. Default: a temporary one, thrown away.
        look: called now and then with the program's pid; may return why to end it.

    Raises:
        ValueError: a time limit that is none.
    """
    if not timeout_s > 0:
        raise ValueError(f"timeout_s={timeout_s!r}: a time limit is a number of seconds above 0.")
    with tempfile.TemporaryDirectory(prefix="racelab-") as temporary:
        job = {
            "command": [str(word) for word in command],
            "env": environment(env),
            "folder": str(folder or temporary),
        }
        begin = time.perf_counter()
        with _Program(job) as child:
            child.watch(timeout_s, look)  # type: ignore[arg-type]
    seconds = time.perf_counter() - begin
    status = child.status
    assert status is not None
    if child.ended_by_us is not None:
        return Output(child.out.text(), None, child.ended_by_us, seconds)
    if status < 0:
        return Output(child.out.text(), None, signal.Signals(-status).name, seconds)
    return Output(child.out.text(), status, "", seconds)


class _Program(Spawned):
    """A program that nobody asks for its stacks: the signal that does would kill it."""

    def __init__(self, job: Mapping[str, Any]) -> None:
        super().__init__(
            sys.executable,
            {
                "task": "code",
                "code": _BECOME,
                "filename": "<become>",
                "folder": "",
                "args": [json.dumps(job)],
                "modules": {},
                "memory_mb": None,
            },
            dict(os.environ),
        )

    def ask_for_stacks(self) -> None:
        return None


def environment(more: Mapping[str, str | None] | None = None) -> dict[str, str]:
    """Our environment in plain words: messages in English, no GIL switched by hand, no colours."""
    merged: dict[str, str | None] = {
        **os.environ,
        "LC_ALL": "C.UTF-8",
        "PYTHON_GIL": None,
        "RACELAB_WIDEN": None,
        "NO_COLOR": "1",
        "TERM": "dumb",
        "DEBUGINFOD_URLS": None,
        **(more or {}),
    }
    return {name: value for name, value in merged.items() if value is not None}


def clean(text: str, paths: Mapping[str, str] | None = None) -> str:
    """The same without what is of this machine or of this run alone: paths, process ids, addresses.

    Each address becomes a word of its own, so that it still shows where two threads hold the same one.

    Args:
        text: what a program printed.
        paths: more paths to put words for; longest first.
    """
    for path, word in sorted(_known_paths(paths or {}).items(), key=lambda item: -len(item[0])):
        text = text.replace(path, word)
    text = re.sub(rf"{re.escape(tempfile.gettempdir())}/(?:[\w.-]+/)*", "/tmp/", text)
    names: dict[str, str] = {}

    def address(found: re.Match[str]) -> str:
        return names.setdefault(found[0], f"0x..{len(names) + 1:02d}")

    processes: dict[str, str] = {}

    def process(found: re.Match[str]) -> str:
        return found[1] + processes.setdefault(found[2], str(1001 + len(processes)))

    text = _ADDRESS.sub(address, text)
    return _PROCESS.sub(process, text)


def _known_paths(more: Mapping[str, str]) -> dict[str, str]:
    from racelab.build import cache_folder
    from racelab.show import find_ext

    known = {
        str(Path.home()): "~",
        str(cache_folder()): "modules",
        str(cache_folder().parent): "cache",
        str(Path(__file__).resolve().parent): "racelab",
        sys.executable: "python",
        os.path.realpath(sys.executable): "python3.13t",
        sys.prefix: ".venv-ft",
        sys.base_prefix: "python",
    }
    try:
        root = find_ext().parent
    except FileNotFoundError:
        pass
    else:
        known[f"{root}{os.sep}"] = ""
        known[str(root)] = "."
    return {path: word for path, word in {**known, **more}.items() if len(path) > 1}
