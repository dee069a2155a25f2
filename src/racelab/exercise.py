"""Exercises: one source each, from which the learner's starting point and every stored answer are made.

A folder `exercises/<slug>/` holds

- `exercise.py`, which declares an `Exercise`;
- `solution.<suffix>` (.c, .cpp, .pyx or .py), which works as it stands. What the learner shall find is between marks:

      // BEGIN STARTER
      // long seen = self->n;        (the learner's line, stored as a comment)
      // BEGIN SOLUTION
      self->n++;
      // END

  `#` takes the place of `//` in Python and Cython. STARTER may stand alone, and so may SOLUTION.
- `given.<suffix>`, where there is something to read and not to change: shown with the exercise;
- `wrong/<name>.<suffix>`, typical wrong answers: a comment that says which step of the checker catches it and what
  is wrong with it, then the blocks that take the place of the solution's, by number:

      // Caught by race.
      // Volatile: the read and the write are still two steps.
      // BEGIN 1
      static volatile long n;
      // END

Learners edit a copy in `work/<slug>/`, which git ignores: solving it breaks no test.
"""

from __future__ import annotations

import builtins
import difflib
import os
import re
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import ModuleType, NoneType
from typing import Any, Literal

from racelab.child import crash_handlers
from racelab.files import write_whole
from racelab.lab import Lab, load_file
from racelab.show import find_book

__all__ = [
    "Cost",
    "Exercise",
    "ExerciseError",
    "Trial",
    "Undecided",
    "exercises",
    "find_exercise",
    "load_exercise",
]

Level = Literal["easy", "medium", "hard"]
LEVELS: tuple[Level, ...] = ("easy", "medium", "hard")
_MARK = re.compile(r"^(?P<indent>\s*)(?P<comment>//|#) (?P<word>BEGIN \w+|END)\s*$")


class ExerciseError(ValueError):
    """An exercise cannot be found, started or checked; the message says what to do."""

    def _render_traceback_(self) -> list[str]:
        return [str(self)]


class Undecided(Exception):
    """What judges an answer raises this where the machine, not the answer, keeps it from judging.

    For `Exercise.single`, `Trial.run` and `Cost.body`: too little time to measure in, a clock that jumped, another
    process that took the cores. Its text says in one sentence what was seen. The verdict is INCONCLUSIVE, reason
    "too-slow", with that text and what to do. An answer that raises it turns a FAIL into that at best, never into a
    PASS.
    """


@dataclass(frozen=True)
class Cost:
    """A right answer may also have to be cheap.

    Attributes:
        body: what is timed: a callable that gets the module and returns a callable without arguments. Either may
            raise `Undecided`.
        limit: how many times as long as the stored solution an answer may take, per call.
        why: what the learner is told whose answer is right and dearer.
    """

    body: Callable[[Any], Callable[[], object]]
    limit: float
    why: str


@dataclass(frozen=True)
class Trial:
    """What a learner's *test* is tried on: it must fail where there is a bug, and only there.

    Attributes:
        name: what it is tried on, e.g. "a cache without a lock".
        run: gets the learner's module and tries its test once; raises if the test fails, or `Undecided`. In a child.
        fails: whether the test must fail on it.
        why: what the learner is told whose test does otherwise.
        runs: how often it is tried.
        enough: share of the runs in which a test that must fail has to fail.
    """

    name: str
    run: Callable[[Any], object]
    fails: bool
    why: str
    runs: int = 20
    enough: float = 0.9


