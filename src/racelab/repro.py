"""Write a script that reproduces a race with nothing but Python and the module."""

from __future__ import annotations

import ast
import inspect
import textwrap
from collections.abc import Callable, Iterator
from pathlib import Path
from types import CodeType, FunctionType, ModuleType
from typing import Any

from racelab.build import compile
from racelab.lab import Actor, Invariant, Lab
from racelab.result import Result

__all__ = ["save", "script"]

_TEMPLATE = '''\
"""{title}: {question}

Stand-alone: needs Python and the module, nothing else. It shows the race more slowly than racelab,
whose C core releases threads more sharply, and it may crash or hang: that is what it is for.

    python {file} [SECONDS] [MODULE.so]

{seen}
"""

from __future__ import annotations

import importlib
import importlib.util
import sys
import threading
import time
from collections import Counter

SECONDS = float(sys.argv[1]) if len(sys.argv) > 1 else 10.0
MODULE = sys.argv[2] if len(sys.argv) > 2 else {path!r}
NAME = {name!r}
THREADS = {threads}
BATCH = 1000
FORBIDDEN = {forbidden!r}


def load():
    """The module under study."""
    if MODULE is None:
        return importlib.import_module(NAME) if NAME else None
    spec = importlib.util.spec_from_file_location(NAME, MODULE)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


module = load()
{definitions}

setup = {setup}
actors = [{actors}]
bursts = {bursts}
{observe}


def call(body, state):
    """One call; an exception is what it returns."""
    try:
        return body(state)
    except Exception as error:
        return error


def act(me, states, turn, returned):
    """Meet the others before every round, then call."""
    others = [other for other in range(THREADS) if other != me]
    body = actors[me]
    for number, state in enumerate(states):
        turn[me] = number
        for other in others:
            while turn[other] < number:
                pass
        for _ in range(bursts[me]):
            returned[me].append(call(body, state))


def label(state, values):
    """What came out of a round."""
    for value in values:
        if isinstance(value, Exception):
            return f"error({{type(value).__name__}})"
    return str(observe(state, tuple(values), THREADS))


def batch(seen):
    """Race over fresh states, then look at each."""
    states = [setup() for _ in range(BATCH)]
    turn = [-1] * THREADS
    returned = [[] for _ in range(THREADS)]
    threads = [
        threading.Thread(target=act, args=(me, states, turn, returned)) for me in range(THREADS)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for number, state in enumerate(states):
        values = []
        for me in range(THREADS):
            values += returned[me][number * bursts[me] : (number + 1) * bursts[me]]
        seen[label(state, values)] += 1


def main():
    """Race until something forbidden was seen, or the time is over."""
    if getattr(sys, "_is_gil_enabled", lambda: True)():
        print("The GIL is on: most races of native code will not show.")
    seen = Counter()
    end = time.monotonic() + SECONDS
    while time.monotonic() < end:
        batch(seen)
        if any(seen[name] for name in seen if name in FORBIDDEN or name not in {known!r}):
            break
    for name, count in seen.most_common():
        print(f"{{count:>10,}}  {{name}}{{'  FORBIDDEN' if name in FORBIDDEN else ''}}")
    return 1 if any(name not in {known!r} for name in seen) else 0


sys.exit(main())
'''


_INVARIANT = '''

def observe(state, returned, threads):
    """Ask the check."""
    try:
        answer = {check}(*(state, returned, threads)[:{takes}])
    except AssertionError as error:
        said = str(error).partition("\\n")[0]
        return f"{failed}: {{said}}"[:100] if said else {failed!r}
    return {failed!r} if answer is False else {holds!r}'''


def save(path: str | Path, lab: Lab, result: Result) -> Path:
    """Write the script for a race that was run.

    Raises:
        ValueError: the lab's callables cannot be written down, or the file cannot be written.
    """
    target = Path(path)
    try:
        target.write_text(script(lab, result, target.name), encoding="utf-8")
    except OSError as error:
        raise ValueError(f"{target} cannot be written: {error.strerror}.") from error
    return target


def script(lab: Lab, result: Result, file: str = "repro.py") -> str:
    """The script's text.

    Raises:
        ValueError: a callable's source cannot be found, or it depends on what cannot be written down.
    """
    writer = _Writer()
    cast = lab.cast(result.threads)
    files = lab.source_files(result.variant)
    built = compile(files, flags=[str(flag) for flag in lab.flags]) if files else None
    name = built.name if built else next(iter(lab.modules), None)
    actors = [writer.actor(lab, actor) for actor in cast]
    setup = writer.setup(lab)
    observe = writer.observe(lab)
    seen = "\n".join(f"Seen by racelab: {line}" for line in _seen(result))
    return _TEMPLATE.format(
        title=result.title,
        question=lab.question,
        file=file,
        seen=seen,
        path=str(built.path) if built else None,
        name=name,
        threads=result.threads,
        forbidden=sorted(k for k, g in result.grades.items() if g.name == "FORBIDDEN"),
        known=sorted(
            k for k, g in result.grades.items() if g.name in ("ACCEPTABLE", "INTERESTING")
        ),
        definitions="\n\n".join(writer.definitions.values()),
        setup=setup,
        actors=", ".join(actors),
        bursts=[actor.burst for actor in cast],
        observe=observe,
    )


def _seen(result: Result) -> Iterator[str]:
    for label, count in result.outcomes.items():
        yield f"{label}: {count:,}"
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
        return f"\n\ndef observe(state, returned, threads):\n    return {body}"

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
        elif isinstance(value, (str, bytes, int, float, bool, tuple, type(None))):
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


def _names(code: CodeType) -> Iterator[str]:
    yield from code.co_names
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield from _names(constant)


def _required(function: Callable[..., object]) -> int:
    parameters = inspect.signature(function).parameters.values()
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
