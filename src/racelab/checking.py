"""Check a learner's answer to an exercise: PASS with the bound it proves, FAIL with what was seen, or INCONCLUSIVE.

A clean run of an answer says something only if the same run would have caught the starter. So the checker
measures its own power first: it races the starter and the answer in turns, under the same settings, and
passes the answer when it has been clean for so many rounds that the starter, at the lower end of the rate
that it showed here and now, would have stayed silent with a chance below one in a million.

Every answer runs in children, watched, with a time limit; nothing is imported here.
"""

from __future__ import annotations

import builtins
import math
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, NamedTuple

from racelab import machine
from racelab.build import SUFFIXES, BuildError, Built, compile
from racelab.exercise import Exercise, ExerciseError, Trial, find_exercise
from racelab.lab import Lab, fits
from racelab.racing import RaceError, race, sanitizer_python
from racelab.result import Result, cores_words, merge
from racelab.runner import Ending, rows_to_html, run_child
from racelab.stats import plan, zero_failure_bound

__all__ = ["Step", "Verdict", "check"]

Word = Literal["PASS", "FAIL", "INCONCLUSIVE"]
_EXIT = {"PASS": 0, "FAIL": 1, "INCONCLUSIVE": 3}

#: Chance that the starter would have been silent as long as an answer that passes.
CHANCE = 1e-6
#: A starter that shows nothing for so long is raced with its race points held open.
POWER_S = 4.0
SLICE_S = 0.8
SECONDS = 20.0
#: With one thread an answer has so long before it counts as one that does not end.
SINGLE_S = 8.0
#: An answer is also raced a little with its race points held open, which half a repair rarely survives.
WIDENED_ROUNDS = 150
#: The starter's rate is trusted once so many rounds have failed, or repetitions where a round may end one.
ENOUGH_FAILURES = 5
#: A module under judgement: compiled, or a Python file.
_Module = Built | Path
COST_CALLS = 20_000
#: A half repair fails more rarely than the starter: an answer is raced at least so often.
AT_LEAST = {"rounds": 3_000, "cold": 100, "hang": 5}
#: The same with the window held open, where each round takes longer and shows more.
AT_LEAST_WIDENED = {"rounds": 300, "cold": 30, "hang": 3}


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
        unit: what is counted: "round", or "repetition" where each round is a process of its own.
        conditions: interpreter, GIL, cores, threads.
        seconds: how long the check took.
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
    unit: str = "round"
    conditions: str = ""
    seconds: float = 0.0

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
        return f'<div role="status">{rows_to_html(self._rows(), caption)}</div>'

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


def check(
    exercise: Exercise | str,
    answer: Path | str | None = None,
    *,
    seconds: float = SECONDS,
    on_step: Callable[[Step], object] | None = None,
) -> Verdict:
    """Judge an answer to an exercise.

    Args:
        exercise: an `Exercise` or its slug.
        answer: the file to judge, or source text (with a line break in it). Default: the learner's copy in `work/`.
        seconds: time for racing; compiling and the other steps come on top of it.
        on_step: called with each `Step` as soon as it is known.

    Returns:
        Verdict: prints as a few lines. PASS always names the bound that it proves.

    Raises:
        ExerciseError: there is no such exercise, or nothing to judge yet; the message says what to do.
        RaceError: nothing can be raced here.
    """
    chosen = find_exercise(exercise) if isinstance(exercise, str) else exercise
    if not seconds > 0:
        raise ExerciseError(f"seconds={seconds}: give a number of seconds above 0.")
    return _Check(chosen, answer, seconds, on_step).run()


class _Stop(Exception):
    """The verdict is known."""

    def __init__(self, verdict: Word, reason: str, says: str) -> None:
        super().__init__(says)
        self.verdict: Word = verdict
        self.reason = reason
        self.says = says


@dataclass
class _Count:
    """What was seen of one module so far."""

    result: Result | None = None

    def add(self, seen: Result) -> None:
        self.result = seen if self.result is None else merge([self.result, seen])

    @property
    def cold(self) -> bool:
        return self.result is not None and self.result.mode != "rounds"

    @property
    def failed(self) -> int:
        if self.result is None:
            return 0
        return self.result.failed_repetitions if self.cold else self.result.failed_rounds

    @property
    def runs(self) -> int:
        if self.result is None:
            return 0
        ended = sum(r.ending != "ok" for r in self.result.ran)
        return len(self.result.ran) if self.cold else self.result.rounds + ended

    @property
    def low(self) -> float:
        """Lower end of the rate; 0 where nothing failed."""
        if self.result is None or not self.failed:
            return 0.0
        rate = self.result.rate_per_repetition if self.cold else self.result.rate_per_round
        return (rate.low or rate.estimate / 10) if rate else 0.0


