"""Write a script that reproduces a race with nothing but Python and the module."""

from __future__ import annotations

import ast
import hashlib
import inspect
import itertools
import json
import re
import shutil
import sys
import textwrap
from collections.abc import Callable, Iterable, Iterator
from importlib.machinery import EXTENSION_SUFFIXES
from pathlib import Path
from types import CodeType, FunctionType, ModuleType
from typing import Any

from racelab.build import Built, compile, loaded_modules
from racelab.lab import Actor, Invariant, Lab
from racelab.lastrace import facts_of
from racelab.result import Result

__all__ = ["check_target", "interpreter_of", "save", "script"]

#: First line of every script that we write: what lacks it is somebody else's, and is never overwritten.
MARKER = "# Written by racelab to show a race again. racelab may overwrite this file."
#: Start of the line that lists what we put into the folder beside a script, each with its SHA-256.
_LIST = "# Beside it: "
_HEAD_LINES = 3

_TEMPLATE = '''\
{head}
"""{about}

Stand-alone: needs Python and the module, nothing else. It shows the race more slowly than racelab,
whose C core releases threads more sharply, and it may crash or hang: that is what it is for.

    {python} {file} [SECONDS] [MODULE.so]

{seen}
"""

from __future__ import annotations

import importlib
import importlib.util
import os
import re
import sys
import sysconfig
import threading
import time
from collections import Counter
from pathlib import Path

ARGUMENTS = sys.argv[1:] if __name__ == "__main__" else []
SECONDS = float(ARGUMENTS[0]) if ARGUMENTS else 10.0
MODULE = ARGUMENTS[1] if len(ARGUMENTS) > 1 else None
NAME = {name!r}
FILES = Path(__file__).resolve().with_name({files!r})
THREADS = {threads}
COLD = {cold}
BATCH = 1 if COLD else 1000
GRADES = {grades!r}

if {free_threaded} and not sysconfig.get_config_var("Py_GIL_DISABLED"):
    sys.exit(f"{{sys.executable}} is a Python with a GIL: run this with {python}, or another free-threaded one.")


def load_module():
    """The module under study."""
    sys.path.insert(0, str(FILES))
    if MODULE is None:
        return importlib.import_module(NAME) if NAME else None
    name = NAME or Path(MODULE).name.partition(".")[0]
    spec = importlib.util.spec_from_file_location(name, MODULE)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    sys.modules[name] = module
    return module


def one_process_each():
    """Fork a process for each round, because what its first calls make is made once; returns in the children."""
    end = time.monotonic() + SECONDS
    for number in range(1, sys.maxsize):
        sys.stdout.flush()
        child = os.fork()
        if child == 0:
            return
        status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
        if status or time.monotonic() >= end:
            died = f", which died by signal {{-status}}" if status < 0 else ""
            print(f"{{number:>10,}}  processes{{'; FORBIDDEN in the last one' + died if status else ''}}")
            sys.exit(1 if status else 0)


if COLD and __name__ == "__main__":
    one_process_each()
module = load_module()
{definitions}

make_state = {setup}
bodies = [{actors}]
bursts_of = {bursts}
{observe}


def call_once(body, state):
    """One call; an exception is what it returns."""
    try:
        return body(state)
    except Exception as error:
        return error


def act_in_turn(me, states, turn, returned):
    """Meet the others before every round, then call."""
    others = [other for other in range(THREADS) if other != me]
    body = bodies[me]
    for number, state in enumerate(states):
        turn[me] = number
        for other in others:
            while turn[other] < number:
                pass
        for _ in range(bursts_of[me]):
            returned[me].append(call_once(body, state))


def label_of(state, values):
    """What came out of a round."""
    for value in values:
        if isinstance(value, Exception):
            return f"error({{type(value).__name__}})"
    return str(observe_round(state, tuple(values), THREADS))


def grade_of(name):
    """What the lab thinks of an outcome; what it did not declare is forbidden."""
    if name in GRADES:
        return GRADES[name]
    for pattern, found in GRADES.items():
        if "*" in pattern and re.fullmatch(re.escape(pattern).replace(r"\\*", ".*"), name):
            return found
    return "FORBIDDEN"


def race_batch(seen):
    """Race over fresh states, then look at each."""
    states = [make_state() for _ in range(BATCH)]
    turn = [-1] * THREADS
    returned = [[] for _ in range(THREADS)]
    threads = [
        threading.Thread(target=act_in_turn, args=(me, states, turn, returned)) for me in range(THREADS)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for number, state in enumerate(states):
        values = []
        for me in range(THREADS):
            values += returned[me][number * bursts_of[me] : (number + 1) * bursts_of[me]]
        seen[label_of(state, values)] += 1


def race_until_seen():
    """Race until something forbidden was seen, or the time is over."""
    if getattr(sys, "_is_gil_enabled", lambda: True)():
        print("The GIL is on: most races of native code will not show.")
    seen = Counter()
    end = time.monotonic() + SECONDS
    while True:
        race_batch(seen)
        if COLD or any(grade_of(name) == "FORBIDDEN" for name in seen) or time.monotonic() >= end:
            break
    for name, count in seen.most_common():
        if COLD and grade_of(name) != "FORBIDDEN":
            continue
        print(f"{{count:>10,}}  {{name}}{{'  FORBIDDEN' if grade_of(name) == 'FORBIDDEN' else ''}}")
    return 1 if any(grade_of(name) == "FORBIDDEN" for name in seen) else 0


if __name__ == "__main__":
    sys.exit(race_until_seen())
'''


