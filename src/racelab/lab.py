"""Declare a race: what is shared, who acts on it, what may come out and what must not.

    lab = Lab(
        "lost_update",
        question="Can two increments count as one?",
        sources=["lost_update_{variant}.c"],
        setup="Counter",
        actors=["bump", "bump"],
        threads=[2, 4, 8],
        observe=lambda c, returned, T: "all counted" if c.value == T else "updates lost",
        observe_key="value",
        outcomes={"all counted": ACCEPTABLE, "updates lost": FORBIDDEN("increments overwrote each other")},
    )

One declaration runs every variant: what is FORBIDDEN shows in `broken` and must not show in `fixed`.
"""

from __future__ import annotations

import difflib
import importlib.util
import re
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import ModuleType
from typing import Any, Literal, cast

__all__ = [
    "ACCEPTABLE",
    "FORBIDDEN",
    "INTERESTING",
    "NOT_RUN",
    "Actor",
    "Grade",
    "Invariant",
    "Lab",
    "find_lab",
    "labs",
    "load_labs",
]

Mode = Literal["rounds", "cold", "hang"]
MODES = ("rounds", "cold", "hang")
VARIANT = re.compile(r"(?:broken|fixed)(?:_\w+)?")

#: What is run where the lab says nothing else: rounds per repetition (None: by time), repetitions, seconds.
DEFAULTS: Mapping[str, tuple[int | None, int, float]] = {
    "rounds": (None, 10, 2.0),
    "cold": (1, 200, 10.0),
    "hang": (10_000, 3, 10.0),
}


@dataclass(frozen=True)
class Grade:
    """What we think of an outcome. Call it to say why: ``FORBIDDEN("an update was overwritten")``."""

    name: str
    text: str = ""

    def __call__(self, text: str) -> Grade:
        """The same grade, with a reason that the table prints."""
        return replace(self, text=text)

    def __str__(self) -> str:
        return self.name


ACCEPTABLE = Grade("ACCEPTABLE")
INTERESTING = Grade("INTERESTING")
FORBIDDEN = Grade("FORBIDDEN")
#: Of endings that say nothing about the code: never a pass, never a failure of it.
NOT_RUN = Grade("NOT-RUN", "says nothing about the code")

_NOT_RUN = ("not-run", "gil-enabled")


@dataclass(frozen=True)
class Actor:
    """What one thread does in a round.

    Attributes:
        body: an attribute name of the state, or a callable that gets the state. Where the lab has
            no setup: an attribute name of the module, or a callable without arguments.
        burst: calls per round, 1 or more, one after another. `observe` gets what each of them returned:
            see `Lab`.
        offset: delay after the release, ns.
        made_by: this actor's thread makes, grades and frees the states (an object freed by another
            thread than its maker waits in a queue). Such an actor is not repeated to fill threads.
        args: further arguments of every call.
    """

    body: str | Callable[..., object]
    burst: int = 1
    offset: float = 0.0
    made_by: bool = False
    args: tuple[Any, ...] = ()

    def __post_init__(self) -> None:
        if not (isinstance(self.body, str) or callable(self.body)):
            raise TypeError(f"Actor({self.body!r}): the body is an attribute's name or a callable.")
        if self.burst < 1:
            raise ValueError(f"Actor({self.label}, burst={self.burst}): a burst is 1 call or more.")

    @property
    def label(self) -> str:
        """The body's name, for tables and messages."""
        return (
            self.body if isinstance(self.body, str) else getattr(self.body, "__name__", "callable")
        )


Observe = Callable[[Any, Sequence[Any], int], str]