@dataclass(frozen=True, eq=False)
class Exercise:
    """An exercise, declared.

    Attributes:
        slug: its name, a C identifier: the folder's, the learner's file's and the module's.
        title: what is to be done, a few words that begin with a verb.
        chapter: stem of the chapter it belongs to, e.g. "06_lost_update".
        level: "easy", "medium" or "hard".
        minutes: what a learner needs, 5 to 25.
        goal: what the repaired code does, one or two sentences.
        hints: from the first nudge to nearly everything.
        lab: the race that decides. It names no sources; its module is the learner's. None where there
            is nothing to race: a question to answer, a test to write.
        single: what must hold with one thread: gets the module, and fails by an assertion whose
            message says what was expected, or raises `Undecided`. It runs in a child.
        advice: label of a forbidden outcome -> the next step for a learner who sees it.
        cost: what it may cost, where the task says so.
        trials: where the answer is a test: what it is tried on.
        file: where it was declared, set by `load_exercise`.
    """

    slug: str
    title: str
    chapter: str
    level: Level
    minutes: int
    goal: str
    hints: Sequence[str]
    lab: Lab | None = None
    single: Callable[[Any], object] | None = None
    advice: Mapping[str, str] = field(default_factory=dict)
    cost: Cost | None = None
    trials: Sequence[Trial] = ()
    file: Path | None = None

    def __post_init__(self) -> None:
        if not re.fullmatch(r"[a-z][a-z0-9_]*", self.slug):
            raise ValueError(f"Exercise({self.slug!r}): a slug is small letters, digits and _.")
        if self.level not in LEVELS:
            raise ValueError(
                f"exercise {self.slug}: level={self.level!r} is not {', '.join(LEVELS)}."
            )
        if not 5 <= self.minutes <= 25:
            raise ValueError(f"exercise {self.slug}: minutes={self.minutes}: give 5 to 25.")
        if not self.hints or not all(hint.strip() for hint in self.hints):
            raise ValueError(f"exercise {self.slug}: give at least one hint, none of them empty.")
        if self.lab is None and self.single is None and not self.trials:
            raise ValueError(f"exercise {self.slug}: give a lab, `single` or trials: what decides?")
        if not self.goal.strip():
            raise ValueError(f"exercise {self.slug}: say in `goal` what the repaired code does.")

    def __str__(self) -> str:
        return self.slug

    def __repr__(self) -> str:
        return f"Exercise({self.slug!r})"

    @property
    def folder(self) -> Path:
        """The folder that it was declared in."""
        if self.file is None:
            raise ExerciseError(f"exercise {self.slug} was not loaded from a file.")
        return self.file.parent

    @property
    def source(self) -> Path:
        """The solution, with its marks.

        Raises:
            ExerciseError: there is none, or more than one.
        """
        found = sorted(self.folder.glob("solution.*"))
        if len(found) != 1:
            raise ExerciseError(f"{self.folder.name}: there must be one solution.<suffix>.")
        return found[0]

    @property
    def given(self) -> tuple[Path, ...]:
        """What the learner reads and does not change: `given.<suffix>`; none where nothing is."""
        return tuple(sorted(self.folder.glob("given.*")))

    @property
    def file_name(self) -> str:
        """What the learner's file is called."""
        return f"{self.slug}{self.source.suffix}"

    @property
    def learners(self) -> Path:
        """Where the learner's copy is, or will be."""
        return work_folder(self.folder) / self.slug / self.file_name

    def text(self, which: str = "starter") -> str:
        """The file as the learner gets it, as it is solved, or with a stored wrong answer.

        Args:
            which: "starter", "solution", or the name of a wrong answer.

        Raises:
            ExerciseError: there is no such wrong answer, or marks do not match.
        """
        if which in ("starter", "solution"):
            return render(self.source, which)
        file = self.wrong_file(which)
        return render(self.source, "solution", blocks_of(file))

    @property
    def wrong(self) -> tuple[str, ...]:
        """Names of the stored wrong answers."""
        return tuple(sorted(path.stem for path in self.folder.glob("wrong/*.*")))

    def wrong_file(self, name: str) -> Path:
        """The file of a wrong answer.

        Raises:
            ExerciseError: there is none of that name.
        """
        found = sorted(self.folder.glob(f"wrong/{name}.*"))
        if not found:
            known = ", ".join(self.wrong) or "none"
            raise ExerciseError(
                f"exercise {self.slug} has no wrong answer {name!r}; it has: {known}."
            )
        return found[0]

    def _comment(self, name: str) -> str:
        """The comment at the top of a wrong answer."""
        said = []
        for line in self.wrong_file(name).read_text(encoding="utf-8").splitlines():
            if _MARK.match(line) or not line.strip().startswith(("//", "#")):
                break
            said.append(line.strip().lstrip("/#").strip())
        return " ".join(said)

    def caught_by(self, name: str) -> str:
        """The `Verdict.reason` that a wrong answer ends with.

        Raises:
            ExerciseError: it does not say so.
        """
        found = re.match(r"Caught by ([a-z-]+)\.", self._comment(name))
        if found is None:
            raise ExerciseError(
                f"{self.slug}, wrong answer {name}: begin with a comment `Caught by <reason>.`"
            )
        return found[1]

    def why_wrong(self, name: str) -> str:
        """What is wrong with a wrong answer, in its own words."""
        return self._comment(name).partition(".")[2].strip()

    def difference(self, text: str, name: str) -> list[str]:
        """Lines of a diff that turns a text, called `name` there, into the stored solution; none if they agree."""
        solution = self.text("solution").rstrip().splitlines()
        return list(
            difflib.unified_diff(
                text.rstrip().splitlines(), solution, name, "one solution", lineterm=""
            )
        )

    def start(self) -> Path:
        """Make the learner's copy where there is none yet; returns where it is. An edited copy stays as it is."""
        if not self.learners.exists():
            write_whole(self.learners, self.text("starter"))
        return self.learners

    def reset(self) -> Path | None:
        """Put the starter back.

        Returns:
            Where the learner's edited text is kept; None where there was nothing to keep.
        """
        mine, kept = self.learners, None
        if mine.exists() and mine.read_text(encoding="utf-8", errors="replace") != self.text():
            old = mine.parent.glob(f"{mine.name}.before-reset-*")
            taken = [int(n) for one in old if (n := one.name.rpartition("-")[2]).isdecimal()]
            kept = mine.replace(
                mine.with_name(f"{mine.name}.before-reset-{max(taken, default=0) + 1}")
            )
        self.start()
        return kept