#: Names of the script's own, which no function of a lab may have there.
_OWN = {
    "module",
    "make_state",
    "bodies",
    "bursts_of",
    "observe_round",
    *re.findall(r"^def (\w+)", _TEMPLATE, re.M),
}

_INVARIANT = '''

def observe_round(state, returned, threads):
    """Ask the check."""
    try:
        answer = {check}(*(state, returned, threads)[:{takes}])
    except AssertionError as error:
        said = str(error).partition("\\n")[0]
        return f"{failed}: {{said}}"[:100] if said else {failed!r}
    return {failed!r} if answer is False else {holds!r}'''


def save(
    path: str | Path,
    lab: Lab,
    result: Result,
    modules: Iterable[Built | str | Path] = (),
) -> Path:
    """Write the script for a race that was run, and beside it the modules that racelab has compiled for it.

    They go with their sources into a folder named after the script: ``races/race_add_files/``.

    Args:
        path: where the script goes. A file that we did not write, or that was changed since, is never
            overwritten; nor is one in the folder beside it.
        lab: what was raced.
        result: what came of it; also if nothing forbidden was seen.
        modules: what the race was given besides the lab's own.

    Raises:
        BuildError: the lab's module does not compile any more.
        ValueError: the lab's callables cannot be written down, or a file cannot be written.
    """
    target = Path(path)
    check_target(target)
    text = script(lab, result, target.name)
    named = _named(_needed(lab, result, modules, text))
    try:
        listed = {name: _digest(file) for name, file in named.items()}
        head = f"{MARKER}\n{_LIST}{json.dumps(listed, sort_keys=True)}"
        # The list first: what we put beside it must be known as ours even if the disk is full then.
        target.write_text(text.replace(MARKER, head, 1), encoding="utf-8")
        _put_beside(target, named)
    except OSError as error:
        raise ValueError(
            f"{error.filename or target} cannot be written: {error.strerror}."
        ) from error
    return target


def check_target(path: str | Path) -> None:
    """Refuse a place that a script cannot go to, before a race is run for it.

    Raises:
        ValueError: the folder is not there, the file is not one that we wrote, or a file in the folder
            beside it is not as we left it.
    """
    target = Path(path)
    if not target.parent.is_dir():
        raise ValueError(
            f"{target} cannot be written: there is no folder {target.parent}; make it."
        )
    try:
        with target.open(encoding="utf-8", errors="replace") as file:
            head = [line.rstrip("\n") for line in itertools.islice(file, _HEAD_LINES)]
    except FileNotFoundError:
        head = [MARKER]
    except OSError as error:
        raise ValueError(f"{target} cannot be written: {error.strerror}.") from error
    if head[:1] != [MARKER]:
        raise ValueError(
            f"{target} was not written by racelab and stays as it is: give another name."
        )
    listed = next((line.removeprefix(_LIST) for line in head if line.startswith(_LIST)), "{}")
    _check_folder(_folder_of(target), json.loads(listed))


def _check_folder(folder: Path, listed: dict[str, str]) -> None:
    """Refuse a folder that holds anything but what we have put there."""
    if folder.is_symlink() or (folder.exists() and not folder.is_dir()):
        raise ValueError(f"{folder} is no folder that racelab has made: give another name.")
    for file in sorted(folder.iterdir()) if folder.is_dir() else ():
        if not file.is_file() or listed.get(file.name) != _digest(file):
            raise ValueError(
                f"{file} is not as racelab has left it and stays as it is: move it away, or give another name."
            )


def _digest(file: Path) -> str:
    return hashlib.sha256(file.read_bytes()).hexdigest()


def _folder_of(target: Path) -> Path:
    return target.with_name(f"{target.stem}_files")


