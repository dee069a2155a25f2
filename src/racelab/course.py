"""What a learner has done so far: one small file in `work/`, written whole or not at all.

A panel, a terminal and `racelab watch` may all be at it: each change is made under a lock.
"""

from __future__ import annotations

import contextlib
import json
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from racelab import checking
from racelab.checking import SECONDS, Step, Verdict
from racelab.classroom.client import hand_in, send_waiting
from racelab.exercise import Exercise, exercises_folder, work_folder
from racelab.files import locked, write_whole

__all__ = ["MORE_TIME", "TIMES_MORE", "Course", "Standing"]

FILE = "progress.json"
#: Reasons of verdicts that more time may change, and how much more is offered.
MORE_TIME = ("no-power", "too-slow")
TIMES_MORE = 5


@dataclass(frozen=True)
class Standing:
    """Where a learner stands with one exercise.

    Attributes:
        verdict: the last one, or "" where none was given yet.
        passed: whether it was ever passed; a later FAIL does not take that away.
        checks: how many checks were made.
        hints: how many hints were shown.
        tries: how many answers were checked; the same one twice in a row counts once.
    """

    verdict: str = ""
    passed: bool = False
    checks: int = 0
    hints: int = 0
    tries: int = 0

    @property
    def word(self) -> str:
        """For lists: "passed", "tried" or ""."""
        return "passed" if self.passed else "tried" if self.checks else ""


class Course:
    """The learner's standing in all exercises, kept in `work/progress.json`.

    Args:
        folder: where the file is. Default: the book's `work`.
    """

    def __init__(self, folder: Path | None = None) -> None:
        self.file = (folder or work_folder(exercises_folder() / "any")) / FILE

    def _read(self) -> dict[str, dict[str, Any]]:
        try:
            return self._parsed()
        except ValueError:
            with locked(self.file):  # somebody else may have mended it meanwhile
                return self._mended()

    def _parsed(self) -> dict[str, dict[str, Any]]:
        try:
            found = json.loads(self.file.read_text(encoding="utf-8"))
        except FileNotFoundError:
            return {}
        return found if isinstance(found, dict) else {}

    def _mended(self) -> dict[str, dict[str, Any]]:
        try:
            return self._parsed()
        except ValueError:
            # Kept for whoever wants to mend it by hand; a broken file must not stop anybody.
            self.file.replace(self.file.with_name(f"{FILE}.broken"))
            return {}

    def of(self, slug: str) -> Standing:
        """Where the learner stands with an exercise."""
        return _standing(self._read().get(slug, {}))

    def check(
        self,
        exercise: Exercise,
        answer: Path | str | None = None,
        *,
        counts: bool | None = None,
        seconds: float = SECONDS,
        on_step: Callable[[Step], object] | None = None,
        on_doing: Callable[[str], object] | None = None,
    ) -> Verdict:
        """Judge an answer, and keep the verdict where it counts; arguments are those of `racelab.checking.check`.

        Args:
            counts: whether it is the learner's answer: the verdict is kept and shared, and what is said about a
                question depends on how many answers came before. Default: the learner's own copy counts.

        Raises:
            ExerciseError: there is nothing to judge yet; the message says what to do.
            RaceError: nothing can be raced here.
        """
        counts = answer is None if counts is None else counts
        send_waiting(self.file.parent)
        verdict = checking.check(
            exercise,
            answer,
            seconds=seconds,
            on_step=on_step,
            on_doing=on_doing,
            tries=self.of(exercise.slug).tries if counts else None,
        )
        if counts:
            self.note(verdict)
        return verdict

    def note(self, verdict: Verdict) -> None:
        """Keep a verdict, and share it with the class if one was joined."""
        with self._changed(verdict.exercise) as known:
            now = _standing(known)
            known.update(
                verdict=verdict.verdict,
                passed=now.passed or verdict.verdict == "PASS",
                checks=now.checks + 1,
                tries=now.tries + (verdict.answer != known.get("answer")),
                answer=verdict.answer,
                date=time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
            )
        hand_in(verdict, self.file.parent)

    def next_hint(self, exercise: Exercise) -> str:
        """The next hint that was not shown yet, or the last one again, with its number."""
        send_waiting(self.file.parent)
        with self._changed(exercise.slug) as known:
            number = min(_standing(known).hints + 1, len(exercise.hints))
            known["hints"] = number
        return f"Hint {number} of {len(exercise.hints)}: {exercise.hints[number - 1]}"

    def forget_hints(self, slug: str) -> None:
        """Begin with the first hint again."""
        with self._changed(slug) as known:
            known["hints"] = 0

    @contextlib.contextmanager
    def _changed(self, slug: str) -> Iterator[dict[str, Any]]:
        """What is known of an exercise, to be changed: nobody else reads it to change it meanwhile."""
        with locked(self.file):
            everything = self._mended()
            known = everything.setdefault(slug, {})
            yield known
            write_whole(self.file, json.dumps(everything, indent=1, sort_keys=True) + "\n")


def _standing(known: dict[str, Any]) -> Standing:
    names = Standing.__dataclass_fields__
    return Standing(**{key: value for key, value in known.items() if key in names})