@dataclass(frozen=True, eq=False)
class Lab:
    """A race, declared.

    Attributes:
        name: its slug; also the stem of its modules.
        question: what the race answers, one sentence.
        sources: C, C++ or Cython files, relative to the lab's file; "{variant}" stands for the
            variant. All of them make one module, named after the first.
        modules: installed modules to import instead, e.g. ["numpy"].
        flags: more compiler flags.
        setup: makes the fresh state of a round: an attribute's name of the module, a callable without
            arguments, or a callable that takes the module. None: there is no state.
        actors: one per thread: names, callables or `Actor`s. They repeat to fill more threads.
        threads: the numbers of threads it may be run with; the first is the default.
        observe: names what came out of a round: ``observe(state, returned, threads) -> label``, an
            attribute's name of the state, or None for the returned values themselves. `returned` is one
            flat tuple: all calls of the first thread's burst in their order, then those of the second,
            and so on; with bursts of 3 and 1 it has four entries, and the last is the second actor's.
        observe_key: attributes of the state that a callable `observe` depends on, and on nothing else
            but the returned values. It is then called once per distinct combination: much faster.
        outcomes: label to grade; a ``*`` in a label stands for anything, but for "not-run" and
            "gil-enabled", which say nothing about the code. Undeclared is FORBIDDEN.
        mode: "rounds" (many rounds, one process), "cold" (one round per process), "hang".
        rounds, count, seconds: defaults for a run; see `race`.
        stall_s: seconds without progress and without CPU time that count as a deadlock.
        parallel: whether several repetitions may run at once where cores allow.
        variants: where there is no "{variant}" in sources: what the lab answers to, if anything.
        file: the file that it was loaded from, set by `load_labs`.
    """

    name: str
    question: str = ""
    sources: Sequence[str | Path] = ()
    modules: Sequence[str] = ()
    flags: Sequence[str] = ()
    setup: str | Callable[..., object] | None = None
    actors: Sequence[str | Callable[..., object] | Actor] = ()
    threads: Sequence[int] | int = (2,)
    observe: str | Observe | None = None
    observe_key: str | Sequence[str] | None = None
    outcomes: Mapping[str, Grade] = field(default_factory=dict)
    mode: Mode = "rounds"
    rounds: int | None = None
    count: int | None = None
    seconds: float | None = None
    stall_s: float = 1.0
    parallel: bool = False
    variants: Sequence[str] = ()
    file: Path | None = None

    def __post_init__(self) -> None:
        set_ = object.__setattr__
        set_(self, "actors", tuple(a if isinstance(a, Actor) else Actor(a) for a in self.actors))
        threads = (self.threads,) if isinstance(self.threads, int) else tuple(self.threads)
        set_(self, "threads", threads)
        for name in ("sources", "modules", "flags", "variants"):
            value = getattr(self, name)
            set_(self, name, (value,) if isinstance(value, (str, Path)) else tuple(value))
        self._check()
        if not self.variants:
            set_(self, "variants", self._find_variants())

    def _check(self) -> None:
        if not re.fullmatch(r"[A-Za-z]\w*", self.name):
            raise ValueError(f"Lab({self.name!r}): a name is letters, digits and _.")
        if not self.actors:
            raise ValueError(f"lab {self.name}: no actors; give at least one.")
        for role in ("setup", "observe"):
            body = getattr(self, role)
            if not (body is None or isinstance(body, str) or callable(body)):
                raise TypeError(
                    f"lab {self.name}: {role}={body!r} is neither an attribute's name nor a callable."
                )
        if self.mode not in MODES:
            raise ValueError(
                f"lab {self.name}: mode={self.mode!r} is not one of {', '.join(MODES)}."
            )
        if not self.allowed_threads or min(self.allowed_threads) < len(self.actors):
            raise ValueError(
                f"lab {self.name}: threads={list(self.allowed_threads)}: each number must be at least "
                f"{len(self.actors)}, because there are {len(self.actors)} actors."
            )
        if sum(actor.made_by for actor in self.declared_actors) > 1:
            raise ValueError(
                f"lab {self.name}: made_by=True on more than one actor; one makes the states."
            )
        for label, grade in self.outcomes.items():
            if not isinstance(grade, Grade):
                raise TypeError(
                    f"lab {self.name}: outcome {label!r} is graded {grade!r}; "
                    "use ACCEPTABLE, INTERESTING or FORBIDDEN."
                )

    def __str__(self) -> str:
        return self.name

    def __repr__(self) -> str:
        return f"Lab({self.name!r})"

    @property
    def allowed_threads(self) -> tuple[int, ...]:
        """The numbers of threads it may be run with; the first is the default."""
        return cast("tuple[int, ...]", self.threads)

    @property
    def declared_actors(self) -> tuple[Actor, ...]:
        """The actors as declared, before they repeat to fill more threads."""
        return cast("tuple[Actor, ...]", self.actors)

    @property
    def folder(self) -> Path:
        """What its sources are relative to: the folder of its file, else the current one."""
        return self.file.parent if self.file else Path.cwd()

    @property
    def pair(self) -> tuple[Path, Path]:
        """First source of `broken` and of `fixed`."""
        return self.source_files("broken")[0], self.source_files("fixed")[0]

    def at(self, file: Path) -> Lab:
        """The same lab, loaded from `file`."""
        return replace(self, file=file, variants=() if self._templated() else self.variants)

    def _templated(self) -> bool:
        return any("{variant}" in str(source) for source in self.sources)

    def _find_variants(self) -> tuple[str, ...]:
        """Variants for which the first templated source is there: broken ones first."""
        for source in self.sources:
            if "{variant}" not in str(source):
                continue
            before, after = Path(source).name.split("{variant}")
            folder = self.folder / Path(source).parent
            found = [
                path.name[len(before) : len(path.name) - len(after)]
                for path in folder.glob(f"{before}*{after}")
            ]
            return tuple(sorted(name for name in found if VARIANT.fullmatch(name)))
        return ()

    def variant(self, wanted: str | None) -> str | None:
        """The variant to run: the one wanted, else broken, else the first; None where there are none.

        Raises:
            ValueError: the lab has no such variant; the message names those it has.
        """
        if wanted is None:
            return "broken" if "broken" in self.variants else next(iter(self.variants), None)
        if wanted not in self.variants:
            known = ", ".join(self.variants) or "none"
            how = "" if self.variants else self._how_to_have_variants(wanted)
            raise ValueError(f"lab {self.name} has no variant {wanted!r}; it has: {known}.{how}")
        return wanted

    def _how_to_have_variants(self, wanted: str) -> str:
        if not self.sources:
            return ""
        first = Path(self.sources[0])
        name = f"{first.stem}_{{variant}}{first.suffix}"
        file = name.replace("{variant}", wanted)
        return f" Put {{variant}} into sources: {name}, and the variant into {file}."

    def source_files(self, variant: str | None) -> list[Path]:
        """The files that make the module of a variant."""
        return [
            self.folder / str(source).replace("{variant}", variant or "") for source in self.sources
        ]

    def cast(self, threads: int) -> list[Actor]:
        """One actor for each thread: as declared, then repeated, but never the one that makes states.

        Raises:
            ValueError: the lab may not be run with so many threads.
        """
        if threads not in self.allowed_threads:
            known = ", ".join(map(str, self.allowed_threads))
            all_of_them = tuple(sorted({*self.allowed_threads, threads}))
            enough = threads >= len(self.declared_actors)
            step = f" Say threads={all_of_them} in the lab." if enough else ""
            raise ValueError(
                f"lab {self.name} is declared for {known} threads, not for {threads}.{step}"
            )
        actors = list(self.declared_actors)
        filling = [actor for actor in actors if not actor.made_by] or actors
        more = threads - len(actors)
        return actors + [filling[i % len(filling)] for i in range(more)]

    def grade(self, label: str) -> Grade:
        """Grade of a label. Undeclared ones are FORBIDDEN, but for endings that say nothing."""
        found = self.outcomes.get(label)
        if found is not None:
            return found
        if label.partition("(")[0] in _NOT_RUN:  # no pattern is meant for these
            return NOT_RUN
        for pattern, grade in self.outcomes.items():
            if "*" in pattern and fits(pattern, label):
                return grade
        return FORBIDDEN("not declared by the lab")