# ---------------------------------------------------------------------------------------------------
# Marks
# ---------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Line:
    """A line of a marked file and where it belongs: outside (block 0), or to a part of a block."""

    text: str
    block: int
    part: str
    comment: str = "//"


def _parse(path: Path) -> Iterator[_Line]:
    """Lines of a solution with the block (from 1) and part they belong to; marks are left out.

    Raises:
        ExerciseError: marks do not match; the message names file and line.
    """
    block, part = 0, ""
    for number, text in enumerate(path.read_text(encoding="utf-8").splitlines(), start=1):
        mark = _MARK.match(text)
        if mark is None:
            if re.search(r"\b(BEGIN (STARTER|SOLUTION)|END)\s*$", text) and "//" in text:
                raise ExerciseError(f"{path.name}:{number}: a mark stands alone on its line.")
            yield _Line(text, block if part else 0, part)
            continue
        word = mark["word"].removeprefix("BEGIN ")
        if word == "END":
            if not part:
                raise ExerciseError(f"{path.name}:{number}: END without BEGIN.")
            part = ""
        elif word in ("STARTER", "SOLUTION"):
            if part == word or (part and word == "STARTER"):
                raise ExerciseError(
                    f"{path.name}:{number}: BEGIN {word} inside of {part}; STARTER comes first, then SOLUTION."
                )
            block += 0 if part else 1
            part = word
        else:
            raise ExerciseError(f"{path.name}:{number}: BEGIN {word} is not STARTER or SOLUTION.")
    if part:
        raise ExerciseError(f"{path.name}: the last {part} has no END.")


