"""Check a learner's answer to an exercise: PASS with the bound it proves, FAIL with what was seen, or INCONCLUSIVE.

A clean run of an answer says something only if the same run would have caught the starter. So the checker
measures its own power first: it races the starter and the answer in turns, under the same settings, and
passes the answer when it has been clean for so many rounds that the starter, at the lower end of the rate
that it showed here and now, would have stayed silent with a chance below one in a million.

Every answer runs in children, watched, with a time limit; nothing is imported here.
"""

from __future__ import annotations

import builtins
import hashlib
import math
import tempfile
import textwrap
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from racelab import answers, machine
from racelab.build import SUFFIXES, BuildError, Built, compile
from racelab.exercise import Exercise, ExerciseError, Trial, find_exercise
from racelab.lab import Lab, fits
from racelab.racing import RaceError, race, sanitizer_python
from racelab.reports import Report
from racelab.result import Result, cores_words, merge
from racelab.runner import Ending, run_child
from racelab.stats import Rate, plan, zero_failure_bound
from racelab.verdict import Step, Verdict, Word

__all__ = ["Step", "Verdict", "check", "clean_needed", "low_end"]

#: Chance that the starter would have been silent as long as an answer that passes.
CHANCE = 1e-6
#: A starter that shows nothing for so long is raced with its race points held open.
POWER_S = 4.0
SLICE_S = 0.8
SECONDS = 20.0
#: With one thread an answer may compute for so long; on a machine that is busy with other things that takes longer.
SINGLE_S = 8.0
WALL_S = 60.0
#: The same for a test that is tried many times.
TRIAL_S = 30.0
#: The same for what is timed.
COST_S = 20.0
#: An answer is also raced a little with its race points held open, which half a repair rarely survives.
WIDENED_ROUNDS = 150
#: The starter's rate is trusted once so many rounds have failed, or repetitions where a round may end one.
ENOUGH_FAILURES = 5
_BUSY = (
    "This machine was too busy to tell, which says nothing about your answer. End what else computes here, or wait "
    "until it is over, then check again."
)
_NOT_JUDGED = "What judges could not be run here, which says nothing about your answer:"

_NO_STEPS = (
    "On this machine only an open window shows the bug. RACE_POINT() may stand anywhere, and with every step held "
    "open nothing could be shown here. Try a machine with more cores."
)
#: A module under judgement: compiled, or a Python file.
_Module = Built | Path
COST_CALLS = 20_000
#: Calls that are slow meet more rarely: from so many times the starter's time on, more rounds are asked for.
SLOW = 8.0
#: What is asked for where the window cannot be held open because the answer has no race point left.
WITHOUT_POINT = 10
SANITIZED_ROUNDS = 200
SANITIZED_S = 60.0
#: Makes every access to memory a race point: every_step.h says how.
EVERY_STEP = (
    "-D_GNU_SOURCE",
    "-include",
    str(Path(__file__).with_name("every_step.h")),
    "-fsanitize=thread",
    "-nodefaultlibs",
    "-lc",
)
#: Where every step is held open a slice has so many rounds until it is known how long they take.
FIRST_ROUNDS = 100
#: As many rounds as are asked for otherwise are run there only where they are over so soon.
STEPS_S = 6.0
#: Of so many outcomes a FAIL gives the counts.
SHOWN = 3
#: A half repair fails more rarely than the starter: an answer is raced at least so often.
AT_LEAST = {"rounds": 3_000, "cold": 100, "hang": 5}
#: The same with the window held open, where each round takes longer and shows more.
AT_LEAST_WIDENED = {"rounds": 300, "cold": 30, "hang": 3}