def _needed(
    lab: Lab, result: Result, modules: Iterable[Built | str | Path], text: str
) -> list[tuple[Path, list[Path]]]:
    """Each module that the script must find, with its sources, where we know them."""
    own = _module_of(lab, result)
    found = [(own.path, lab.source_files(result.variant))] if own else []
    for item in [*loaded_modules(), *modules, *_beside(lab)]:
        file = item.path if isinstance(item, Built) else Path(item)
        name = item.name if isinstance(item, Built) else file.name.partition(".")[0]
        if re.search(
            rf"^(import {name}\b|from {name} import|NAME = '{name}'$)", text, re.MULTILINE
        ):
            found.append((file, [Path(item.source)] if isinstance(item, Built) else []))
    return found


def _beside(lab: Lab) -> Iterator[Path]:
    """Modules that were built into the folder of the lab's file."""
    for name in lab.modules:
        for suffix in EXTENSION_SUFFIXES:
            if (lab.folder / f"{name}{suffix}").is_file():
                yield lab.folder / f"{name}{suffix}"
                break


def _named(needed: list[tuple[Path, list[Path]]]) -> dict[str, Path]:
    """What goes into the folder, by its name there: sources of one name get a number, modules cannot."""
    named = {module.name: module for module, _ in needed}
    for source in (source for _, sources in needed for source in sources if source.is_file()):
        ends = itertools.chain([""], (f"_{number}" for number in itertools.count(2)))
        for end in ends:
            name = f"{source.stem}{end}{source.suffix}"
            if named.setdefault(name, source).resolve() == source.resolve():
                break
    return named


def _put_beside(target: Path, named: dict[str, Path]) -> None:
    folder = _folder_of(target)
    if named:
        folder.mkdir(exist_ok=True)
    for name, file in named.items():
        # Not over the file in place: a process that has it loaded would lose its code.
        fresh = folder / f".{name}.new"
        shutil.copyfile(file, fresh)
        fresh.replace(folder / name)


def _module_of(lab: Lab, result: Result) -> Built | None:
    files = lab.source_files(result.variant)
    if not files:
        return None
    return compile(
        files,
        flags=[str(flag) for flag in lab.flags],
        python=facts_of(result)["python"] or None,
        sanitizer=result.sanitizer,
    )


def script(lab: Lab, result: Result, file: str = "repro.py") -> str:
    """The script's text.

    Raises:
        ValueError: a callable's source cannot be found, or it depends on what cannot be written down.
    """
    writer = _Writer()
    cast = lab.cast(result.threads)
    built = _module_of(lab, result)
    name = built.name if built else next(iter(lab.modules), None)
    actors = [writer.actor(lab, actor) for actor in cast]
    setup = writer.setup(lab)
    observe = writer.observe(lab)
    return _TEMPLATE.format(
        head=MARKER,
        about=_quoted(f"{result.title}: {lab.question or 'a race'}"),
        file=file,
        files=f"{Path(file).stem}_files",
        python=interpreter_of(result),
        seen=_quoted("\n".join(f"Seen by racelab: {line}" for line in _seen(result))),
        name=name,
        threads=result.threads,
        cold=result.mode == "cold",
        grades={label: grade.name for label, grade in lab.outcomes.items()},
        free_threaded=result.gil is False,
        definitions="\n\n".join(writer.definitions.values()),
        setup=setup,
        actors=", ".join(actors),
        bursts=[actor.burst for actor in cast],
        observe=observe,
    )


def interpreter_of(result: Result) -> str:
    """Full path of the interpreter that a race was run with, for the line that says how to run its script."""
    return str(facts_of(result)["python"] or sys.executable)


def _quoted(text: str) -> str:
    """Text as it may stand in a docstring."""
    return text.replace("\\", r"\\").replace('"""', r"\"\"\"")


def _seen(result: Result) -> Iterator[str]:
    for label, count in result.outcomes.items():
        grade = "  FORBIDDEN" if label in result.forbidden else ""
        yield f"{label}: {count:,}{grade}"
    if not result.forbidden:
        yield "nothing forbidden; this script was asked for all the same."
    yield result.conditions()