def render(path: Path, which: str, blocks: Mapping[int, str] | None = None) -> str:
    """One reading of a marked file.

    Args:
        path: the marked file.
        which: "starter" or "solution".
        blocks: block number -> text that takes the place of the whole block.

    Raises:
        ExerciseError: marks do not match, a starter's line is no comment, or a number is no block's.
    """
    other = dict(blocks or {})
    known = {line.block for line in _parse(path)} - {0}
    for number in set(other) - known:
        raise ExerciseError(f"{path.name} has no block {number}; it has {len(known)}.")
    comment = "#" if path.suffix in (".py", ".pyx") else "//"
    kept: list[str] = []
    for line in _parse(path):
        if line.block in other:
            kept += other.pop(line.block).splitlines()
            known.discard(line.block)
        elif line.block and line.block not in known:
            continue  # replaced
        elif not line.part or (line.part == "SOLUTION" and which == "solution"):
            kept.append(line.text)
        elif line.part == "STARTER" and which == "starter":
            kept.append(_uncommented(line.text, comment, path))
    return "\n".join(kept) + "\n"


def _uncommented(text: str, comment: str, path: Path) -> str:
    found = re.match(rf"^(\s*){comment} ?(.*)$", text)
    if found is None:
        raise ExerciseError(
            f"{path.name}: a line of a STARTER block is stored as a comment: {text!r} is none."
        )
    return (found[1] + found[2]).rstrip()


def blocks_of(path: Path) -> dict[int, str]:
    """The blocks of a wrong answer: number -> text.

    Raises:
        ExerciseError: marks do not match; the message names file and line.
    """
    found: dict[int, list[str]] = {}
    inside: list[str] | None = None
    for number, text in enumerate(path.read_text(encoding="utf-8").splitlines(), start=1):
        mark = _MARK.match(text)
        if mark is None:
            if inside is not None:
                inside.append(text)
            continue
        word = mark["word"].removeprefix("BEGIN ")
        if word == "END" and inside is not None:
            inside = None
        elif word.isdigit() and inside is None and int(word) not in found:
            inside = found[int(word)] = []
        else:
            raise ExerciseError(
                f"{path.name}:{number}: blocks are BEGIN <number> ... END, each once."
            )
    if inside is not None or not found:
        raise ExerciseError(f"{path.name}: no block, or one without END.")
    return {number: "\n".join(lines) for number, lines in found.items()}


# ---------------------------------------------------------------------------------------------------
# Where they are
# ---------------------------------------------------------------------------------------------------


def exercises_folder() -> Path:
    """The book's `exercises`; see `racelab.show.find_book`.

    Raises:
        ExerciseError: there is none.
    """
    try:
        return find_book("exercises") / "exercises"
    except FileNotFoundError as error:
        raise ExerciseError(str(error)) from error


def work_folder(exercise_folder: Path) -> Path:
    """Where learners' copies are: RACELAB_WORK, else `work` beside `exercises`."""
    given = os.environ.get("RACELAB_WORK")
    return Path(given).resolve() if given else exercise_folder.parent.parent / "work"


def load_exercise(file: Path) -> Exercise:
    """The exercise that a file declares as `exercise`.

    Raises:
        ExerciseError: the file fails, or declares none.
    """
    try:
        module = load_file(file, "exercise")
    except ValueError as error:
        raise ExerciseError(str(error)) from error
    found = getattr(module, "exercise", None)
    if not isinstance(found, Exercise):
        raise ExerciseError(f"{file} declares no exercise: write `exercise = Exercise(...)`.")
    if found.slug != file.parent.name:
        raise ExerciseError(f"{file} declares {found.slug!r}; its folder is {file.parent.name!r}.")
    return replace(found, file=file.resolve())


def exercises(folder: Path | None = None) -> list[Exercise]:
    """Every exercise of the book, by chapter and then from easy to hard."""
    root = folder or exercises_folder()
    found = [load_exercise(file) for file in root.glob("*/exercise.py")]
    return sorted(found, key=lambda one: (one.chapter, LEVELS.index(one.level), one.slug))


def find_exercise(slug: str) -> Exercise:
    """The exercise of that name.

    Raises:
        ExerciseError: there is none; the message names those that are there.
    """
    root = exercises_folder()
    file = root / slug / "exercise.py"
    if re.fullmatch(r"\w+", slug) and file.is_file():
        return load_exercise(file)
    known = sorted(path.parent.name for path in root.glob("*/exercise.py"))
    near = difflib.get_close_matches(slug.lower().replace("-", "_"), known, 1)
    meant = f" (did you mean {near[0]}?)" if near else ""
    raise ExerciseError(
        f"there is no exercise {slug!r}{meant}; there are: {', '.join(known) or 'none yet'}."
    )