def check(
    exercise: Exercise | str,
    answer: Path | str | None = None,
    *,
    seconds: float = SECONDS,
    on_step: Callable[[Step], object] | None = None,
    on_doing: Callable[[str], object] | None = None,
    tries: int | None = None,
) -> Verdict:
    """Judge an answer to an exercise.

    Args:
        exercise: an `Exercise` or its slug.
        answer: the file to judge, or source text (with a line break in it). Default: the learner's copy in `work/`.
        seconds: time for racing; compiling and the other steps come on top of it.
        on_step: called with each `Step` as soon as it is known.
        on_doing: called with a few words on what is being done now, and while racing with the rounds so far.
        tries: other answers to the question that were checked before this one. The first says how many are wrong, the
            second which ones, all later ones also why; guessing does not pay. Default: those of the learner's own
            copy that were noted; for another text there is none to count, and all is said at once.

    Returns:
        Verdict: prints as a few lines. PASS always names the bound that it proves.

    Raises:
        ExerciseError: there is no such exercise, or nothing to judge yet; the message says what to do.
        RaceError: nothing can be raced here.
    """
    chosen = find_exercise(exercise) if isinstance(exercise, str) else exercise
    if answer is None and tries is None:
        from racelab.course import Course

        tries = Course().of(chosen.slug).tries
    if not (seconds > 0 and math.isfinite(seconds)):
        raise ExerciseError(f"seconds={seconds}: give a number of seconds above 0.")
    return _Check(chosen, answer, seconds, on_step, on_doing, tries).run()


def low_end(rate: Rate | None) -> float:
    """The lower end of a rate that failed at least once, a tenth of it where it has none; else 0."""
    if rate is None or not rate.failed:
        return 0.0
    return rate.low or rate.estimate / 10


def clean_needed(low: float) -> float:
    """Clean runs after which a rate of `low` would have been silent with a chance below `CHANCE`."""
    return plan(low, 1 - CHANCE) if low > 0 else math.inf


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
    def rate(self) -> Rate | None:
        """How often one of what is counted failed; None where nothing was raced."""
        if self.result is None:
            return None
        return self.result.rate_per_repetition if self.cold else self.result.rate_per_round

    @property
    def low(self) -> float:
        """Lower end of the rate; 0 where nothing failed."""
        return low_end(self.rate)