class _Writer:
    """Collects the definitions that the lab's callables need."""

    def __init__(self) -> None:
        self.definitions: dict[str, str] = {}

    def setup(self, lab: Lab) -> str:
        """An expression for a callable without arguments."""
        if lab.setup is None:
            return "lambda: None"
        if isinstance(lab.setup, str):
            return f"module.{lab.setup}"
        wanted = _required(lab.setup)
        name = self.reference(lab.setup)
        return f"lambda: {name}(module)" if wanted == 1 else name

    def actor(self, lab: Lab, actor: Actor) -> str:
        """An expression for a callable of one argument, the state."""
        more = "".join(f", {value!r}" for value in actor.args)
        if isinstance(actor.body, str):
            where = "state" if lab.setup is not None else "module"
            return f"lambda state: {where}.{actor.body}({more.removeprefix(', ')})"
        name = self.reference(actor.body)
        given = f"state{more}" if lab.setup is not None else more.removeprefix(", ")
        return f"lambda state: {name}({given})"

    def observe(self, lab: Lab) -> str:
        """The definition of `observe`."""
        if isinstance(lab.observe, Invariant) and lab.observe.check is not None:
            name = self.reference(lab.observe.check)
            return _INVARIANT.format(
                check=name,
                takes=lab.observe.takes,
                failed=Invariant.FAILED,
                holds=Invariant.HOLDS,
            )
        if isinstance(lab.observe, Invariant):
            body = repr(Invariant.HOLDS)
        elif lab.observe is None:
            body = "', '.join(map(repr, returned))"
        elif isinstance(lab.observe, str):
            body = f"repr(state.{lab.observe})"
        else:
            body = f"{self.reference(lab.observe)}(state, returned, threads)"
        return f"\n\ndef observe_round(state, returned, threads):\n    return {body}"

    def reference(self, function: Any) -> str:
        """The name of a callable, defined at the top of the script."""
        if not isinstance(function, FunctionType):
            where = getattr(function, "__module__", None)
            name = getattr(function, "__qualname__", "")
            if not where or not name or "<" in name:
                raise ValueError(f"{function!r} cannot be written into a script; use a function.")
            self.definitions.setdefault(where, f"import {where}")
            return name if where == "builtins" else f"{where}.{name}"
        name = (
            function.__name__
            if function.__name__.isidentifier()
            else f"function_{len(self.definitions)}"
        )
        if name in _OWN:
            raise ValueError(
                f"the script has a {name} of its own: give your function another name."
            )
        if name not in self.definitions:
            self.definitions[name] = ""  # it may refer to itself
            self._needs(function)
            text = self.definitions.pop(name) or _source(function, name)
            self.definitions[name] = text
        return name

    def _needs(self, function: FunctionType) -> None:
        free = dict(zip(function.__code__.co_freevars, function.__closure__ or (), strict=False))
        for name, cell in free.items():
            self._value(function, name, cell.cell_contents)
        for name in _names(function.__code__):
            # pytest puts names of its own, which are no identifiers, into a test file's functions.
            if name in function.__globals__ and name.isidentifier():
                self._value(function, name, function.__globals__[name])

    def _value(self, function: FunctionType, name: str, value: Any) -> None:
        if name in self.definitions:
            return
        if isinstance(value, ModuleType):
            self.definitions[name] = f"import {value.__name__} as {name}"
        elif isinstance(value, FunctionType):
            self.reference(value)
        elif _is_literal(value):
            self.definitions[name] = f"{name} = {value!r}"
        elif isinstance(value, type) and value.__module__ != "__main__":
            self.definitions[name] = (
                f"from {value.__module__} import {value.__qualname__} as {name}"
            )
        else:
            raise ValueError(
                f"{function.__qualname__} uses {name}, a {type(value).__name__} that a script cannot hold; "
                "make it in the setup, or in a module."
            )


def _is_literal(value: Any) -> bool:
    """Whether a value's repr in a script makes the same value again."""
    try:
        return bool(ast.literal_eval(repr(value)) == value)
    except (ValueError, SyntaxError, TypeError, RecursionError):
        return False


def _names(code: CodeType) -> Iterator[str]:
    yield from code.co_names
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield from _names(constant)


def _required(function: Callable[..., object]) -> int:
    try:
        parameters = inspect.signature(function).parameters.values()
    except (TypeError, ValueError):  # most types written in C have no text signature
        return 0
    return sum(p.default is p.empty and p.kind <= p.POSITIONAL_OR_KEYWORD for p in parameters)


def _source(function: FunctionType, name: str) -> str:
    """The function's definition; a lambda gets a name."""
    try:
        lines, start = inspect.findsource(function)
    except (OSError, TypeError) as error:
        raise ValueError(
            f"the source of {function.__qualname__} cannot be found: {error}."
        ) from error
    text = "".join(lines)
    for node in ast.walk(ast.parse(text)):
        if _is(node, function):
            found = ast.get_source_segment(text, node) or ""
            if isinstance(node, ast.Lambda):
                return f"{name} = (\n    {found}\n)"
            return textwrap.dedent(" " * node.col_offset + found)  # type: ignore[attr-defined]
    raise ValueError(f"{function.__qualname__} is not at line {start + 1} of its file any more.")


def _is(node: ast.AST, function: FunctionType) -> bool:
    if not isinstance(node, (ast.Lambda, ast.FunctionDef)):
        return False
    first = min([node.lineno, *(d.lineno for d in getattr(node, "decorator_list", ()))])
    named = [arg.arg for arg in (*node.args.posonlyargs, *node.args.args)]
    same_name = isinstance(node, ast.Lambda) or node.name == function.__name__
    return (
        first == function.__code__.co_firstlineno
        and named == list(function.__code__.co_varnames[: function.__code__.co_argcount])
        and same_name
    )
