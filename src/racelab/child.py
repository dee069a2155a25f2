"""What runs inside a child process: the only place where code under study is executed.

This file is run as a script by an interpreter that need not have racelab installed (a ThreadSanitizer
build, say), so it uses the standard library alone and imports nothing of its neighbours. It reads its
job from one file descriptor and reports on another, one JSON object a line:

    {"event": "started", "gil": false}
    {"event": "warning", "category": "RuntimeWarning", "text": "...", "gil_enabled_by": "module"}
    {"event": "done", "gil": false, "returned": ..., "unreturnable": null}
    {"event": "error", "type": "ValueError", "text": "...", "traceback": "...", "gil": false}
    {"event": "exit", "gil": false}

stdout and stderr belong to the code. faulthandler writes to a descriptor of its own, so that a flood
of output cannot drown the one traceback that matters.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from typing import Any

CODE_NAME = "<child>"


def _die_with_parent(life: int) -> None:
    """Have the kernel kill our whole process group when the parent's end of a pipe closes.

    PR_SET_PDEATHSIG would kill one process, and already when the *thread* that made us ends.
    Elsewhere than on Linux there is no such thing; the parent's own clean-up has to do.
    """
    import fcntl
    import select
    import signal

    if not hasattr(fcntl, "F_SETSIG"):
        return
    fcntl.fcntl(life, fcntl.F_SETOWN, -os.getpgrp())
    fcntl.fcntl(life, fcntl.F_SETSIG, signal.SIGKILL)
    flags = fcntl.fcntl(life, fcntl.F_GETFL)
    fcntl.fcntl(life, fcntl.F_SETFL, flags | os.O_ASYNC | os.O_NONBLOCK)
    if select.select([life], [], [], 0)[0]:  # it went before we were ready
        os.killpg(os.getpgrp(), signal.SIGKILL)


def _gil_enabled() -> bool:
    asked: Callable[[], bool] | None = getattr(sys, "_is_gil_enabled", None)
    return True if asked is None else asked()


class Reporter:
    """Writes events. A descriptor that the code has closed is no reason to fail."""

    def __init__(self, descriptor: int) -> None:
        self.descriptor = descriptor
        self.pid = os.getpid()

    def send(self, event: str, **facts: Any) -> None:
        """Send one event, unless we are a fork of the child that was asked."""
        import json

        if os.getpid() != self.pid:
            return
        data = (json.dumps({"event": event, **facts}) + "\n").encode()
        try:
            while data:
                data = data[os.write(self.descriptor, data) :]
        except OSError:
            return


def _watch_warnings(report: Reporter) -> None:
    """Report each warning at once: the code may not live to its end."""
    import re
    import warnings

    shown = warnings.showwarning
    enabled_by = re.compile(r"lock \(GIL\) has been enabled to load module '([^']+)'")

    def show(message: Any, category: Any, *rest: Any, **options: Any) -> None:
        found = enabled_by.search(str(message))
        report.send(
            "warning",
            category=category.__name__,
            text=str(message),
            gil_enabled_by=found.group(1) if found else None,
        )
        shown(message, category, *rest, **options)

    warnings.showwarning = show


class _Finder:
    """Finds the modules that were built for this child, by name."""

    def __init__(self, paths: dict[str, str]) -> None:
        self.paths = paths

    def find_spec(self, name: str, path: Any = None, target: Any = None) -> Any:
        del path, target
        where = self.paths.get(name)
        if where is None:
            return None
        import importlib.util

        return importlib.util.spec_from_file_location(name, where)


def _limit_memory(megabytes: float) -> None:
    import resource

    # Not RLIMIT_AS, which counts addresses that are only set aside.
    wanted = int(megabytes * 1024 * 1024)
    resource.setrlimit(resource.RLIMIT_DATA, (wanted, wanted))


def _traceback(error: BaseException) -> str:
    """The traceback from the code's own first frame on."""
    import traceback

    frame = error.__traceback__
    while frame is not None and frame.tb_frame.f_code.co_filename == __file__:
        frame = frame.tb_next
    return "".join(traceback.format_exception(type(error), error, frame))


def _returnable(value: Any) -> tuple[Any, str | None]:
    """The value, if JSON can carry it, and else why not."""
    import json

    try:
        json.dumps(value)
    except (TypeError, ValueError, RecursionError) as error:
        return None, f"result is a {type(value).__name__} that JSON cannot carry: {error}"
    return value, None


def _namespace(job: dict[str, Any]) -> dict[str, Any]:
    """A fresh __main__ for the code, whose lines tracebacks can quote."""
    import linecache
    import types

    module = types.ModuleType("__main__")
    sys.modules["__main__"] = module
    name, text = job["filename"], job["code"]
    linecache.cache[name] = (len(text), None, text.splitlines(keepends=True), name)
    if name != CODE_NAME:
        module.__file__ = name
    return module.__dict__


def _run_code(job: dict[str, Any], report: Reporter) -> None:
    """Run the job's code as __main__ and report how it ended; SystemExit goes its way."""
    space = _namespace(job)
    try:
        exec(compile(job["code"], job["filename"], "exec", dont_inherit=True), space)
    except SystemExit:
        report.send("exit", gil=_gil_enabled())
        raise
    except BaseException as error:
        text = _traceback(error)
        report.send(
            "error",
            type=type(error).__name__,
            text=str(error),
            traceback=text,
            gil=_gil_enabled(),
        )
        sys.stderr.write(text)
        sys.exit(1)
    value, why_not = _returnable(space.get("result"))
    report.send("done", gil=_gil_enabled(), returned=value, unreturnable=why_not)


def main(descriptor: int) -> None:
    """Read the job and do it. Called by the last line of the script that `runner` starts."""
    import faulthandler
    import json

    with os.fdopen(descriptor, "rb") as file:
        job = json.loads(file.read())
    _die_with_parent(job["life"])
    faulthandler.enable(file=job["trace"], all_threads=True)
    if job["dump_signal"]:
        faulthandler.register(job["dump_signal"], file=job["trace"], all_threads=True, chain=False)
    sys.argv = [job["filename"], *job["args"]]
    sys.path.insert(0, job["folder"])
    if job["modules"]:
        sys.meta_path.insert(0, _Finder(job["modules"]))
    report = Reporter(job["events"])
    _watch_warnings(report)
    if job["memory_mb"]:
        _limit_memory(job["memory_mb"])
    report.send("started", gil=_gil_enabled())
    _run_code(job, report)