@dataclass
class _Check:
    """One check, step by step."""

    exercise: Exercise
    given: Path | str | None
    seconds: float
    on_step: Callable[[Step], object] | None = None
    on_doing: Callable[[str], object] | None = None
    tries: int | None = None
    steps: list[Step] = field(default_factory=list)
    power: _Count = field(default_factory=_Count)
    yours: _Count = field(default_factory=_Count)
    widened: bool = False
    #: How many times as many clean runs the answer must show as its kind would.
    more: float = 1.0
    #: Seconds that went before it was known that the window must be held open: they are given back, since one turn
    #: may have taken all there were.
    late: float = 0.0
    #: Count and rounds of a slice, where they are not the usual ones.
    size: dict[str, Any] = field(default_factory=dict)
    #: What else the starter's race needs.
    bare: dict[str, Any] = field(default_factory=dict)
    #: Why the last child was ended: "busy", "deadlock", or "" at its time limit.
    hung: str = ""
    #: Text of the answer, read once, and what to call it.
    read: tuple[str, str] = ("", "")
    #: The answer's file while it still holds that text; None for one that came as text.
    file: Path | None = None
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
        power = self.power.rate
        return Verdict(
            exercise=self.exercise.slug,
            verdict=end.verdict,
            reason=end.reason,
            steps=tuple(self.steps),
            says=self._with_hints(end),
            widened=self.widened and end.reason in ("right", "race", "no-power", "too-slow"),
            failed=self.yours.failed,
            rounds=self.yours.runs,
            power_failed=self.power.failed,
            power_rounds=self.power.runs,
            power_interval=(power.low, power.high) if power else (),
            unit=self._unit,
            conditions=_conditions(gil, self.exercise.lab),
            seconds=time.monotonic() - begin,
            answer=hashlib.sha256(self.read[0].encode()).hexdigest()[:16],
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

    def _doing(self, text: str) -> None:
        if self.on_doing:
            self.on_doing(text)

    def _with_hints(self, end: _Stop) -> str:
        """What to do next: after a FAIL that a hint can help with, also where the hints are."""
        if end.verdict != "FAIL" or end.reason == "tampered":
            return end.says
        hints = len(self.exercise.hints)
        more = f"{hints} hint{'s' if hints > 1 else ''}: racelab hint {self.exercise.slug}"
        return f"{end.says}\n{more}".strip()

    # -- the steps ---------------------------------------------------------------------------------

    def _judge(self) -> None:
        self._doing("compiling")
        answer = self._compiled()
        self._doing(f"trying it out, {_at_most(SINGLE_S)}")
        self._single(answer)
        for trial in self.exercise.trials:
            self._doing(f"trying your test on: {trial.name}, {_at_most(TRIAL_S)}")
            self._tried(answer, trial)
        if self.exercise.lab is None:
            raise _Stop("PASS", "right", self._asked_for())
        starter = self._build(self.exercise.text("starter"), "starter")
        self._race(starter, answer)
        self._doing("racing with the window held open")
        if self.widened:
            self._every_step()
        else:
            self._held_open(starter, answer)
        self._doing(f"racing under ThreadSanitizer, at most {SANITIZED_S:.0f} s per child")
        self._sanitized()
        self._doing(f"measuring what it costs, {_at_most(COST_S)} each time")
        self._cheap(answer)
        bound = zero_failure_bound(max(1, self.yours.runs))
        raise _Stop(
            "PASS",
            "right",
            f"95 % sure the rate is below {_percent(bound)} per {self._unit}{self._where}.",
        )

    def _asked_for(self) -> str:
        """What a PASS without a race says: what was looked at, and that it proves no rate."""
        trials = self.exercise.trials
        if trials:
            runs = sum(trial.runs for trial in trials)
            right = "Your test fails where there is a bug and passes where there is none"
            return (
                f"{right}: {runs} runs on {len(trials)} kinds of code. That is no bound on a rate."
            )
        if self._asks:
            return "All answers are right. Nothing was raced."
        return "It behaves as asked. It was not raced against the starter, so this proves no bound on a rate."

    @property
    def _asks(self) -> bool:
        """Whether the answer is a file of values."""
        return (
            self.exercise.lab is None
            and not self.exercise.trials
            and self.exercise.source.suffix == ".py"
        )

    @property
    def _where(self) -> str:
        return " with the window held open" if self.widened else ""

    def _source(self) -> tuple[str, str, Path | None]:
        """Text of the answer, what to call it, and its file if it has one."""
        if isinstance(self.given, str) and "\n" in self.given:
            return self.given, f"your {self.exercise.file_name}", None
        file = Path(self.given) if self.given is not None else self.exercise.learners
        if self.given is not None and not file.exists():
            raise ExerciseError(f"{file}: there is no such file (looked in {Path.cwd()}).")
        text, suffix = answers.read(file, self.exercise.slug), self.exercise.source.suffix
        if file.suffix != suffix:
            raise ExerciseError(f"{file}: an answer to {self.exercise.slug} is a {suffix} file.")
        return text, str(file), file

    def _compiled(self) -> _Module:
        text, name, self.file = self._source()
        self.read = text, name
        if text.strip() == self.exercise.text("starter").strip():
            self._say("note", "this is the starter: nothing has been changed yet")
        slug = self.exercise.slug
        named = [] if self.exercise.source.suffix in (".py", ".pyx") else answers.modules_in(text)
        if named and slug not in named:
            self._say("compiles", f"its module is called {named[0]}")
            raise _Stop("FAIL", "compile", f"Keep the module's name: PyInit_{slug}.")
        try:
            built = self._answer()
        except (BuildError, SyntaxError) as error:
            self._say("compiles", "no")
            said = (
                answers.syntax_words(error, text) if isinstance(error, SyntaxError) else str(error)
            )
            raise _Stop("FAIL", "compile", f"{said}\nMend that, then check again.") from None
        if isinstance(built, Built):
            self._say("compiles", "yes, with warnings" if built.log else "yes")
        return built

    def _answer(self, **how: Any) -> _Module:
        """The answer, compiled: where its file is, so that it finds what it includes, whatever the file is called."""
        if self.file is None or self.exercise.source.suffix == ".py":
            return self._build(*self.read, **how)
        try:
            same = answers.read(self.file, self.exercise.slug) == self.read[0]
        except ExerciseError:
            same = False
        if not same:  # saved again meanwhile: what was judged so far is what was read
            self.file = None
            return self._build(*self.read, **how)
        return compile(self.file, name=self.exercise.slug, **how)

    @property
    def _file_name(self) -> str:
        """What stacks and reports call the answer's file."""
        if self.file is None or self.exercise.source.suffix == ".py":
            return self.exercise.file_name
        return self.file.name

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

    def _in_child(self, built: _Module, body: str, cpu_s: float, step: str) -> Ending:
        """Run lines that see `exercise` and `module`; what judges must be what it was when they are through.

        Where they raise `Undecided` that is the verdict, which an answer that raises it gains nothing by.
        """
        # In a function, whose names nobody can reach: an answer may look into __main__.
        code = f"""
            try:
                from pathlib import Path
                from racelab.exercise import Guard, Undecided, load_exercise, plain, where
                given = load_exercise(Path({str(self.exercise.file)!r}))
            except BaseException as error:
                given, result = None, f"{{type(error).__name__}}: {{error}}"

            def judge(exercise, Undecided, plain, where):
                changed = Guard(exercise).changed
                import {self.exercise.slug} as module
                result, undecided = None, ""
                try:
                    {textwrap.indent(textwrap.dedent(body), " " * 20).strip()}
                except Undecided as error:
                    undecided = str(error) or "what judges could not decide"
                return [result, changed(), undecided]

            if given is not None:
                result = judge(given, Undecided, plain, where)
        """
        look = answers.Stuck(cpu_s)
        seen = run_child(code, modules=[built], timeout_s=WALL_S, look=look)
        self.hung = look.why
        if isinstance(seen.returned, str) or seen.outcome == "not-run":
            why = seen.returned or seen.stderr.strip() or seen.outcome
            raise RaceError(f"{_NOT_JUDGED} {why}")
        if not isinstance(seen.returned, list):
            if seen.outcome != "ok":
                return seen
            self._say("yours", "it kept what judges from telling what it saw")
            raise _Stop("FAIL", "tampered", "Repair the code, not the judge.")
        value, changed, undecided = seen.returned
        if changed:
            self._say("yours", f"it replaced {', '.join(changed)}")
            raise _Stop("FAIL", "tampered", "Repair the code, not the judge.")
        if undecided:
            self._gil_must_stay_off(step, seen.gil_enabled)
            self._say(step, undecided)
            raise _Stop("INCONCLUSIVE", "too-slow", _BUSY)
        return replace(seen, returned=value)

    def _could_be_told(self, seen: Ending, body: str, cpu_s: float, step: str) -> None:
        """An answer that did not come to its end where the stored one does not, either, was not judged.

        A deadlock is the answer's own, and so is what an assertion has said: no load makes either of them.
        """
        if seen.outcome != "hang" or self.hung == "deadlock" or answers.asserted(seen):
            return
        hung = self.hung
        self._doing(f"{step}: it did not come to an end; does the stored solution here?")
        solution = self._build(self.exercise.text("solution"), "solution")
        stored = self._in_child(solution, body, cpu_s, step)
        self.hung = hung
        if stored.outcome == "hang":
            self._say(
                step, "it did not come to an end, and neither did the stored solution after it"
            )
            raise _Stop("INCONCLUSIVE", "too-slow", _BUSY)

    def _single(self, answer: _Module) -> None:
        """Right answers where nothing is raced, and a GIL that stays off."""
        body = "exercise.single(module)" if self.exercise.single else "pass"
        if self._asks:
            body = "plain(module); " + body
        step, right = "by itself", "right answers"
        if self.exercise.lab is None:
            python = self.exercise.source.suffix == ".py"
            step, right = ("answers", "right") if python else ("behaviour", "as asked")
        seen = self._in_child(answer, body, SINGLE_S, step)
        self._gil_must_stay_off(step, seen.gil_enabled)
        if seen.outcome == "ok":
            if self.exercise.single:
                self._say(step, right)
            return
        self._could_be_told(seen, body, SINGLE_S, step)
        text = self._ending_words(seen)
        if self._asks and self.tries is not None:
            text = answers.told(text, self.tries)
        self._say(step, text)
        says = (
            ""
            if self.exercise.lab is None
            else "First of all it must be right by itself, before anything is raced."
        )
        if seen.outcome == "hang" and not answers.asserted(seen):
            says = answers.HANGS[self.hung]
        raise _Stop("FAIL", "single", says)

    def _gil_must_stay_off(self, step: str, on: bool | None) -> None:
        if not on:
            return
        self._say(step, "it turned the GIL on")
        usual = "Declare Py_MOD_GIL_NOT_USED (Cython: freethreading_compatible=True), as the starter does: chapter 01."
        raise _Stop("FAIL", "gil", self.exercise.advice.get("gil", usual))

    def _tried(self, answer: _Module, trial: Trial) -> None:
        """The learner's test must fail where there is a bug, and only there."""
        at = list(self.exercise.trials).index(trial)
        body = f"""
            trial = exercise.trials[{at}]
            result = {{"failed": 0, "first": ""}}
            for _ in range(trial.runs):
                try:
                    trial.run(module)
                except Undecided:
                    raise
                except BaseException as error:
                    result["failed"] += 1
                    if not result["first"]:
                        at = where(error, {self.exercise.file_name!r})
                        first = f"{{type(error).__name__}}: {{error}}".rstrip(": ")
                        result["first"] = first + (f" (line {{at}})" if at else "")
        """
        seen = self._in_child(answer, body, TRIAL_S, trial.name)
        self._gil_must_stay_off(trial.name, seen.gil_enabled)
        self._could_be_told(seen, body, TRIAL_S, trial.name)
        if seen.outcome != "ok" or not isinstance(seen.returned, dict):
            self._say(trial.name, self._ending_words(seen))
            says = f"A test says that it failed; it does not hang or die. {trial.why}"
            if seen.outcome == "hang":
                says = f"{says}\n{answers.HANGS[self.hung]}"
            raise _Stop("FAIL", "trial", says)
        failed = seen.returned["failed"]
        first = f"; first: {seen.returned['first']}" if failed else ""
        self._say(trial.name, f"your test failed in {failed} of {trial.runs} runs{first}")
        if failed < trial.enough * trial.runs if trial.fails else failed:
            raise _Stop("FAIL", "trial", trial.why)

    def _ending_words(self, seen: Ending) -> str:
        """How a child with one thread ended, in the learner's words."""
        place = answers.place_of(seen.traceback, self._file_name, self.read[0])
        asserted = answers.asserted(seen)
        if asserted:  # also where it died or hung behind it: this is what the learner can use
            return asserted if "\n" in asserted else asserted + place
        if seen.outcome.startswith("error("):
            last = (seen.traceback.strip().splitlines() or [seen.outcome])[-1]
            return last.removeprefix("AssertionError: ") + place
        if seen.outcome == "hang":
            how = "it did not come to an end"
            calls = answers.hung_in(seen.traceback, self._file_name)
            return f"{how}; it hung in {' and in '.join(calls)}" if calls else how
        if seen.outcome.startswith("exit("):
            return f"it ended the process by itself, with {seen.outcome}, before it was judged"
        return f"it ended with {seen.outcome}"

    def _race(self, starter: _Module, answer: _Module) -> None:
        """Starter and answer in turns, until one of them has shown enough."""
        if machine.cores_usable() < 2:
            self._widen(f"{cores_words(machine.cores_usable())}: the window is held open")
        begin = time.monotonic()
        self._doing(f"racing, at most {_shown(self.seconds)}")
        for used in self._turns(starter, answer, begin):
            self._doing(self._so_far(self._needed))
            if self.yours.failed:
                self._say_power()
                self._fail()
            if not self.power.failed and not self.widened and used > min(POWER_S, self.seconds / 3):
                self._widen("the starter shows nothing here by itself: the window is held open")
                self.power, self.yours = _Count(), _Count()
                self.late = used
            if self._too_rare(starter, answer, used):
                self._widen("the starter fails too rarely here by itself: the window is held open")
                self.power, self.yours = _Count(), _Count()
                self.late = used
            if self.power.failed >= ENOUGH_FAILURES and self.yours.runs >= self._needed:
                self._ask_for_more(starter, answer)
                if self.yours.runs >= self._needed:
                    break
        self._say_power()
        self._must_have_raced()
        if not self.power.failed:
            raise _Stop(
                "INCONCLUSIVE",
                "no-power",
                f"This machine ({cores_words(machine.cores_usable())}) does not show the bug, so a clean run says nothing.\nTry a machine with more cores, or more time: {self._more_time}.",
            )
        if self.widened:
            self._needs_a_race_point(starter, answer)
        needed = self._needed
        if self.widened:  # many more follow, with every step held open
            needed = max(self._least / 3, clean_needed(self.power.low)) * self.more
        text = f"0 of {self.yours.runs:,} {self._unit}s fail"
        if self.yours.runs < needed:
            self._say("yours", text)
            raise _Stop(
                "INCONCLUSIVE",
                "too-slow",
                self._too_slow(needed),
            )
        self._say("yours", text)

    def _so_far(self, needed: float, how: str = "racing") -> str:
        """How far the race is, what would end it, and how long it may take."""
        starter, least, of, waits = self.power.failed, ENOUGH_FAILURES, "", ""
        if not starter:
            waits = " (the starter shows nothing yet)"
        elif self.yours.runs < needed:
            of = f"of about {needed:,.0f} "
        elif starter < least:
            waits = f" (the starter has failed {starter} of {least} times)"
        limit = _shown(self.seconds + self.late)
        return f"{how}: {self.yours.runs:,} {of}{self._unit}s, at most {limit}{waits}"

    @property
    def _more_time(self) -> str:
        more = f"{self.seconds * 5:.2f}".rstrip("0").rstrip(".")
        return f"--seconds {more}"

    def _too_slow(self, needed: float) -> str:
        return (
            f"{self._why_more}{needed:,.0f} clean {self._unit}s would decide, and there was time for "
            f"{self.yours.runs:,}. Give it more: {self._more_time}."
        )

    def _too_rare(self, starter: _Module, answer: _Module, used: float) -> bool:
        """Whether half of the time is over, the rest would not do, and an open window may show more."""
        return (
            not self.widened
            and self.power.failed > 0
            and self.seconds / 2 < used
            and self.yours.runs * self.seconds / used < self._needed
            and self._slower <= SLOW
            and _has_race_point(starter)
            and _has_race_point(answer)
        )

    @property
    def _least(self) -> float:
        """Clean runs without which nothing is decided, however often the starter fails."""
        return float((AT_LEAST_WIDENED if self.widened else AT_LEAST)[self._lab.mode])

    @property
    def _needed(self) -> float:
        """Clean runs that decide."""
        return max(self._least, clean_needed(self.power.low)) * self.more

    def _ask_for_more(self, starter: _Module, answer: _Module) -> None:
        """What makes calls meet more rarely than the starter's do must not pass for a repair.

        A call that takes much longer (one that sleeps, say) meets another one much more rarely; and where
        the starter has a race point and the answer none, nothing else will look into the window.
        """
        if self.more > 1 or self._lab.mode != "rounds":
            return
        slow = self._slower
        if slow > SLOW:
            if self.exercise.cost is not None:
                self._cheap(answer)
            self.more = slow**2
            self._say("note", f"a round takes {slow:.0f} times as long as the starter's")
        elif not self.widened and _has_race_point(starter) and not _has_race_point(answer):
            self.more = WITHOUT_POINT

    @property
    def _slower(self) -> float:
        """How many times as long as the starter's a round of the answer takes; 1 where it is not known."""
        both = [
            count.result.rounds_per_s if count.result else None
            for count in (self.power, self.yours)
        ]
        return both[0] / both[1] if both[0] and both[1] else 1.0

    @property
    def _why_more(self) -> str:
        """What to say where more was asked for than usual."""
        if self.more <= 1:
            return ""
        if self.more == WITHOUT_POINT:
            return "There is no RACE_POINT() left in it, so only many rounds tell. "
        return "Calls that take so long seldom meet: a clean run says little. "

    def _turns(self, starter: _Module, answer: _Module, begin: float) -> Iterator[float]:
        """Race both for a slice each, as long as there is time; yields the seconds used."""
        while True:
            self.power.add(self._starters_slice(starter))
            self.yours.add(self._slice(answer))
            used = time.monotonic() - begin
            yield used
            if used > self.seconds + self.late:
                return

    def _slice(self, built: _Module, **how: Any) -> Result:
        lab = self._lab
        if self.size:
            size = dict(self.size)
        elif lab.mode == "rounds":
            size = {"seconds": SLICE_S, "count": 4}
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

    def _say_power(self, where: str = "") -> None:
        judged = "enough to judge by" if self.power.failed else "too weak"
        self._say(
            "power",
            f"starter under the same settings{where}: {self.power.failed:,} of {self.power.runs:,} {self._unit}s fail: {judged}",
        )

    def _must_have_raced(self) -> None:
        result = self.yours.result
        if result is not None:
            self._gil_must_stay_off("yours", result.gil)
        if result is not None and not result.ran:
            labels = ", ".join(label for label, count in result.outcomes.items() if count)
            if self.power.result is not None and not self.power.result.ran:
                note = next((r.note for r in result.repetitions if r.note), labels)
                raise RaceError(f"{_NOT_JUDGED} the starter cannot be raced, either. {note}")
            self._say("yours", f"could not be raced: {labels}")
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
        """Say what was seen, in the lab's words, and what to do about it."""
        result = self.yours.result
        assert result is not None
        if "tampered" in result.forbidden:
            note = next((r.note for r in result.repetitions if r.note.startswith("tampered")), "")
            self._say("yours", note.removeprefix("tampered: "))
            raise _Stop("FAIL", "tampered", "Repair the code, not the judge.")
        self._gil_must_stay_off("yours", result.gil)
        seen = sorted(result.forbidden, key=lambda label: -result.forbidden[label])[:SHOWN]
        failed = f"{self.yours.failed:,} of {self.yours.runs:,} {self._unit}s fail{held_open}"
        if len(seen) == 1:
            self._say("yours", f"{failed}: {self._outcome_words(seen[0])}")
        else:
            listed = "\n".join(
                f"{result.forbidden[label]:,} times {self._outcome_words(label)}" for label in seen
            )
            self._say("yours", f"{failed}\n{listed}")
        raise _Stop("FAIL", "race", self._advice(seen))

    def _outcome_words(self, label: str) -> str:
        """An outcome, and what the lab says about it."""
        assert self.yours.result is not None
        grade = self.yours.result.grades.get(label)
        known = grade is not None and grade.text and "not declared" not in grade.text
        return f"{label} ({grade.text})" if grade is not None and known else label

    def _advice(self, seen: list[str]) -> str:
        """What the exercise says about outcomes: about exactly these first, then about their kind."""
        advice = self.exercise.advice
        exact = {label: advice[label] for label in seen if label in advice}
        for label in seen:
            kind = next((text for known, text in advice.items() if fits(known, label)), "")
            if kind and label not in exact:
                exact[label] = kind
        texts = list(dict.fromkeys(exact.values()))
        if len(texts) < 2:
            return "".join(texts)
        return "\n".join(f"{label}: {text}" for label, text in exact.items())

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

    def _every_step(self) -> None:
        """Where only an open window shows anything: a race in which it does not matter where RACE_POINT() stands.

        One that was moved out of the window holds nothing open. So both are compiled once more, with a race point
        before every access to memory and none where they have put one.
        """
        if self.exercise.source.suffix == ".py":
            return
        before, self.late = (self.power, self.yours), 0.0
        self.power, self.yours = _Count(), _Count()
        try:
            starter = self._build(self.exercise.text("starter"), "starter", flags=EVERY_STEP)
            answer = self._answer(flags=EVERY_STEP)
        except BuildError:
            raise _Stop("INCONCLUSIVE", "no-power", _NO_STEPS) from None
        begin = time.monotonic()
        if self._lab.mode == "rounds":
            self.size = {"count": 4, "rounds": FIRST_ROUNDS // 4}
        for used in self._turns(starter, answer, begin):
            if self.yours.failed:
                self._say_power(", with every step held open")
                self._fail(" while every step is held open")
            soon = used < min(STEPS_S, self.seconds / 2)
            self.size = {} if soon else self.size
            least = AT_LEAST[self._lab.mode] if soon else 0
            needed = max(least, clean_needed(self.power.low) * self.more)
            self._doing(self._so_far(needed, "every step held open"))
            if self.power.failed >= ENOUGH_FAILURES and self.yours.runs >= needed:
                break
        else:
            self._say_power(", with every step held open")
            if self.power.failed < ENOUGH_FAILURES:
                raise _Stop("INCONCLUSIVE", "no-power", _NO_STEPS)
            raise _Stop("INCONCLUSIVE", "too-slow", self._too_slow(needed))
        self._say(
            "every step",
            f"0 of {self.yours.runs:,} {self._unit}s fail (starter: {self.power.failed:,} of {self.power.runs:,}) "
            "with each of them held open",
        )
        self.power, self.yours = before

    def _sanitized(self) -> None:
        """A few rounds under ThreadSanitizer, where its interpreter is there."""
        if self.exercise.source.suffix == ".py":
            return
        lab = self._lab
        how: dict[str, Any] = {"count": 3, "rounds": None}
        if lab.mode == "rounds":
            how = {"count": 1, "rounds": SANITIZED_ROUNDS}
        try:
            python = sanitizer_python("thread")
        except RaceError as missing:
            self._say("note", f"left out: ThreadSanitizer: {missing}")
            return
        try:
            built = self._answer(python=python, sanitizer="thread")
            assert isinstance(built, Built)
            seen = race(
                lab,
                modules=[built],
                sanitizer="thread",
                progress=False,
                timeout_s=SANITIZED_S,
                **how,
            )
        except BuildError as error:
            first = str(error).partition("\n")[0]
            said = f": {error.message}" if error.message else ""
            self._say(
                "note", f"left out: ThreadSanitizer, for which it does not compile: {first}{said}"
            )
            return
        except RaceError as error:
            self._say(
                "note", f"left out: ThreadSanitizer, under which it could not be raced: {error}"
            )
            return
        every = [report for report, _ in seen.reports]
        mine = [report for report in every if answers.made_by(report, self._file_name)]
        rounds = seen.rounds if lab.mode == "rounds" else len(seen.ran)
        if mine:
            said = answers.report_words(mine, self._file_name, self.read[0])
            self._say("sanitizer", said)
            raise _Stop("FAIL", "sanitizer", self._sanitizer_advice(mine[0]))
        if not rounds:
            self._say("note", "left out: ThreadSanitizer, under which it could not be raced")
        elif every:
            own = f"ThreadSanitizer reported only CPython's own in {rounds:,} {self._unit}s"
            self._say("sanitizer", own)
        else:
            self._say("sanitizer", f"ThreadSanitizer saw nothing in {rounds:,} {self._unit}s")

    def _sanitizer_advice(self, report: Report) -> str:
        own = self._advice([f"sanitizer({report.kind})"])
        return own or (
            "Two threads use one place in memory, one of them writes, and nothing orders the two. Which lock do "
            "both hold at these lines? If none: take it in both, make the place atomic, or give each thread its own."
        )

    def _cheap(self, answer: _Module) -> None:
        cost = self.exercise.cost
        if cost is None:
            return
        solution = self._build(self.exercise.text("solution"), "solution")
        ratio = self._ratio(answer, solution)
        if ratio is None:
            self._say("note", "left out: what it costs could not be measured here")
            return
        self._say(
            "cost",
            f"{ratio:.1f} times the stored solution's, per call; at most {cost.limit:g} here",
        )
        if ratio > cost.limit:
            raise _Stop("FAIL", "cost", f"It costs more than it needs to. {cost.why}")

    def _ratio(self, answer: _Module, solution: _Module) -> float | None:
        """CPU time per call over the solution's: the least of several, in turns, because the machine is shared."""
        body = f"""
            from time import process_time
            from timeit import repeat
            call = exercise.cost.body(module)
            result = min(repeat(call, timer=process_time, number={COST_CALLS}, repeat=5)) / {COST_CALLS}
        """
        best: dict[str, float] = {}
        for _ in range(2):
            for name, built in (("answer", answer), ("solution", solution)):
                seen = self._in_child(built, body, COST_S, "cost")
                self._could_be_told(seen, body, COST_S, "cost")
                if seen.outcome != "ok" and name == "answer":
                    self._say("cost", self._ending_words(seen))
                    says = f"{COST_CALLS:,} calls, one after another, must come to an end."
                    raise _Stop("FAIL", "cost", says)
                if seen.outcome != "ok" or not seen.returned:
                    return None
                best[name] = min(best.get(name, math.inf), float(seen.returned))
        return best["answer"] / best["solution"]


def _has_race_point(built: _Module) -> bool:
    """Whether a RACE_POINT() was compiled into a module: only then the header leaves its variable's name in it."""
    return isinstance(built, Built) and b"RACELAB_WIDEN" in built.path.read_bytes()


def _shown(seconds: float) -> str:
    return f"{seconds:.0f} s" if seconds >= 1 else f"{seconds:.2g} s"


def _at_most(cpu_s: float) -> str:
    """How long a child with one thread may compute, and wait."""
    return f"at most {_shown(cpu_s)}, or {_shown(WALL_S)} on a busy machine"


def _percent(share: float) -> str:
    return f"{100 * share:.2g} %"


def _conditions(gil: bool | None, lab: Lab | None) -> str:
    import platform

    state = {None: "", True: ", GIL on", False: ", GIL off"}[gil]
    threads = f", {lab.allowed_threads[0]} threads" if lab else ""
    return f"{platform.python_version()}t{state}, {cores_words(machine.cores_usable())}{threads}"