# ---------------------------------------------------------------------------------------------------
# In the child that judges
# ---------------------------------------------------------------------------------------------------


class Guard:
    """What judges an answer, as it was before the answer was imported: against tricks, not against attackers.

    Looks at builtins, at sys and racelab, at the file that declares the exercise and its classes, at the modules
    that this file uses, and at what happens on signals: whoever jumps out of a crash has mended nothing.
    """

    def __init__(self, exercise: Exercise) -> None:
        bodies: list[Any] = [exercise.single, *(trial.run for trial in exercise.trials)]
        bodies += [exercise.cost.body] if exercise.cost else []
        bodies += [exercise.lab.setup, exercise.lab.observe] if exercise.lab else []
        homes = [getattr(function, "__globals__", None) for function in bodies]
        self.homes = {str(home["__name__"]): home for home in homes if home is not None}
        modules = {"builtins", "sys"} | {
            name for name in sys.modules if name.startswith("racelab.")
        }
        for home in self.homes.values():
            modules |= {value.__name__ for value in home.values() if isinstance(value, ModuleType)}
        self.spaces: dict[str, Mapping[str, Any]] = {
            name: vars(sys.modules[name]) for name in sorted(modules) if name in sys.modules
        }
        for name, home in self.homes.items():
            classes = [value for value in home.values() if isinstance(value, type)]
            self.spaces |= {f"{name}.{one.__name__}": vars(one) for one in classes}
        self.handlers: dict[str, tuple[int, object]] = {}
        self.before = self._now()

    def _now(self) -> dict[str, Any]:
        found = {
            f"{space}.{name}": value
            for space, names in self.spaces.items()
            for name, value in list(names.items())
            if callable(value) and name != "_"
        }
        for space, names in self.homes.items():
            found |= {f"{space}.{name}": value for name, value in list(names.items())}
        return found | self._handlers()

    def _handlers(self) -> dict[str, Any]:
        """Which function a crash calls: the same object as before where it is the same address."""
        for name, address in crash_handlers().items():
            if self.handlers.get(name, (None,))[0] != address:
                self.handlers[name] = (address, object())
        return {name: token for name, (_, token) in self.handlers.items()}

    def changed(self) -> list[str]:
        """Names that are gone or mean something else now, and new ones that hide a builtin."""
        now = self._now()
        replaced = {name for name, value in self.before.items() if now.get(name) is not value}
        hiding = {
            f"{space}.{name}"
            for space, names in self.homes.items()
            for name in names
            if f"{space}.{name}" not in self.before and hasattr(builtins, name)
        }
        return sorted(replaced | hiding)


def where(error: BaseException, name: str) -> int | None:
    """The line at which an error was raised in the file of that name; None if it was raised elsewhere."""
    found = None
    at = error.__traceback__
    while at is not None:
        if Path(at.tb_frame.f_code.co_filename).name == name:
            found = at.tb_lineno
        at = at.tb_next
    return found


PLAIN = (bool, int, float, complex, str, bytes, NoneType)


def plain(module: Any) -> None:
    """See that answers are values: what equals everything would be right everywhere.

    Raises:
        AssertionError: one is not; the message names it.
    """
    for name, value in vars(module).items():
        if name.isupper():
            odd = _odd(value)
            assert odd is None, f"{name}: write a plain value, not {odd}"


def _odd(value: object) -> str | None:
    """What is no plain value in an answer; None if all of it is."""
    if type(value) in PLAIN:
        return None
    if type(value) is dict:
        parts: list[object] = [*value.keys(), *value.values()]
    elif type(value) in (list, tuple, set, frozenset):
        parts = list(value)  # type: ignore[call-overload]
    else:
        return f"a {type(value).__name__}"
    return next((odd for part in parts if (odd := _odd(part))), None)
