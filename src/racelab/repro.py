"""Write a script that reproduces a race with nothing but Python and the module."""

from __future__ import annotations

import ast
import contextlib
import dis
import hashlib
import importlib
import inspect
import itertools
import json
import re
import shutil
import subprocess
import sys
import textwrap
from collections.abc import Callable, Iterable, Iterator
from importlib.machinery import EXTENSION_SUFFIXES
from pathlib import Path
from types import CodeType, FunctionType, ModuleType
from typing import Any, TypeGuard

from racelab.build import Built, compile, loaded_modules
from racelab.lab import Actor, Invariant, Lab
from racelab.lastrace import facts_of
from racelab.result import Result

__all__ = ["check_target", "give_back", "interpreter_of", "reserve", "save", "script"]

#: First line of every script that we write: what lacks it is somebody else's, and is never overwritten.
MARKER = "# Written by racelab to show a race again. racelab may overwrite this file."
#: Start of the line that lists what we put into the folder beside a script, each with its SHA-256.
_LIST = "# Beside it: "
#: Start of the line that says whose script it is.
_OF = "# Of: "
_HEAD_LINES = 3

_TEMPLATE = '''\
{head}
"""{about}

Stand-alone: needs Python and the module, nothing else. It shows the race more slowly than racelab,
whose C core releases threads more sharply, and it may crash or hang: that is what it is for.

    {python} {file} [SECONDS] [MODULE.so]

Exit status: 0 nothing forbidden was seen, 1 something forbidden was seen, 2 it could not be run.
{setting}
{seen}
"""

from __future__ import annotations

import collections
import importlib
import importlib.util
import os
import re
import sys
import sysconfig
import threading
import time
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
GIL = {gil!r}
WIDENED = {widened}
SEEN = 97 if COLD else 1  # a child's own, which no other failure has

if {free_threaded} and not sysconfig.get_config_var("Py_GIL_DISABLED"):
    print(
        f"{{sys.executable}} is a Python with a GIL: run this with {python}, or another free-threaded one.",
        file=sys.stderr,
    )
    sys.exit(2)


def could_not_run(kind, error, trace):
    """A failure of this script's own is no outcome: it has a status of its own."""
    sys.__excepthook__(kind, error, trace)
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(130 if issubclass(kind, KeyboardInterrupt) else 2)


if __name__ == "__main__":
    sys.excepthook = could_not_run
    if GIL is not None and sys._xoptions.get("gil") != GIL:
        os.execv(sys.executable, [sys.executable, "-X", f"gil={{GIL}}", *sys.orig_argv[1:]])
    if WIDENED:
        os.environ["RACELAB_WIDEN"] = "1"
    else:
        os.environ.pop("RACELAB_WIDEN", None)


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
        if status not in (0, SEEN) and status > 0:
            print(f"The last of {{number:,}} processes could not run: exit status {{status}}.", file=sys.stderr)
            sys.exit(2)
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
    seen = collections.Counter()
    end = time.monotonic() + SECONDS
    while True:
        race_batch(seen)
        if COLD or any(grade_of(name) == "FORBIDDEN" for name in seen) or time.monotonic() >= end:
            break
    for name, count in seen.most_common():
        if COLD and grade_of(name) != "FORBIDDEN":
            continue
        print(f"{{count:>10,}}  {{name}}{{'  FORBIDDEN' if grade_of(name) == 'FORBIDDEN' else ''}}")
    return SEEN if any(grade_of(name) == "FORBIDDEN" for name in seen) else 0


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
    *re.findall(r"^([A-Z]+) = ", _TEMPLATE, re.M),
}
#: What the script imports: a lab may mean the same by these names, and nothing else.
_IMPORTED = {
    **{
        name: importlib.import_module(name)
        for name in re.findall(r"^import (\w+)$", _TEMPLATE, re.M)
    },
    "Path": Path,
}

_WHICH_ARE_NOT_THERE = """
import importlib.util, sys
for name in sys.argv[1:]:
    try:
        found = importlib.util.find_spec(name)
    except (ImportError, ValueError):
        found = None
    if found is None:
        print(name)
"""

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
    of: str = "",
) -> Path:
    """Write the script for a race that was run, and beside it the modules that racelab has compiled for it.

    They go with their sources into a folder named after the script: ``races/race_add_files/``.

    Args:
        path: where the script goes. A file that we did not write, or that was changed since, is never
            overwritten; nor is one in the folder beside it.
        lab: what was raced.
        result: what came of it; also if nothing forbidden was seen.
        modules: what the race was given besides the lab's own.
        of: whose script it is, such as a test's node id; see `reserve`.

    Raises:
        BuildError: the lab's module does not compile any more.
        ValueError: the lab's callables cannot be written down, or a file cannot be written.
    """
    target = Path(path)
    check_target(target)
    text, imports = _write(lab, result, target.name)
    named = _named(_needed(lab, result, modules, text))
    beside = {name.partition(".")[0] for name in named}
    _must_be_there(
        {where: what for where, what in imports.items() if where not in beside},
        interpreter_of(result),
        target.parent,
    )
    try:
        listed = {name: _digest(file) for name, file in named.items()}
        head = f"{_head(of)}{_LIST}{json.dumps(listed, sort_keys=True)}"
        # The list first: what we put beside it must be known as ours even if the disk is full then.
        target.write_text(text.replace(MARKER, head, 1), encoding="utf-8")
        _put_beside(target, named)
    except OSError as error:
        raise ValueError(
            f"{error.filename or target} cannot be written: {error.strerror}."
        ) from error
    return target


def _must_be_there(imports: dict[str, str], python: str, folder: Path) -> None:
    """Refuse a script that could not start: ask its interpreter, from its folder, for what it imports."""
    if not imports:
        return
    try:
        asked = subprocess.run(
            [python, "-c", _WHICH_ARE_NOT_THERE, *imports],
            cwd=folder, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=60, check=False,
        )  # fmt: skip
    except subprocess.TimeoutExpired as error:
        raise ValueError(
            f"{python} does not say within 60 s what it can import; try it."
        ) from error
    for where in asked.stdout.splitlines():
        raise ValueError(
            f"the script needs {imports[where]} from {where}, which {python} does not find from {folder}: "
            "use a function that makes it, or put it into a module that is installed."
        )


def reserve(path: str | Path, of: str) -> bool:
    """Take a place for somebody's script; False if a script of somebody else stands there.

    A file that we did not write is nobody's script: `save` refuses it.
    """
    target = Path(path)
    try:
        with target.open("x", encoding="utf-8") as file:  # of processes at once, one makes it
            file.write(_head(of))
    except FileExistsError:
        with contextlib.suppress(OSError), target.open(encoding="utf-8", errors="replace") as file:
            start = "".join(itertools.islice(file, _HEAD_LINES))
            return start.startswith(_head(of)) or not start.startswith(f"{MARKER}\n")
    return True


def give_back(path: str | Path, of: str) -> None:
    """Remove what `reserve` has made, where no script came to stand there."""
    target = Path(path)
    with contextlib.suppress(OSError):
        if target.read_text(encoding="utf-8", errors="replace") == _head(of):
            target.unlink()


def _head(of: str) -> str:
    return f"{MARKER}\n{_OF}{of!a}\n" if of else f"{MARKER}\n"


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
    return _write(lab, result, file)[0]


def _write(lab: Lab, result: Result, file: str) -> tuple[str, dict[str, str]]:
    """The script's text, and what it imports on behalf of the lab: module to what is wanted of it."""
    writer = _Writer()
    cast = lab.cast(result.threads)
    built = _module_of(lab, result)
    name = built.name if built else next(iter(lab.modules), None)
    actors = [writer.actor(lab, actor) for actor in cast]
    setup = writer.setup(lab)
    observe = writer.observe(lab)
    text = _TEMPLATE.format(
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
        gil=None if result.gil is None else str(int(result.gil)),
        widened=result.widened,
        setting=_quoted("".join(f"{line}\n" for line in _settings(result))),
        definitions="\n\n".join([*writer.definitions.values(), *writer.aliases]),
        setup=setup,
        actors=", ".join(actors),
        bursts=[actor.burst for actor in cast],
        observe=observe,
    )
    return text, writer.imports


def interpreter_of(result: Result) -> str:
    """Full path of the interpreter that a race was run with, for the line that says how to run its script."""
    return str(facts_of(result)["python"] or sys.executable)


def _settings(result: Result) -> Iterator[str]:
    """How the script sets itself up as the race was, and what of that it cannot do."""
    if result.gil is not None:
        state = "on" if result.gil else "off"
        yield f"It starts itself again with -X gil={int(result.gil)}, because it was raced with the GIL {state}."
    if result.widened:
        yield "It sets RACELAB_WIDEN=1, because it was raced with its race points held open."
    if any(result.offsets_ns):
        delays = ", ".join(f"{ns:g}" for ns in result.offsets_ns)
        yield f"It was raced with delays of {delays} ns between the threads, which this script cannot make."


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
    """Collects the definitions that the lab's callables need; one name means one thing, or it refuses."""

    def __init__(self) -> None:
        self.definitions: dict[str, str] = {}
        self.aliases: list[str] = []  # last in the script: what they name is defined by then
        self.imports: dict[str, str] = {}
        self.held: dict[str, Any] = dict(_IMPORTED)

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
        for value in actor.args:
            if not _is_literal(value):
                raise ValueError(
                    f"the argument {value!r} of {actor.label} cannot be written into a script; "
                    "make it in the setup."
                )
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

    def reference(self, function: Any, wanted: str | None = None) -> str:
        """The name of a callable, defined at the top of the script; `wanted` is a further name for it."""
        if not isinstance(function, FunctionType):
            return self._imported(function)
        name = next((name for name, held in self.held.items() if _same(held, function)), None)
        if name is None:
            own = function.__code__.co_name
            name = own if own.isidentifier() else wanted or self._fresh()
            self._claim(name, function)
            self.definitions[name] = ""  # it may refer to itself
            self._needs(function)
            del self.definitions[name]
            self.definitions[name] = _source(function, name)
        if wanted not in (None, name) and self._claim(str(wanted), function):
            self.aliases.append(f"{wanted} = {name}")
        return name

    def _imported(self, value: Any) -> str:
        """An expression for what is not a function: it must be found where it says that it is."""
        where, name = getattr(value, "__module__", None), getattr(value, "__qualname__", "")
        if not where or not _is_at(value, where, name):
            raise ValueError(f"{value!r} cannot be written into a script; use a function.")
        if where == "builtins":
            return str(name)
        top = where.partition(".")[0]
        self._claim(top, sys.modules[top])
        self.definitions[where] = f"import {where}"
        self.imports[where] = name
        return f"{where}.{name}"

    def _fresh(self) -> str:
        names = (f"function_{number}" for number in itertools.count())
        return next(name for name in names if name not in self.held)

    def _claim(self, name: str, value: Any) -> bool:
        """Take a name for a value; returns whether it is new. A wrong script is worse than none."""
        if name in _OWN:
            raise ValueError(f"the script has a {name} of its own: give your {name} another name.")
        if name not in self.held:
            self.held[name] = value
            return True
        if not _same(self.held[name], value):
            raise ValueError(
                f"{name} would mean two different things in the script: give them different names, "
                "or hand what differs to the calls by Actor(..., args=(...,))."
            )
        return False

    def _needs(self, function: FunctionType) -> None:
        free = dict(zip(function.__code__.co_freevars, function.__closure__ or (), strict=False))
        for name, cell in free.items():
            try:
                self._value(function, name, cell.cell_contents)
            except ValueError as error:
                if str(error) != "Cell is empty":
                    raise
        for name in _names(function.__code__):
            # pytest puts names of its own, which are no identifiers, into a test file's functions.
            if name in function.__globals__ and name.isidentifier():
                self._value(function, name, function.__globals__[name])

    def _value(self, function: FunctionType, name: str, value: Any) -> None:
        if isinstance(value, FunctionType):
            self.reference(value, name)
            return
        if not self._claim(name, value):
            return
        where, own = getattr(value, "__module__", None), getattr(value, "__qualname__", "")
        if isinstance(value, ModuleType):
            self.definitions[name] = f"import {value.__name__} as {name}"
            self.imports[value.__name__] = "what it has"
        elif _is_literal(value):
            self.definitions[name] = f"{name} = {value!r}"
        elif isinstance(where, str) and "." not in own and _is_at(value, where, own):
            self.definitions[name] = f"from {where} import {own} as {name}"
            self.imports[where] = own
        else:
            raise ValueError(
                f"{function.__qualname__} uses {name}, a {type(value).__name__} that a script cannot hold; "
                "make it in the setup, or in a module."
            )


def _is_at(value: Any, where: str, name: str) -> bool:
    """Whether a value is what a module has under that name."""
    found: Any = sys.modules.get(where)
    for part in name.split("."):
        found = getattr(found, part, None)
    return found is value


def _same(one: Any, other: Any) -> bool:
    """Whether one definition can stand for both: the same thing, or two that nothing can tell apart."""
    if one is other:
        return True
    if isinstance(one, FunctionType) and isinstance(other, FunctionType):
        return (
            one.__code__ == other.__code__
            and one.__globals__ is other.__globals__
            and _alike(_cells(one), _cells(other))
            and _alike(_defaults(one), _defaults(other))
        )
    return _alike([one], [other])


def _alike(ones: list[Any], others: list[Any]) -> bool:
    """Whether values are the same things, or equal ones that cannot change."""
    return len(ones) == len(others) and all(
        a is b or (type(a) is type(b) and _is_constant(a) and repr(a) == repr(b))
        for a, b in zip(ones, others, strict=True)
    )


def _is_constant(value: Any) -> bool:
    try:
        hash(value)
    except TypeError:
        return False
    return _is_literal(value)


def _cells(function: FunctionType) -> list[Any]:
    return [cell.cell_contents for cell in function.__closure__ or ()]


def _defaults(function: FunctionType) -> list[Any]:
    return [*(function.__defaults__ or ()), *sorted((function.__kwdefaults__ or {}).items())]


def _is_literal(value: Any) -> bool:
    """Whether a value's repr in a script makes the same value again."""
    try:
        return bool(ast.literal_eval(repr(value)) == value)
    except (ValueError, SyntaxError, TypeError, RecursionError):
        return False


def _names(code: CodeType) -> Iterator[str]:
    """Global names of a function and of those in it; an attribute's name is none."""
    for step in dis.get_instructions(code):
        if step.opname in ("LOAD_GLOBAL", "LOAD_NAME", "STORE_GLOBAL", "DELETE_GLOBAL"):
            yield step.argval
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
    found = [node for node in ast.walk(ast.parse(text)) if _is(node, function)]
    if not found:
        raise ValueError(
            f"{function.__qualname__} is not at line {start + 1} of its file any more."
        )
    if len(found) > 1:
        raise ValueError(
            f"line {start + 1} of {function.__code__.co_filename} has several functions that look the same: "
            "put each on a line of its own."
        )
    return _written(found[0], text, function, name)


_Function = ast.Lambda | ast.FunctionDef


def _written(node: _Function, text: str, function: FunctionType, name: str) -> str:
    """The definition as it stands in its file, or with the values of its defaults where those have names."""
    values = [*(function.__defaults__ or ()), *(function.__kwdefaults__ or {}).values()]
    if not all(map(_is_literal, values)):
        raise ValueError(
            f"{function.__qualname__} has a default that a script cannot hold; make it in the setup."
        )
    given = [default for default in (*node.args.defaults, *node.args.kw_defaults) if default]
    found = ast.get_source_segment(text, node) or ""
    if [ast.unparse(default) for default in given] != [*map(repr, values)]:
        keywords = function.__kwdefaults__ or {}
        node.args.defaults = [_literal(value) for value in function.__defaults__ or ()]
        node.args.kw_defaults = [
            _literal(keywords[arg.arg]) if arg.arg in keywords else None
            for arg in node.args.kwonlyargs
        ]
        if isinstance(node, ast.FunctionDef):
            node.decorator_list = []
        found = ast.unparse(node)
    elif isinstance(node, ast.FunctionDef):
        found = textwrap.dedent(" " * node.col_offset + found)
    return f"{name} = (\n    {found}\n)" if isinstance(node, ast.Lambda) else found


def _literal(value: Any) -> ast.expr:
    return ast.parse(repr(value), mode="eval").body


def _is(node: ast.AST, function: FunctionType) -> TypeGuard[_Function]:
    """Whether a definition is the function's: lambdas of one line are told apart by their columns."""
    code = function.__code__
    if not isinstance(node, (ast.Lambda, ast.FunctionDef)):
        return False
    first = min([node.lineno, *(d.lineno for d in getattr(node, "decorator_list", ()))])
    named = [arg.arg for arg in (*node.args.posonlyargs, *node.args.args)]
    if first != code.co_firstlineno or named != list(code.co_varnames[: code.co_argcount]):
        return False
    if isinstance(node, ast.FunctionDef):
        return node.name == code.co_name
    return code.co_name == "<lambda>" and _is_body(node.body, code)


def _is_body(body: ast.expr, code: CodeType) -> bool:
    """Whether the widest of the code's positions is that of the expression; without columns, perhaps."""
    whole = (body.lineno, body.col_offset, body.end_lineno, body.end_col_offset)
    places = [
        (line, column, end, end_column)
        for line, end, column, end_column in code.co_positions()
        if None not in (line, end, column, end_column) and (line, column) != (end, end_column)
    ]
    return not places or whole in places