@dataclass
class _Check:
    """One check, step by step."""

    exercise: Exercise
    given: Path | str | None
    seconds: float
    on_step: Callable[[Step], object] | None
    steps: list[Step] = field(default_factory=list)
    power: _Count = field(default_factory=_Count)
    yours: _Count = field(default_factory=_Count)
    widened: bool = False
    #: What else the starter's race needs.
    bare: dict[str, Any] = field(default_factory=dict)
    #: Text of the answer, read once, and what to call it.
    read: tuple[str, str] = ("", "")
    #: Where Python files are put that came as text.
    folder: str = ""

    def run(self) -> Verdict:
        begin = time.monotonic()
        try:
            with tempfile.TemporaryDirectory(prefix="racelab-check-") as self.folder:
                self._judge()
            raise AssertionError("a check ends with a verdict")
        except _Stop as stop:
            end = stop
        gil = self.yours.result.gil if self.yours.result else None
        return Verdict(
            exercise=self.exercise.slug,
            verdict=end.verdict,
            reason=end.reason,
            steps=tuple(self.steps),
            says=end.says,
            widened=self.widened and end.reason in ("right", "race", "no-power", "too-slow"),
            failed=self.yours.failed,
            rounds=self.yours.runs,
            power_failed=self.power.failed,
            power_rounds=self.power.runs,
            unit=self._unit,
            conditions=_conditions(gil, self.exercise.lab),
            seconds=time.monotonic() - begin,
        )

    @property
    def _unit(self) -> str:
        lab = self.exercise.lab
        return "round" if lab is None or lab.mode == "rounds" else "repetition"

    @property
    def _lab(self) -> Lab:
        assert self.exercise.lab is not None
        return self.exercise.lab

    def _say(self, name: str, text: str) -> None:
        step = Step(name, text)
        self.steps.append(step)
        if self.on_step:
            self.on_step(step)

    # -- the steps ---------------------------------------------------------------------------------

    def _judge(self) -> None:
        answer = self._compiled()
        self._single(answer)
        for trial in self.exercise.trials:
            self._tried(answer, trial)
        if self.exercise.lab is None:
            raise _Stop("PASS", "right", "All of it is right.")
        starter = self._build(self.exercise.text("starter"), "starter")
        self._race(starter, answer)
        self._held_open(starter, answer)
        self._sanitized()
        self._cheap(answer)
        bound = zero_failure_bound(max(1, self.yours.runs))
        raise _Stop(
            "PASS",
            "right",
            f"95 % sure the rate is below {_percent(bound)} per {self._unit}{self._where}.",
        )

    @property
    def _where(self) -> str:
        return " with the window held open" if self.widened else ""

    def _source(self) -> tuple[str, str, Path | None]:
        """Text of the answer, what to call it, and its file if it has one."""
        if isinstance(self.given, str) and "\n" in self.given:
            return self.given, f"your {self.exercise.file_name}", None
        file = Path(self.given) if self.given is not None else self.exercise.learners
        if not file.is_file():
            start = f"racelab start {self.exercise.slug}"
            raise ExerciseError(f"{file}: there is no answer to check yet. Make one: {start}")
        return file.read_text(encoding="utf-8", errors="replace"), str(file), file

    def _compiled(self) -> _Module:
        text, name, file = self._source()
        self.read = text, name
        if text.strip() == self.exercise.text("starter").strip():
            self._say("note", "this is the starter: nothing has been changed yet")
        python = self.exercise.source.suffix == ".py"
        try:
            built = compile(file) if file and not python else self._build(text, name)
        except (BuildError, SyntaxError) as error:
            self._say("compiles", "no")
            raise _Stop("FAIL", "compile", f"{error}\nMend that, then check again.") from None
        if isinstance(built, Path):
            return built
        if built.name != self.exercise.slug:
            self._say("compiles", f"yes, but the module is called {built.name}")
            raise _Stop("FAIL", "compile", f"Keep the module's name: PyInit_{self.exercise.slug}.")
        self._say("compiles", "yes, with warnings" if built.log else "yes")
        return built

    def _build(self, text: str, origin: str, **how: Any) -> _Module:
        suffix = self.exercise.source.suffix
        if suffix == ".py":
            builtins.compile(text, origin, "exec", dont_inherit=True)
            path = Path(tempfile.mkdtemp(dir=self.folder), self.exercise.file_name)
            path.write_text(text, encoding="utf-8")
            return path
        return compile(
            text + "\n", name=self.exercise.slug, language=SUFFIXES[suffix], origin=origin, **how
        )

    def _in_child(self, built: _Module, body: str, timeout_s: float) -> Ending:
        code = f"""
            from pathlib import Path
            from racelab.exercise import load_exercise
            exercise = load_exercise(Path({str(self.exercise.file)!r}))
            import {self.exercise.slug} as module
            {body}
        """
        return run_child(code, modules=[built], timeout_s=timeout_s)

    def _single(self, answer: _Module) -> None:
        """Right answers with one thread, and a GIL that stays off."""
        body = "exercise.single(module)" if self.exercise.single else "pass"
        seen = self._in_child(answer, body, timeout_s=SINGLE_S)
        asked = self.exercise.lab is None
        step = "answers" if asked else "one thread"
        if seen.gil_enabled:
            self._say(step, "importing it turned the GIL on")
            raise _Stop(
                "FAIL",
                "gil",
                self.exercise.advice.get(
                    "gil",
                    "Declare Py_MOD_GIL_NOT_USED (Cython: freethreading_compatible=True), as the starter does: chapter 01.",
                ),
            )
        if seen.outcome == "ok":
            if self.exercise.single:
                self._say(step, "right" if asked else "right answers")
            return
        self._say(step, _ending_words(seen))
        says = "It must be right with one thread before it can be right with two."
        raise _Stop("FAIL", "single", self._more if asked else says)

    def _tried(self, answer: _Module, trial: Trial) -> None:
        """The learner's test must fail where there is a bug, and only there."""
        at = list(self.exercise.trials).index(trial)
        body = f"""
            trial = exercise.trials[{at}]
            result = {{"failed": 0, "first": ""}}
            for _ in range(trial.runs):
                try:
                    trial.run(module)
                except BaseException as error:
                    result["failed"] += 1
                    result["first"] = result["first"] or f"{{type(error).__name__}}: {{error}}"
        """.strip()
        seen = self._in_child(answer, body, timeout_s=30.0)
        if seen.outcome != "ok" or not isinstance(seen.returned, dict):
            self._say(trial.name, _ending_words(seen))
            raise _Stop(
                "FAIL", "trial", f"A test says that it failed; it does not hang or die. {trial.why}"
            )
        failed = seen.returned["failed"]
        first = f"; first: {seen.returned['first'].rstrip(': ')}" if failed else ""
        self._say(trial.name, f"your test failed in {failed} of {trial.runs} runs{first}")
        if failed < trial.enough * trial.runs if trial.fails else failed:
            raise _Stop("FAIL", "trial", f"{trial.why}\n{self._more}")

    def _race(self, starter: _Module, answer: _Module) -> None:
        """Starter and answer in turns, until one of them has shown enough."""
        if machine.cores_usable() < 2:
            self._widen(f"{cores_words(machine.cores_usable())}: the window is held open")
        begin = time.monotonic()
        for used in self._turns(starter, answer, begin):
            if self.yours.failed:
                self._say_power()
                self._fail()
            if not self.power.failed and not self.widened and used > min(POWER_S, self.seconds / 3):
                self._widen("the starter shows nothing here by itself: the window is held open")
                self.power, self.yours = _Count(), _Count()
            if self.power.failed >= ENOUGH_FAILURES and self.yours.runs >= self._needed:
                break
        self._say_power()
        self._must_have_raced()
        if not self.power.failed:
            raise _Stop(
                "INCONCLUSIVE",
                "no-power",
                f"This machine ({cores_words(machine.cores_usable())}) does not show the bug, so a clean run says nothing.\nTry a machine with more cores, or more time: --seconds {self.seconds * 5:g}.",
            )
        if self.widened:
            self._needs_a_race_point(starter, answer)
        needed = self._needed
        text = f"0 of {self.yours.runs:,} {self._unit}s fail"
        if self.yours.runs < needed:
            self._say("yours", text)
            raise _Stop(
                "INCONCLUSIVE",
                "too-slow",
                f"{needed:,.0f} clean {self._unit}s would decide, and there was time for {self.yours.runs:,}. Give it more: --seconds {self.seconds * 5:g}.",
            )
        self._say("yours", text)

    @property
    def _needed(self) -> float:
        """Clean runs that decide."""
        least = (AT_LEAST_WIDENED if self.widened else AT_LEAST)[self._lab.mode]
        return max(float(least), _needed(self.power.low))

    def _turns(self, starter: _Module, answer: _Module, begin: float) -> Iterator[float]:
        """Race both for a slice each, as long as there is time; yields the seconds used."""
        while True:
            self.power.add(self._starters_slice(starter))
            self.yours.add(self._slice(answer))
            used = time.monotonic() - begin
            yield used
            if used > self.seconds:
                return

    def _slice(self, built: _Module, **how: Any) -> Result:
        lab = self._lab
        if lab.mode == "rounds":
            size: dict[str, Any] = {"seconds": SLICE_S, "count": 4}
        else:
            size = {"count": 20 if lab.mode == "cold" else 2}
        size.update(how)
        size.setdefault("widen", self.widened)
        return race(lab, modules=[built], guard=True, progress=False, **size)

    def _starters_slice(self, starter: _Module) -> Result:
        """A starter that does not declare itself would race under the GIL: it is raced without."""
        seen = self._slice(starter, **self.bare)
        if seen.gil_enabled_by and not self.bare:
            self.bare["gil"] = 0
            self._say("note", "the starter would turn the GIL on: it is raced with PYTHON_GIL=0")
            seen = self._slice(starter, **self.bare)
        return seen

    def _widen(self, why: str) -> None:
        self.widened = True
        self._say("note", why)

    def _say_power(self) -> None:
        judged = "enough to judge by" if self.power.failed else "too weak"
        self._say(
            "power",
            f"starter under the same settings: {self.power.failed:,} of {self.power.runs:,} {self._unit}s fail: {judged}",
        )

    def _must_have_raced(self) -> None:
        result = self.yours.result
        if result is not None and not result.ran:
            labels = ", ".join(label for label, count in result.outcomes.items() if count)
            self._say("yours", f"could not be raced: {labels}")
            if result.gil_enabled_by:
                raise _Stop("FAIL", "gil", "It turned the GIL on.")
            raise _Stop("FAIL", "race", "It cannot be raced; see above.")

    def _needs_a_race_point(self, starter: _Module, answer: _Module) -> None:
        """A window that nobody holds open shows nothing on one core."""
        if _has_race_point(starter) and not _has_race_point(answer):
            self._say(
                "yours",
                f"0 of {self.yours.runs:,} {self._unit}s fail, but there is no race point left in it",
            )
            raise _Stop(
                "INCONCLUSIVE",
                "no-race-point",
                "On this machine only an open window shows the bug, and RACE_POINT() is what holds it open. Put it back between the steps that belong together.",
            )

    def _fail(self, held_open: str = "") -> None:
        """Say what was seen first, in the lab's words, and what to do about it."""
        result = self.yours.result
        assert result is not None
        seen = max(result.forbidden, key=lambda label: result.forbidden[label])
        if "tampered" in result.forbidden:
            note = next((r.note for r in result.repetitions if r.note), "")
            self._say("yours", note.removeprefix("tampered: "))
            raise _Stop("FAIL", "tampered", "Repair the code, not the judge.")
        grade = result.grades.get(seen)
        why = (
            f" ({grade.text})" if grade and grade.text and "not declared" not in grade.text else ""
        )
        failed, runs = self.yours.failed, self.yours.runs
        self._say(
            "yours",
            f"{failed:,} of {runs:,} {self._unit}s fail{held_open}; most often: {seen}{why}",
        )
        advice = self.exercise.advice.get(seen) or next(
            (text for label, text in self.exercise.advice.items() if fits(label, seen)), ""
        )
        raise _Stop("FAIL", "race", f"{advice}\n{self._more}".strip())

    @property
    def _more(self) -> str:
        """Where to go on."""
        hints = len(self.exercise.hints)
        return f"{hints} hint{'s' if hints > 1 else ''}: racelab hint {self.exercise.slug}"

    def _held_open(self, starter: _Module, answer: _Module) -> None:
        """Where the window was not held open yet: a short race in which it is."""
        if self.widened or not (_has_race_point(starter) and _has_race_point(answer)):
            return
        how = {"count": 4, "rounds": WIDENED_ROUNDS // 4} if self._lab.mode == "rounds" else {}
        natural = self.yours
        self.yours = _Count(self._slice(answer, widen=True, seconds=None, **how))
        if self.yours.failed:
            self._fail(" while the window is held open")
        self._say("held open", f"0 of {self.yours.runs:,} {self._unit}s fail")
        self.yours = natural

    def _sanitized(self) -> None:
        """A few rounds under ThreadSanitizer, where its interpreter is there."""
        if self.exercise.source.suffix == ".py":
            return
        try:
            python = sanitizer_python("thread")
            built = self._build(*self.read, python=python, sanitizer="thread")
        except (RaceError, BuildError):
            return
        lab = self._lab
        how: dict[str, Any] = {"rounds": 200, "count": 1} if lab.mode == "rounds" else {"count": 3}
        seen = race(lab, modules=[built], sanitizer="thread", progress=False, timeout_s=60, **how)
        reports = [label for label in seen.forbidden if label.startswith("sanitizer")]
        if not seen.ran:
            return
        note = next((r.note for r in seen.repetitions if r.note), "")
        if reports and f"{self.exercise.slug}{self.exercise.source.suffix}:" not in note:
            return  # both stacks end deep in the interpreter: its own affair, seen with right answers
        if reports:
            self._say("sanitizer", f"{reports[0]}\n{note}")
            raise _Stop(
                "FAIL",
                "sanitizer",
                "ThreadSanitizer saw two threads use one memory place without an order between them, and one of them writes.",
            )
        self._say("sanitizer", f"ThreadSanitizer saw nothing in {seen.rounds:,} {self._unit}s")

    def _cheap(self, answer: _Module) -> None:
        cost = self.exercise.cost
        if cost is None:
            return
        solution = self._build(self.exercise.text("solution"), "solution")
        ratio = self._ratio(answer, solution)
        if ratio is None:
            return
        self._say(
            "cost",
            f"{ratio:.1f} times the stored solution's, per call; at most {cost.limit:g} here",
        )
        if ratio > cost.limit:
            raise _Stop("FAIL", "cost", f"It is right, but dearer than it needs to be. {cost.why}")

    def _ratio(self, answer: _Module, solution: _Module) -> float | None:
        """Time per call over the solution's: the least of several, in turns, because the machine is shared."""
        body = f"""
            from timeit import repeat
            call = exercise.cost.body(module)
            result = min(repeat(call, number={COST_CALLS}, repeat=5)) / {COST_CALLS}
        """.strip()
        best: dict[str, float] = {}
        for _ in range(2):
            for name, built in (("answer", answer), ("solution", solution)):
                seen = self._in_child(built, body, timeout_s=20.0)
                if seen.outcome != "ok" or not seen.returned:
                    return None
                best[name] = min(best.get(name, math.inf), float(seen.returned))
        return best["answer"] / best["solution"]


def _needed(low: float) -> float:
    """Clean runs after which a rate of `low` would have been silent with a chance below `CHANCE`."""
    return plan(low, 1 - CHANCE) if low > 0 else math.inf


def _has_race_point(built: _Module) -> bool:
    """Whether a RACE_POINT() was compiled into a module: only then the header leaves its variable's name in it."""
    return isinstance(built, Built) and b"RACELAB_WIDEN" in built.path.read_bytes()


def _percent(share: float) -> str:
    return f"{100 * share:.2g} %"


def _conditions(gil: bool | None, lab: Lab | None) -> str:
    import platform

    state = {None: "", True: ", GIL on", False: ", GIL off"}[gil]
    threads = f", {lab.allowed_threads[0]} threads" if lab else ""
    return f"{platform.python_version()}t{state}, {cores_words(machine.cores_usable())}{threads}"


def _ending_words(seen: Ending) -> str:
    """How a child with one thread ended, in the learner's words."""
    if seen.outcome.startswith("error("):
        asserted = seen.traceback.strip().rpartition("\nAssertionError: ")
        if seen.outcome == "error(AssertionError)" and asserted[1]:
            return asserted[2]  # all of its lines
        last = seen.traceback.strip().splitlines()[-1] if seen.traceback.strip() else seen.outcome
        return last.removeprefix("AssertionError: ")
    if seen.outcome == "hang":
        return "it did not come to an end"
    if seen.outcome.startswith("exit("):
        return f"it ended the process by itself, with {seen.outcome}, before it was judged"
    return f"it ended with {seen.outcome}"
