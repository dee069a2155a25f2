"""What a check found: its steps, its verdict, and how both are shown in a terminal, a notebook and as JSON."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple

from racelab.runner import rows_to_html

__all__ = ["Step", "Verdict", "Word"]

Word = Literal["PASS", "FAIL", "INCONCLUSIVE"]
_EXIT = {"PASS": 0, "FAIL": 1, "INCONCLUSIVE": 3}
#: How a verdict asks for more time, as it is typed in a terminal.
_MORE_TIME = re.compile(r"--seconds (\d+(?:\.\d+)?)")


class Step(NamedTuple):
    """One line of a verdict."""

    name: str
    text: str


@dataclass(frozen=True)
class Verdict:
    """What a check found.

    Attributes:
        exercise: its slug.
        verdict: "PASS", "FAIL" or "INCONCLUSIVE".
        reason: one word for machines: "right", "compile", "single", "trial", "race", "gil", "cost",
            "sanitizer", "tampered", "no-power", "no-race-point", "too-slow".
        steps: what was done, in order, and what it showed.
        says: the bound that a PASS proves; or what to do next.
        widened: the verdict rests on runs with race points held open.
        failed, rounds: of the answer.
        power_failed, power_rounds: of the starter, under the same settings.
        power_interval: both ends of the 95 % interval of the starter's rate; () where it was not raced.
        unit: what is counted: "round", or "repetition" where each round is a process of its own.
        conditions: interpreter, GIL, cores, threads.
        seconds: how long the check took.
        answer: a hash of the text that was judged: whether it has changed since the last check.
    """

    exercise: str
    verdict: Word
    reason: str
    steps: tuple[Step, ...]
    says: str
    widened: bool = False
    failed: int = 0
    rounds: int = 0
    power_failed: int = 0
    power_rounds: int = 0
    power_interval: tuple[float, ...] = ()
    unit: str = "round"
    conditions: str = ""
    seconds: float = 0.0
    answer: str = ""

    @property
    def exit_status(self) -> int:
        """0 PASS, 1 FAIL, 3 INCONCLUSIVE."""
        return _EXIT[self.verdict]

    @property
    def _word(self) -> str:
        return f"{self.verdict} (widened)" if self.widened else self.verdict

    def _rows(self) -> list[tuple[str, str]]:
        return [*self.steps, (self._word, self.says)]

    def __str__(self) -> str:
        width = max(12, len(self.exercise), *(len(name) + 2 for name, _ in self._rows())) + 2
        lines = [f"{self.exercise:<{width}}{self.conditions}, {self.seconds:.0f} s"]
        for name, text in self._rows():
            shown = name if name == self._word else f"  {name}"
            lines.append(f"{shown:<{width}}" + text.replace("\n", "\n" + " " * width))
        return "\n".join(lines)

    def _repr_pretty_(self, printer: Any, cycle: bool) -> None:
        printer.text(str(self) if not cycle else "Verdict(...)")

    def _repr_html_(self) -> str:
        caption = f"{self.exercise}: {self._word} ({self.conditions}, {self.seconds:.0f} s)"
        rows = [(name, self._in_a_notebook(text)) for name, text in self._rows()]
        return f'<div role="status">{rows_to_html(rows, caption)}</div>'

    def _in_a_notebook(self, text: str) -> str:
        """What is typed in a terminal has a twin in a notebook."""
        slug = self.exercise
        text = text.replace(f"racelab hint {slug}", f'rl.hint("{slug}")')
        return _MORE_TIME.sub(
            rf'rl.check("{slug}", seconds=\1), or %%check {slug} --seconds \1', text
        )

    def as_json(self) -> dict[str, Any]:
        """What `racelab check --json` prints."""
        return {
            "exercise": self.exercise,
            "verdict": self.verdict,
            "reason": self.reason,
            "says": self.says,
            "steps": [list(step) for step in self.steps],
            "widened": self.widened,
            "failed": self.failed,
            "rounds": self.rounds,
            "power_failed": self.power_failed,
            "power_rounds": self.power_rounds,
            "unit": self.unit,
            "conditions": self.conditions,
            "seconds": round(self.seconds, 2),
        }
