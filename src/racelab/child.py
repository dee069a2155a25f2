"""What runs inside a child process: the only place where code under study is executed.

This file is run as a script by an interpreter that need not have racelab installed (a ThreadSanitizer
build, say): for plain code it uses the standard library alone; for a race it imports `racelab.lab` and
the C core from the folder that it is told. A child is spawned, or forked by a zygote: a light process
with one thread that has imported what every race needs, and never a module under study.

A job comes from one file descriptor; what happens is reported on another, one JSON object a line:

    {"event": "started", "gil": false}
    {"event": "warning", "category": "RuntimeWarning", "text": "...", "gil_enabled_by": "module"}
    {"event": "importing", "name": "module"}       a race: what comes next may end the child before any round
    {"event": "ready", "gil": false}               a race: all is imported, the GIL is as it should be
    {"event": "gil-enabled", "gil": true}          a race: an import turned it on, so nothing was raced
    {"event": "not-run", "text": "..."}            a race: lab or module cannot be imported, or the lab is wrong
    {"event": "run", "index": 0, "facts": {...}}   a race: one call of the C core has returned
    {"event": "tampered", "names": [...]}          a guarded race: what judges it was replaced meanwhile
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
    import warnings

    shown = warnings.showwarning

    def show(message: Any, category: Any, *rest: Any, **options: Any) -> None:
        import re

        pattern = r"lock \(GIL\) has been enabled to load module '([^']+)'"
        found = re.search(pattern, str(message))
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


def _prepare(job: dict[str, Any]) -> Reporter:
    """Everything that comes before the code itself; the order matters."""
    import faulthandler

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
    return report


# ---------------------------------------------------------------------------------------------------
# Races
# ---------------------------------------------------------------------------------------------------


def crash_handlers() -> dict[str, int]:
    """Addresses of the C functions that crashes call, whoever has set them; none where that cannot be asked for."""
    if sys.platform == "win32":
        return {}
    import signal

    try:
        import ctypes
    except ImportError:  # a build without libffi
        return {}
    found = {}
    for name in ("SIGSEGV", "SIGBUS", "SIGABRT", "SIGFPE", "SIGILL"):
        # The first member of struct sigaction, wherever there is one; the rest fits in by far.
        action = (ctypes.c_void_p * 64)()
        if ctypes.CDLL(None).sigaction(getattr(signal, name), None, action) == 0:
            found[f"the handler of {name}"] = action[0] or 0
    return found


class _Guard:
    """Functions that judge code under study, and that crashes call, as they were before it was imported.

    Against tricks, not against attackers: C code shares this process's memory.
    """

    def __init__(self, lab: Any) -> None:
        import builtins

        bodies = [lab.setup, lab.observe, *(actor.body for actor in lab.declared_actors)]
        homes = {getattr(body, "__module__", None) for body in bodies if callable(body)}
        named = ("sys", "threading", "racelab.lab", "racelab._race", *sorted(filter(None, homes)))
        modules = [sys.modules[name] for name in named if name in sys.modules]
        self.watched: list[tuple[str, dict[str, Any]]] = [
            (module.__name__, vars(module)) for module in (builtins, *modules)
        ]
        self.before = self._now()
        self.handlers = crash_handlers()

    def _now(self) -> dict[str, Any]:
        return {
            f"{home}.{name}": value
            for home, names in self.watched
            for name, value in list(names.items())
            if callable(value) and name != "_"
        }

    def changed(self) -> list[str]:
        """Names that are gone or mean something else now; new ones do no harm, unless they hide a builtin."""
        now = self._now()
        replaced = {name for name, value in self.before.items() if now.get(name) is not value}
        known = {name.rpartition(".")[2] for name in self.before if name.startswith("builtins.")}
        hiding = {n for n in now if n not in self.before and n.rpartition(".")[2] in known}
        calls = set(self.handlers.items()) ^ set(crash_handlers().items())
        return sorted(replaced | hiding | {name for name, _ in calls})


class _Mistake(Exception):
    """The lab asks for what is not there, or what it brings fails although nothing is raced."""


def _blame(job: dict[str, Any], mistake: _Mistake) -> str:
    """The mistake in one sentence, with the lab and the file to look in."""
    file = job["lab_file"]
    return f"lab {job['lab']}: {mistake}" + (f" ({file.rpartition(os.sep)[2]})" if file else "")


def _has_no(owner: Any, holder: str, name: str) -> str:
    """That it has no such attribute, and which one may be meant."""
    import difflib

    near = difflib.get_close_matches(name, [n for n in dir(owner) if n[:2] != "__"], 1)
    return f"{holder} has no such attribute" + (f"; did you mean {near[0]!r}?" if near else "")


class _Prepared:
    """The arguments of the C core that do not change between the runs of a job."""

    def __init__(self, job: dict[str, Any], report: Reporter | None = None) -> None:
        self.lab = lab = _load_lab(job)
        self.guard = _Guard(lab) if job.get("guard") else None
        modules = []
        for name in job["imports"]:
            if report is not None:
                report.send("importing", name=name)
            modules.append(_import_raced(name, built=name in job["modules"]))
        self.module = modules[0] if modules else None
        self.cast = cast = lab.cast(job["threads"])
        self.arguments = {
            "setup": self._setup(lab),
            "actors": [self._body(lab, actor) for actor in cast],
            "threads": job["threads"],
            "observe": lab.observe,
            "observe_key": lab.observe_key,
            "bursts": [actor.burst for actor in cast],
            "made_by": next((i for i, actor in enumerate(cast) if actor.made_by), None),
        }

    def _attribute(self, role: str, name: str) -> Any:
        if self.module is None:
            raise _Mistake(
                f"{role} {name!r}: there is no module to look in; give sources or modules"
            )
        if not hasattr(self.module, name):
            raise _Mistake(f"{role} {name!r}: {_has_no(self.module, self.module.__name__, name)}")
        return getattr(self.module, name)

    def _setup(self, lab: Any) -> Any:
        if lab.setup is None:
            return None
        if isinstance(lab.setup, str):
            return self._attribute("setup", lab.setup)
        return self._with_module(lab.setup)

    def _with_module(self, setup: Callable[..., object]) -> Callable[..., object]:
        """A setup that takes one argument gets the module."""
        import functools
        import inspect

        try:
            parameters = inspect.signature(setup).parameters.values()
        except (TypeError, ValueError):
            return setup
        wanted = [
            p for p in parameters if p.default is p.empty and p.kind <= p.POSITIONAL_OR_KEYWORD
        ]
        return functools.partial(setup, self.module) if len(wanted) == 1 else setup

    def _body(self, lab: Any, actor: Any) -> Any:
        body = actor.body
        if isinstance(body, str) and lab.setup is None:
            body = self._attribute("actor", body)
        return (body, *actor.args) if actor.args else body


def _import(name: str) -> Any:
    import importlib

    return importlib.import_module(name)


def _import_raced(name: str, *, built: bool) -> Any:
    """A module under study; where it is not there, or lacks a library, the next step in place of a traceback."""
    import re

    try:
        return _import(name)
    except ModuleNotFoundError as error:
        if error.name != name.partition(".")[0]:
            raise
        raise _Mistake(
            f"{name} is not importable by {sys.executable}: install it there, or put its folder into PYTHONPATH"
        ) from error
    except ImportError as error:
        symbol = re.search(
            r"undefined symbol: (\w+)|symbol not found in flat namespace '(\w+)'", str(error)
        )
        if symbol is None:
            raise
        wanted = symbol[1] or symbol[2]
        step = (
            'name its library in the lab, as in flags=["-lz"], or in sources= the file that has it'
            if built
            else "build it for this Python, with the library that has it"
        )
        raise _Mistake(f"{name} does not link, because nothing brings {wanted}: {step}") from error


def _load_lab(job: dict[str, Any]) -> Any:
    """The lab, from its file or from its pickle."""
    if job["lab_file"]:
        from racelab.lab import load_labs

        return next(lab for lab in load_labs(job["lab_file"]) if lab.name == job["lab"])
    import base64
    import pickle

    for name, file in job["lab_modules"].items():
        _load_as(name, file)
    return pickle.loads(base64.b64decode(job["lab_pickle"]))


def _load_as(name: str, file: str) -> None:
    """Load a file under the name that its callables were pickled by: test files, say, that are on no path."""
    import importlib.util
    import types

    if name in sys.modules:
        return
    parts = name.split(".")
    for depth in range(1, len(parts)):
        package = ".".join(parts[:depth])
        try:
            _import(package)
        except ImportError:
            # Unpickling imports the parents; their folders need not be packages.
            sys.modules[package] = types.ModuleType(package)
            sys.modules[package].__path__ = []
    spec = importlib.util.spec_from_file_location(name, file)
    if spec is not None and spec.loader is not None:
        module = importlib.util.module_from_spec(spec)
        sys.modules[name] = module
        spec.loader.exec_module(module)


def _run_race(job: dict[str, Any], report: Reporter) -> None:
    """Import what is to be raced, look at the GIL, then let the C core do one run after another."""
    import mmap

    os.environ.pop("RACELAB_WIDEN", None)
    if job["widen"]:
        os.environ["RACELAB_WIDEN"] = "1"
    try:
        _race = _import("racelab._race")
        prepared = _Prepared(job, report)
    except BaseException as error:
        text = _blame(job, error) if isinstance(error, _Mistake) else _traceback(error)
        report.send("not-run", text=text, gil=_gil_enabled())
        sys.exit(1)
    if _gil_enabled() and not job["allow_gil"]:
        report.send("gil-enabled", gil=True)
        return
    changed = prepared.guard.changed() if prepared.guard else []
    if changed:  # by the import alone; racelab itself might not work any more
        report.send("tampered", names=changed)
        return
    report.send("ready", gil=_gil_enabled())
    with mmap.mmap(job["tally"], 0) as tally:
        for index, run in enumerate(job["runs"]):
            report.send("begin", index=index)
            facts = _race.run(**{**prepared.arguments, **run}, tally=tally, labels=job["labels"])
            report.send("run", index=index, facts=facts, gil=_gil_enabled())
    changed = prepared.guard.changed() if prepared.guard else []
    if changed:
        report.send("tampered", names=changed)
    report.send("done", gil=_gil_enabled())


def _rehearse(job: dict[str, Any], report: Reporter) -> None:
    """Play one round of a lab in one thread, and report what of the lab itself fails in it.

    Only for a lab whose races have failed with exceptions: were it done before a race, it would take
    the first calls of the process away from the race.
    """
    prepared = _Prepared(job, report)
    try:
        _play_alone(prepared)
    except _Mistake as mistake:
        report.send("not-run", text=_blame(job, mistake), gil=_gil_enabled())
    report.send("done", gil=_gil_enabled())


def _play_alone(prepared: _Prepared) -> None:
    lab, setup = prepared.lab, prepared.arguments["setup"]
    state = None if setup is None else _alone("setup", setup)
    returned: list[Any] = []
    for actor in prepared.cast:
        call = _alone_actor(prepared, actor, state)
        for _ in range(actor.burst):
            try:
                returned.append(call())
            except Exception as error:  # an outcome, also where nothing is raced
                if isinstance(error, TypeError):
                    _takes(prepared, actor, call)
                return
    _alone_observe(lab, state, tuple(returned), len(prepared.cast))


def _alone(role: str, call: Callable[..., Any], *args: Any, gets: str = "") -> Any:
    try:
        return call(*args)
    except Exception as error:
        said = f"{type(error).__name__}: {error}{gets if isinstance(error, TypeError) else ''}"
        raise _Mistake(f"{role} fails although nothing is raced: {said}") from error


def _type_name(state: Any) -> str:
    kind = type(state)
    return (
        kind.__qualname__
        if kind.__module__ == "builtins"
        else f"{kind.__module__}.{kind.__qualname__}"
    )


def _alone_actor(prepared: _Prepared, actor: Any, state: Any) -> Callable[[], Any]:
    """The actor's call; a mistake where there is none."""
    import functools

    with_state = prepared.lab.setup is not None
    body, args = actor.body, actor.args
    if isinstance(body, str) and with_state:
        try:
            body = getattr(state, body)
        except AttributeError as error:
            said = _has_no(state, _type_name(state), actor.body)
            raise _Mistake(f"actor {actor.body!r}: {said}") from error
    elif isinstance(body, str):
        body = getattr(prepared.module, body)
    elif with_state:
        args = (state, *args)
    if not callable(body):
        raise _Mistake(f"actor {actor.label!r}: it is a {_type_name(body)} and cannot be called")
    return functools.partial(body, *args)