def fits(pattern: str, label: str) -> bool:
    """Whether a label is one that a pattern means, in which a ``*`` stands for anything."""
    return re.fullmatch(re.escape(pattern).replace(r"\*", ".*"), label) is not None


class Invariant:
    """An `observe` that asks whether something holds after a round.

    Args:
        check: gets the state, or the state and the returned values, or also the number of threads.
            It says no by returning False or by failing an assertion. None: nothing is asked, so that
            only exceptions, crashes and hangs count.
    """

    HOLDS = "holds"
    FAILED = "check failed"

    def __init__(self, check: Callable[..., object] | None) -> None:
        import inspect

        self.check = check
        self.takes = 0
        if check is not None:
            kinds = [p.kind for p in inspect.signature(check).parameters.values()]
            self.takes = 3 if any(k == k.VAR_POSITIONAL for k in kinds) else min(3, len(kinds))

    def __call__(self, state: Any, returned: Sequence[Any], threads: int) -> str:
        """The label of a round."""
        if self.check is None:
            return self.HOLDS
        try:
            answer = self.check(*(state, returned, threads)[: self.takes])
        except AssertionError as error:
            said = str(error).partition("\n")[0]
            return f"{self.FAILED}: {said}"[:100] if said else self.FAILED
        return self.FAILED if answer is False else self.HOLDS


