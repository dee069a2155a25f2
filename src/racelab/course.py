"""What a learner has done so far: one small file in `work/`, written whole or not at all."""

from __future__ import annotations

import json
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from racelab.checking import Verdict
from racelab.classroom.client import hand_in
from racelab.exercise import Exercise, exercises_folder, work_folder
from racelab.files import write_whole

__all__ = ["Course", "Standing"]

FILE = "progress.json"


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
            found = json.loads(self.file.read_text(encoding="utf-8"))
        except FileNotFoundError:
            return {}
        except ValueError:
            # Kept for whoever wants to mend it by hand; a broken file must not stop anybody.
            self.file.replace(self.file.with_name(f"{FILE}.broken"))
            return {}
        return found if isinstance(found, dict) else {}

    def of(self, slug: str) -> Standing:
        """Where the learner stands with an exercise."""
        known = self._read().get(slug, {})
        names = Standing.__dataclass_fields__
        return Standing(**{key: value for key, value in known.items() if key in names})

    def note(self, verdict: Verdict) -> None:
        """Keep a verdict, and share it with the class if one was joined."""
        now = self.of(verdict.exercise)
        before = self._read().get(verdict.exercise, {}).get("answer")
        self._keep(
            verdict.exercise,
            verdict=verdict.verdict,
            passed=now.passed or verdict.verdict == "PASS",
            checks=now.checks + 1,
            tries=now.tries + (verdict.answer != before),
            answer=verdict.answer,
            date=time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
        )
        hand_in(verdict, self.file.parent)

    def next_hint(self, exercise: Exercise) -> str:
        """The next hint that was not shown yet, or the last one again, with its number."""
        number = min(self.of(exercise.slug).hints + 1, len(exercise.hints))
        self._keep(exercise.slug, hints=number)
        return f"Hint {number} of {len(exercise.hints)}: {exercise.hints[number - 1]}"

    def forget_hints(self, slug: str) -> None:
        """Begin with the first hint again."""
        self._keep(slug, hints=0)

    def _keep(self, slug: str, **facts: Any) -> None:
        known = self._read()
        known[slug] = {**known.get(slug, {}), **facts}
        write_whole(self.file, json.dumps(known, indent=1, sort_keys=True) + "\n")