def _takes(prepared: _Prepared, actor: Any, call: Any) -> None:
    """A mistake where a call that has failed does not take what it gets, by its own signature.

    Asked of nothing but a TypeError: what an extension's docstring says of its arguments may be wrong.
    """
    import inspect

    try:
        inspect.signature(call.func).bind(*call.args)
    except ValueError:  # it does not tell what it takes
        pass
    except TypeError as error:
        with_state = prepared.lab.setup is not None and not isinstance(actor.body, str)
        gets = "the state" if with_state else "no state"
        more = f" and {len(actor.args)} of args" if actor.args else ""
        raise _Mistake(f"actor {actor.label!r}: it gets {gets}{more}: {error}") from error


def _alone_observe(lab: Any, state: Any, returned: tuple[Any, ...], threads: int) -> None:
    observe, keys = lab.observe, lab.observe_key or ()
    named = [("observe", observe)] if isinstance(observe, str) else []
    keys = (keys,) if isinstance(keys, str) else keys
    for role, name in (*named, *(("observe_key", key) for key in keys)):
        if not hasattr(state, name):
            raise _Mistake(f"{role} {name!r}: {_has_no(state, _type_name(state), name)}")
    if callable(observe):
        asks = type(observe).__name__ == "Invariant"  # which says itself how many it gets
        gets = "" if asks else "; observe gets (state, returned, threads)"
        role = "check" if asks else "observe"
        _alone(role, lambda: str(observe(state, returned, threads)), gets=gets)