def load_labs(path: str | Path) -> list[Lab]:
    """All labs that a file declares at its top level, in order.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: the file fails, or declares no lab; the message says which.
    """
    file = Path(path).resolve()
    if not file.is_file():
        raise FileNotFoundError(f"{path}: there is no such lab file.")
    module = load_file(file, "lab")
    found: list[Lab] = []
    for value in vars(module).values():
        many = value if isinstance(value, (list, tuple)) else [value]
        found += [item for item in many if isinstance(item, Lab) and item not in found]
    if not found:
        raise ValueError(f"{path} declares no lab: write `lab = Lab(...)` at its top level.")
    loaded = [lab.at(file) for lab in found]
    for lab in loaded:
        # A child may load it from there too; a copy made by `replace` has no such mark.
        object.__setattr__(lab, "_loaded", True)
    return loaded


def load_file(file: Path, kind: str) -> ModuleType:
    """Run a file that declares something, a lab or an exercise, as a module of its own.

    A file that has not changed is run once: what it declared before must stay what is found under its name, else its
    callables could no longer be pickled by name, and with them everything that they use would be.

    Raises:
        ValueError: it is no Python file, or it fails; the message says which.
    """
    name = f"racelab_{kind}_{file.parent.name}_{file.stem}"
    spec = importlib.util.spec_from_file_location(name, file)
    if spec is None or spec.loader is None:
        raise ValueError(f"{file} is no Python file: a {kind} file ends in .py.")
    try:
        status = file.stat()
    except OSError as error:
        raise ValueError(f"{file} cannot be read: {error.strerror}.") from error
    stamp = (str(file), status.st_mtime_ns, status.st_size, status.st_ino)
    known = sys.modules.get(name)
    if known is not None and getattr(known, "__racelab_stamp__", None) == stamp:
        return known
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module  # so that its callables can be pickled by name
    try:
        spec.loader.exec_module(module)
    except Exception as error:
        del sys.modules[name]
        raise ValueError(f"{file} fails: {type(error).__name__}: {error}") from error
    vars(module)["__racelab_stamp__"] = stamp
    return module


def labs(folder: str | Path | None = None) -> list[Lab]:
    """Every lab of the book: those in ``ext/*/lab.py``, by name.

    Args:
        folder: where to look instead of the book's `ext`.
    """
    from racelab.show import find_ext

    root = Path(folder) if folder is not None else find_ext()
    found = [lab for file in sorted(root.glob("*/lab.py")) for lab in load_labs(file)]
    return sorted(found, key=lambda lab: lab.name)


def find_lab(wanted: str | Path | Lab) -> Lab:
    """A lab by itself, by its name in the book, or by the file that declares it.

    Args:
        wanted: a `Lab`, a slug, ``file.py``, or ``file.py:name`` where a file declares several.

    Raises:
        FileNotFoundError, ValueError: there is none; the message names those that are there.
    """
    if isinstance(wanted, Lab):
        return wanted
    text = str(wanted)
    path, _, name = text.partition(".py:")
    if text.endswith(".py") or name:
        found = load_labs(path + (".py" if name else ""))
        return _choose(found, name, text)
    return _choose(_labs_near(text), text, text)


def _labs_near(name: str) -> Iterable[Lab]:
    """The labs of the folder of that name alone if it is there: no need to import all the others."""
    from racelab.show import find_ext

    file = find_ext() / name / "lab.py"
    near = load_labs(file) if file.is_file() else []
    return near if any(lab.name == name for lab in near) else labs()


def _choose(found: Iterable[Lab], name: str, wanted: str) -> Lab:
    candidates = list(found)
    if not name and len(candidates) == 1:
        return candidates[0]
    for lab in candidates:
        if lab.name == name:
            return lab
    known = ", ".join(lab.name for lab in candidates) or "none"
    if not name:
        raise ValueError(f"{wanted} declares several labs: {known}. Say which: {wanted}:NAME.")
    near = difflib.get_close_matches(name, [lab.name for lab in candidates], 1)
    if near:
        raise ValueError(f"there is no lab {name!r}; did you mean {near[0]!r}?")
    if wanted == name:  # of the book: a list of all would say nothing
        raise ValueError(
            f"{name} is no lab: give a lab's name (`racelab labs` lists them) or a Python file that declares one."
        )
    raise ValueError(f"there is no lab {name!r}; there are: {known}.")