def _calibrate(job: dict[str, Any], report: Reporter) -> None:
    os.environ.pop("RACELAB_WIDEN", None)
    if job["widen"]:
        os.environ["RACELAB_WIDEN"] = "1"
    facts = _import("racelab._race").calibrate(**job["calibrate"])
    report.send("run", index=0, facts=facts, gil=_gil_enabled())
    report.send("done", gil=_gil_enabled())


def _run_guarded(
    task: Callable[[dict[str, Any], Reporter], None], job: dict[str, Any], report: Reporter
) -> None:
    """Run a task of the harness; an exception out of it is this repetition's ending."""
    try:
        task(job, report)
    except Exception as error:
        text = _traceback(error)
        report.send(
            "error", type=type(error).__name__, text=str(error), traceback=text, gil=_gil_enabled()
        )
        sys.exit(1)


def _do(job: dict[str, Any]) -> None:
    report = _prepare(job)
    if job["task"] == "code":
        _run_code(job, report)
        return
    # Last in the search: what the parent finds, the child finds, too.
    sys.path += [entry for entry in [*job["path"], job["package"]] if entry not in sys.path]
    tasks = {"race": _run_race, "rehearse": _rehearse, "calibrate": _calibrate}
    _run_guarded(tasks[job["task"]], job, report)


def main(descriptor: int) -> None:
    """Read the job and do it. Called by the last line of the script that `runner` starts."""
    import json

    with os.fdopen(descriptor, "rb") as file:
        job = json.loads(file.read())
    _do(job)


# ---------------------------------------------------------------------------------------------------
# The zygote
# ---------------------------------------------------------------------------------------------------

#: Order in which a request brings its file descriptors.
FORK_DESCRIPTORS = ("job", "out", "err", "events", "trace", "life", "tally")


#: What every child of a race uses. Nothing that could be under study.
_PRELOADED = (
    "base64",
    "contextlib",
    "faulthandler",
    "fcntl",
    "functools",
    "importlib.util",
    "json",
    "linecache",
    "mmap",
    "pickle",
    "re",
    "resource",
    "select",
    "signal",
    "threading",
    "traceback",
    "warnings",
)


def zygote(descriptor: int, package: str) -> None:
    """Fork one child after another, on request, until the other side hangs up.

    Requests, two bytes: R0 (with FORK_DESCRIPTORS) forks, D and a signal asks the child for its
    stacks, K0 kills its group. Answers, nine bytes: Z when ready, P and the child's pid, X and its wait
    status, as little-endian integers.
    """
    import gc
    import socket

    for name in _PRELOADED:  # imported here once, there in every child
        _import(name)
    sys.path.append(package)
    _import("racelab.lab")
    _import("racelab._race").tick_hz()  # measured once, inherited
    gc.collect()
    gc.freeze()
    line = socket.socket(fileno=descriptor)
    line.sendall(b"Z" + bytes(8))
    while True:
        message, descriptors, _, _ = socket.recv_fds(line, 2, len(FORK_DESCRIPTORS))
        if not message:
            return
        if message[:1] == b"R":  # K and D may come after the child's end: nothing is left to do
            _fork_one(line, dict(zip(FORK_DESCRIPTORS, descriptors, strict=True)))


def _fork_one(line: Any, descriptors: dict[str, int]) -> None:
    pid = os.fork()
    if pid == 0:
        _be_child(line, descriptors)
    for number in descriptors.values():
        os.close(number)
    line.sendall(b"P" + pid.to_bytes(8, "little"))
    status = _wait_for(line, pid)
    line.sendall(b"X" + status.to_bytes(8, "little"))


def _wait_for(line: Any, pid: int) -> int:
    """Obey the runner until the child has ended; kill what it leaves, and reap it."""
    import select

    exited = os.pidfd_open(pid)
    try:
        while True:
            ready, _, _ = select.select([line, exited], [], [])
            if exited in ready:
                break
            command = line.recv(2)
            if command[:1] == b"D":
                os.kill(pid, command[1])
            else:  # K, or the runner is gone
                _kill_group(pid)
            if not command:
                os._exit(0)
        _kill_group(pid)
        return os.waitpid(pid, 0)[1]
    finally:
        os.close(exited)


def _kill_group(pid: int) -> None:
    import contextlib
    import signal

    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(pid, signal.SIGKILL)
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, signal.SIGKILL)  # it may not have become a group's leader yet


def _be_child(line: Any, descriptors: dict[str, int]) -> None:
    """The forked child's whole life. It never returns into the zygote's loop."""
    import json
    import traceback

    status = 1
    try:
        os.setsid()
        line.close()
        os.dup2(descriptors["out"], 1)
        os.dup2(descriptors["err"], 2)
        with os.fdopen(descriptors["job"], "rb") as file:
            job = json.loads(file.read())
        job.update({name: descriptors[name] for name in ("events", "trace", "life", "tally")})
        os.environ.clear()
        os.environ.update(job["env"])
        os.chdir(job["cwd"])
        _do(job)
        status = 0
    except SystemExit as error:
        status = error.code if isinstance(error.code, int) else int(error.code is not None)
    except BaseException:
        traceback.print_exc()
    finally:
        # Not the interpreter's own end: tearing down what was raced is not part of the race.
        os._exit(status)
