"""What a race has shown: counts, grades and rates, as a table, as JSON, and side by side.

A result knows nothing of how it was made. Two kinds of outcome meet in it: labels of rounds, counted
once per round, and endings of repetitions ("crash(SIGSEGV)", "hang"), counted once per repetition, each
of which has cost the one round that it ended.
"""

from __future__ import annotations

import functools
import html
import json
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields, replace
from typing import TYPE_CHECKING, Any

from racelab import stats
from racelab.lab import Grade

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from racelab.living import Explorer
    from racelab.reports import Report

__all__ = ["Comparison", "Repetition", "Result", "compare", "merge"]

CAUTION = "caution"
#: Reports that are shown below a table, and those whose text is kept in JSON.
SHOWN = 4
KEPT = 20
SEVERE = ("FORBIDDEN", "INTERESTING", "ACCEPTABLE", "NOT-RUN")


@dataclass(frozen=True)
class Repetition:
    """One child process.

    Attributes:
        outcomes: label to rounds, of the rounds that were finished.
        ending: "ok", or how it ended otherwise: "crash(SIGSEGV)", "hang", "error(ExcType)" and so on.
        rounds: how many rounds were finished and graded.
        seconds: from the start of the process to its end.
        failed_rounds: rounds with a forbidden outcome, the one that a forbidden ending cut off included.
        first_failure_ns: from the start of the race to the first forbidden round; None without one.
        ungraded: rounds that were over, but not graded yet when a process died.
        reported: what a sanitizer has reported besides the ending, as labels.
        note: what else is to be said: the traceback of a crash, the stacks of a hang, an error's text.
    """

    outcomes: Mapping[str, int]
    ending: str
    rounds: int
    seconds: float
    failed_rounds: int = 0
    first_failure_ns: int | None = None
    note: str = ""
    ungraded: int = 0
    reported: tuple[str, ...] = ()


@dataclass(frozen=True)
class Result:
    """What all repetitions of a race have shown together.

    Attributes:
        lab, variant, question: what was raced.
        outcomes: label to count: rounds, or repetitions for endings (see `endings`).
        grades: label to grade, of every declared outcome and every one that was seen.
        endings: those labels that end a repetition; their count is in repetitions.
        repetitions: one record per child process.
        threads, stride, burst, release, offsets_ns: how the threads met.
        widened: race points were held open on purpose; never comparable with what was not.
        detached_rounds: rounds in which a thread had detached while it waited for the others.
        skew_ns: time between first and last thread released: p50 and p95 over all rounds, or None.
        rounds_per_s: median over the repetitions; None if no repetition finished a batch.
        gil: whether the GIL was on while it raced; None if it never raced.
        gil_enabled_by: the module that enabled it, when known.
        calibrated: whether the calibration race showed something here: True, False, or None where it
            was not asked because something forbidden was seen.
        python, machine, cores, compiler, flags, sanitizer, source_sha256, mode, date, wall_s: where
            and how it was made.
        confidence: level of the intervals.
        race_points: whether the module raced has a RACE_POINT() that could be held open; None where that
            is not known.
        notes: sentences that belong to the table.
        reports: what a sanitizer or a debug interpreter has written: each distinct report, and how often
            it came in all repetitions. Those that the extension has part in come first.
    """

    lab: str
    variant: str | None
    question: str
    outcomes: Mapping[str, int]
    grades: Mapping[str, Grade]
    endings: tuple[str, ...]
    repetitions: tuple[Repetition, ...]
    threads: int
    stride: int = 1
    burst: int = 1
    release: str = "barrier"
    offsets_ns: tuple[float, ...] = ()
    widened: bool = False
    detached_rounds: int = 0
    skew_ns: Mapping[str, float] | None = None
    skew_bins: tuple[tuple[float, float, int], ...] = ()
    rounds_per_s: float | None = None
    gil: bool | None = None
    gil_enabled_by: str | None = None
    calibrated: bool | None = None
    python: str = ""
    machine: str = ""
    cores: float = 0
    compiler: str = ""
    flags: tuple[str, ...] = ()
    sanitizer: str | None = None
    source_sha256: str = ""
    mode: str = "rounds"
    date: str = ""
    wall_s: float = 0.0
    confidence: float = 0.95
    notes: tuple[str, ...] = field(default=())
    reports: tuple[tuple[Report, int], ...] = field(default=())
    race_points: bool | None = None

    # -- counts ------------------------------------------------------------------------------------

    @property
    def rounds(self) -> int:
        """Rounds that were finished and graded, in all repetitions."""
        return sum(repetition.rounds for repetition in self.repetitions)

    @property
    def ran(self) -> tuple[Repetition, ...]:
        """Repetitions that say something about the code: not those that could not run."""
        return tuple(r for r in self.repetitions if self._grade(r.ending) != "NOT-RUN")

    @property
    def failed_repetitions(self) -> int:
        """Repetitions in which something forbidden was seen at least once."""
        return sum(1 for repetition in self.ran if repetition.failed_rounds)

    @property
    def failed_rounds(self) -> int:
        """Rounds with a forbidden outcome; a forbidden ending counts as one."""
        return sum(repetition.failed_rounds for repetition in self.ran)

    @property
    def forbidden(self) -> dict[str, int]:
        """The forbidden outcomes that were seen, with their counts. Empty: nothing forbidden seen."""
        return {
            label: count
            for label, count in self.outcomes.items()
            if count and self._grade(label) == "FORBIDDEN"
        }

    @property
    def calibration_silent(self) -> bool:
        """Nothing forbidden was seen, and neither did the calibration race show anything here."""
        return not self.forbidden and self.calibrated is False

    @property
    def exit_status(self) -> int:
        """0 nothing forbidden seen, 1 forbidden seen, 2 could not run, 3 inconclusive.

        One repetition that could not run is enough for 2: it has ended the race, and what was to follow is missing.
        """
        if self.forbidden:
            return 1
        if len(self.ran) < len(self.repetitions) or not self.ran:
            return 2
        return 3 if self.calibration_silent else 0

    def _grade(self, label: str) -> str:
        grade = self.grades.get(label)
        return grade.name if grade else "ACCEPTABLE"

    # -- rates -------------------------------------------------------------------------------------

    @functools.cached_property
    def rate_per_round(self) -> stats.Rate | None:
        """How often a round failed; None where no round was run.

        A round that ended its process is one failed round; those that were over but not graded yet
        count as not failed. Rounds of one process need not be independent, so the interval rests on how
        much the processes differ (`stats.over_processes`). Where there is one process, or where none or
        all of the rounds failed, it takes rounds as independent: see `takes_rounds_as_independent`.
        """
        counted = [(r.failed_rounds, self._rounds_of(r)) for r in self.ran if self._rounds_of(r)]
        if not counted:
            return None
        failed, runs = [n for n, _ in counted], [n for _, n in counted]
        if len(counted) > 1 and 0 < sum(failed) < sum(runs):
            return stats.over_processes(failed, runs, self.confidence)
        return stats.rate_per_round(sum(failed), sum(runs), self.confidence)

    @property
    def takes_rounds_as_independent(self) -> bool:
        """Whether the interval per round is right only if rounds of one process are independent."""
        return self.rate_per_round is not None and self.rate_per_round.method != "over processes"

    def _rounds_of(self, repetition: Repetition) -> int:
        """Rounds that a repetition finished, graded or not, and the one that ended it."""
        cut_off = self._grade(repetition.ending) == "FORBIDDEN"
        return repetition.rounds + repetition.ungraded + cut_off

    @functools.cached_property
    def rate_per_repetition(self) -> stats.Rate | None:
        """How often a repetition, one whole process, failed; None where none ran."""
        runs = len(self.ran)
        if not runs:
            return None
        return stats.rate_per_repetition(self.failed_repetitions, runs, self.confidence)

    @functools.cached_property
    def spread(self) -> stats.Spread | None:
        """How much the processes differ in their rate per round; None with fewer than two."""
        ran = [r for r in self.ran if r.rounds]
        if len(ran) < 2:
            return None
        return stats.spread([min(r.failed_rounds, r.rounds) for r in ran], [r.rounds for r in ran])

    @property
    def time_to_first_failure_s(self) -> tuple[float, ...]:
        """For each repetition that failed in a round: seconds of racing before it did."""
        return tuple(r.first_failure_ns / 1e9 for r in self.ran if r.first_failure_ns is not None)

    # -- tables ------------------------------------------------------------------------------------

    def _labels(self) -> list[str]:
        """Declared and seen outcomes: the gravest first, then the most frequent."""
        labels = [label for label in {**self.grades, **self.outcomes} if "*" not in label]
        return sorted(
            labels,
            key=lambda label: (SEVERE.index(self._grade(label)), -self.outcomes.get(label, 0)),
        )

    def _seen_in(self, label: str) -> int:
        return sum(
            1
            for r in self.repetitions
            if r.ending == label or label in r.reported or r.outcomes.get(label)
        )

    def table(self) -> list[tuple[str, str, str, str, str]]:
        """Rows of (outcome, rounds, repetitions, grade, why); also the declared ones that never came."""
        many = len(self.repetitions)
        rows = []
        for label in self._labels():
            count = self.outcomes.get(label, 0)
            rounds = "" if label in self.endings else f"{count:,}"
            grade = self.grades.get(label)
            rows.append(
                (
                    label,
                    rounds,
                    f"{self._seen_in(label):,} of {many:,}",
                    self._grade(label),
                    grade.text if grade else "",
                )
            )
        return rows

    @property
    def title(self) -> str:
        """Lab and variant, and whether it was widened."""
        name = self.lab if self.variant is None else f"{self.lab}, {self.variant}"
        return f"{name} (widened)" if self.widened else name

    def sentences(self) -> list[str]:
        """Rates and conditions, in words."""
        said = []
        if self.rate_per_round is not None and self.mode != "cold":
            unknown = ", if rounds are independent" if self.takes_rounds_as_independent else ""
            if unknown and len(self.ran) == 1:
                unknown += " (one process cannot show whether they are)"
            said.append(f"per round       {self.rate_per_round}{unknown}")
        if self.rate_per_repetition is not None:
            said.append(f"per repetition  {self.rate_per_repetition}")
        spread = self.spread
        if spread is not None and spread.warning:
            said.append(f"spread          {spread.warning}")
        said += [f"{CAUTION:<16}{text}" for text in self._cautions()]
        said.append(f"conditions      {self.conditions()}")
        said += [f"note            {text}" for text in self._remarks()]
        said += [f"report          {text}" for text in self._reported()]
        return said

    def conditions(self) -> str:
        """Interpreter, threads, rounds and speed: what the numbers depend on."""
        gil = "never raced" if self.gil is None else f"GIL {'on' if self.gil else 'off'}"
        parts = [
            f"{self.python.partition(' ')[0]}, {gil}",
            f"{self.threads} threads on {cores_words(self.cores)}",
            f"{_many(len(self.repetitions), 'repetition')}, {_many(self.rounds, 'round')}",
        ]
        ungraded = sum(r.ungraded for r in self.ran)
        if ungraded:
            parts.append(f"{ungraded:,} more over but not yet graded when their process died")
        if self.rounds_per_s:
            parts.append(f"{self.rounds_per_s:,.0f} rounds/s")
        if self.skew_ns:
            parts.append(
                f"skew p50 {self.skew_ns['p50']:,.0f} ns, p95 {self.skew_ns['p95']:,.0f} ns"
            )
        parts.append(f"stride {self.stride}, burst {self.burst}")
        if any(self.offsets_ns):
            parts.append("offsets " + ", ".join(f"{ns:g}" for ns in self.offsets_ns) + " ns")
        if self.sanitizer:
            parts.append(f"sanitizer {self.sanitizer}")
        return ", ".join(parts)

    def _cautions(self) -> list[str]:
        """What nobody who reads a number may overlook."""
        said = []
        if self.gil_enabled_by:
            said.append(
                f"{self.gil_enabled_by} turned the GIL back on: it does not declare Py_MOD_GIL_NOT_USED. "
                + (
                    "It was raced with the GIL on."
                    if self.gil
                    else "Declare it (C: the Py_mod_gil slot; Cython: # cython: freethreading_compatible=True), "
                    "or try it without: --gil 0 (gil=0), or race as it is: --allow-gil (allow_gil=True)."
                )
            )
        left_out = len(self.repetitions) - len(self.ran)
        if self.ran and left_out:
            said.append(
                f"{_many(left_out, 'repetition')} could not run, and the race ended there: it is no clean run."
            )
        if self.widened:
            where = (
                "those of its libraries alone, if any"
                if self.race_points is False
                else "race points"
            )
            said.append(
                f"Widened: {where} were held open. This shows that a window is there, not how often it is hit."
            )
        if self.calibration_silent:
            said.append(
                f"INCONCLUSIVE: the built-in known race, not widened, shows nothing here either ({cores_words(self.cores)}, "
                f"this GIL setting). A clean run says nothing by itself{self._instead()}"
            )
        return said

    def _instead(self) -> str:
        """What to do where a clean run says nothing."""
        if self.gil:
            if not self.gil_enabled_by:
                return ": with the GIL on, threads take turns. Race with it off."
            return ": with the GIL on, threads take turns. Try it without: --gil 0 (gil=0)."
        if self.race_points is False:
            return (
                ". The module has no RACE_POINT() that --widen could hold open: put one into the window "
                '(#include "racelab/race_point.h"), or try --sanitizer thread.'
            )
        if self.widened:
            fixed = self.variant is not None and self.variant.startswith("fixed")
            return "; look at the broken half, widened too." if fixed else "."
        return "; try --widen."

    def _remarks(self) -> list[str]:
        said = list(self.notes)
        if self.detached_rounds > 0.01 * self.rounds:
            said.append(
                f"In {self.detached_rounds:,} rounds a thread had detached while it waited for the others."
            )
        if self._may_try_more():
            said.append(
                "Nothing forbidden seen with one call per burst. Try Actor(..., burst=50), "
                'mode="cold" (first calls), mode="hang" (deadlocks), --search (an offset), --sanitizer thread.'
            )
        noted = (r for r in self.repetitions if r.note)
        first = next((r.note for r in noted if not self._is_reported(r.ending)), "")
        if first:
            said.append(f"First of its kind: {first.strip()}")
        return said

    def _may_try_more(self) -> bool:
        """Whether a lab without a broken and a fixed half was raced in the most usual way alone, in vain."""
        usual = self.mode == "rounds" and self.burst == 1 and not (self.sanitizer or self.gil)
        return usual and self.variant is None and bool(self.ran) and not self.forbidden

    def _is_reported(self, label: str) -> bool:
        """Whether the result shows the report itself, so that no note need repeat it."""
        return any(label == f"sanitizer({report.label})" for report, _ in self.reports)

    def _reported(self) -> list[str]:
        """The reports in short, as many as a reader will read."""
        from racelab.reports import by_label

        groups = by_label(self.reports)
        said = [f"{_many(group.count, 'time')}: {group.short()}" for group in groups[:SHOWN]]
        more = groups[SHOWN:]
        if more:
            elsewhere = sum(group.elsewhere for group in more)
            said.append(
                f"{_many(len(more), 'report')} more, {elsewhere} of them not the extension's: see result.reports"
            )
        return said

    def __str__(self) -> str:
        head = ("outcome", "rounds", "repetitions", "grade", "why")
        rows = [head, *self.table()]
        widths = [max(len(row[i]) for row in rows) for i in range(len(head))]
        lines = [f"{self.title}: {self.question}".rstrip(": "), ""]
        for row in rows:
            cells = [
                f"{text:>{width}}" if i in (1, 2) else f"{text:<{width}}"
                for i, (text, width) in enumerate(zip(row, widths, strict=True))
            ]
            lines.append("  ".join(cells).rstrip())
        lines.append("")
        for sentence in self.sentences():
            lines.append(sentence.replace("\n", "\n" + " " * 16))
        return "\n".join(lines)

    def __repr__(self) -> str:
        seen = ", ".join(f"{label}: {count}" for label, count in self.outcomes.items() if count)
        return f"<Result {self.title}: {seen or 'nothing'}>"

    def _repr_pretty_(self, printer: Any, cycle: bool) -> None:
        printer.text(str(self) if not cycle else "Result(...)")

    def _repr_html_(self) -> str:
        return result_html(self)

    # -- JSON --------------------------------------------------------------------------------------

    def as_json(self) -> dict[str, Any]:
        """The object that ``racelab race --json`` prints."""
        per_round, per_repetition = self.rate_per_round, self.rate_per_repetition
        return {
            "lab": self.lab,
            "variant": self.variant,
            "outcomes": {
                label: {"count": self.outcomes.get(label, 0), "grade": self._grade(label)}
                for label in self._labels()
            },
            "rounds": self.rounds,
            "repetitions": len(self.repetitions),
            "failed_repetitions": self.failed_repetitions,
            "rate_per_round": per_round.to_json() if per_round else None,
            "rate_per_repetition": per_repetition.to_json() if per_repetition else None,
            "rounds_per_s": self.rounds_per_s,
            "threads": self.threads,
            "stride": self.stride,
            "burst": self.burst,
            "release": self.release,
            "offsets_ns": list(self.offsets_ns),
            "widened": self.widened,
            "detached_rounds": self.detached_rounds,
            "skew_ns": dict(self.skew_ns) if self.skew_ns else None,
            "gil": self.gil,
            "gil_enabled_by": self.gil_enabled_by,
            "calibrated": self.calibrated,
            "mode": self.mode,
            "python": self.python,
            "machine": self.machine,
            "cores": self.cores,
            "compiler": self.compiler,
            "sanitizer": self.sanitizer,
            **({"reports": reports_as_json(self.reports)} if self.reports else {}),
            "source_sha256": self.source_sha256,
            "date": self.date,
            "wall_s": round(self.wall_s, 3),
        }

    def to_json_line(self) -> str:
        """Everything, on one line, without a line break: what a .jsonl file holds."""
        everything = asdict(replace(self, reports=()))
        everything["reports"] = reports_as_json(self.reports)
        for repetition in everything["repetitions"]:
            repetition["reported"] = list(repetition["reported"])
        if self.race_points is None:
            del everything["race_points"]
        # Most races know nothing of sanitizers; their lines shall not grow.
        if not self.reports:
            del everything["reports"]
            for repetition in everything["repetitions"]:
                del repetition["reported"]
        return json.dumps({**everything, "summary": self.as_json()}, separators=(",", ":"))

    @classmethod
    def from_json_line(cls, line: str) -> Result:
        """The result that `to_json_line` wrote.

        Raises:
            ValueError: the line is no such thing; the message says what is missing.
        """
        try:
            data = json.loads(line)
            known = {item.name for item in fields(cls)}
            values = {name: value for name, value in data.items() if name in known}
            values["grades"] = {k: Grade(**v) for k, v in values["grades"].items()}
            values["repetitions"] = tuple(
                Repetition(**{**r, "reported": tuple(r.get("reported", ()))})
                for r in values["repetitions"]
            )
            values["reports"] = _reports_from_json(values.get("reports", ()))
            values["skew_bins"] = tuple((a, b, int(n)) for a, b, n in values["skew_bins"])
            for name in ("endings", "offsets_ns", "flags", "notes"):
                values[name] = tuple(values[name])
            return cls(**values)
        except (KeyError, TypeError, AttributeError, ValueError) as error:
            raise ValueError(
                f"this line is no result of racelab ({error!r}): {line[:80]!r}"
            ) from error

    # -- figures -----------------------------------------------------------------------------------

    def series(self, *, recorded: bool = False) -> Any:
        """Which repetitions failed, in order, as `plots` draws them.

        Args:
            recorded: whether it comes from a recorded line and not from today.
        """
        from racelab import plots

        return plots.Series(
            failures=[int(bool(r.failed_rounds)) for r in self.ran],
            variant=self.variant or "broken",
            label=self.title,
            recorded=recorded,
        )

    def plot(self, ax: Axes | None = None) -> Axes:
        """The failure rate against the number of repetitions; with fewer than 10, the outcomes as bars."""
        from racelab import plots

        if len(self.ran) >= 10:
            return plots.rate_vs_count(self.series(), confidence=self.confidence, ax=ax)
        graded = {k: v for k, v in self.as_json()["outcomes"].items() if v["grade"] != "NOT-RUN"}
        return plots.outcomes(graded, ax=ax, title=self.title)

    def explore(self) -> Explorer:
        """This result beside what was recorded of its lab, to be played with: outcomes, rates, cost.

        ``figure.update(other)`` takes in the results of further races, where the figure stands.
        See `racelab.living.explorer`, which takes names and timings, too.

        Example:
            >>> figure = rl.race("lost_update", "broken").explore()
            >>> figure
            >>> figure.update(rl.race("lost_update", "fixed"))
        """
        from racelab import living

        return living.explorer(self.lab, races=[self])

    # -- together ----------------------------------------------------------------------------------

    def merge(self, other: Result) -> Result:
        """This result and another of the same race as one; see `merge`."""
        return merge([self, other])

    def compare(self, fixed: Result) -> Comparison:
        """This one as the broken half against another as the fixed one."""
        return compare(self, fixed)


def cores_words(count: float) -> str:
    """A number of cores with its noun."""
    return f"{count:g} core{'' if count == 1 else 's'}"


def _many(count: int, unit: str) -> str:
    return f"{count:,} {unit}{'' if count == 1 else 's'}"


#: What must be equal in results that are added up.
SAME = (
    "lab",
    "variant",
    "threads",
    "stride",
    "burst",
    "release",
    "offsets_ns",
    "widened",
    "gil",
    "mode",
    "sanitizer",
    "source_sha256",
    "python",
)


def merge(results: Iterable[Result]) -> Result:
    """Results of the same race, made in several goes, as one.

    Raises:
        ValueError: there is none, or two differ in what they raced or how; the message says in what.
    """
    parts = list(results)
    if not parts:
        raise ValueError("merge() got no results.")
    first = parts[0]
    for part in parts[1:]:
        for name in SAME:
            mine, other = getattr(first, name), getattr(part, name)
            if mine != other:
                raise ValueError(
                    f"{first.title} and {part.title} are not the same race: {name} is {mine!r} and {other!r}."
                )
    counts: Counter[str] = Counter()
    for part in parts:
        counts.update(part.outcomes)
    speeds = sorted(part.rounds_per_s for part in parts if part.rounds_per_s)
    skews = [part.skew_bins for part in parts]
    bins = merge_bins(skews)
    return replace(
        first,
        outcomes=dict(counts),
        grades={label: grade for part in parts for label, grade in part.grades.items()},
        endings=tuple(sorted({label for part in parts for label in part.endings})),
        repetitions=tuple(r for part in parts for r in part.repetitions),
        detached_rounds=sum(part.detached_rounds for part in parts),
        skew_bins=bins,
        skew_ns=skew_summary(bins),
        rounds_per_s=speeds[len(speeds) // 2] if speeds else None,
        calibrated=_any_known(part.calibrated for part in parts),
        wall_s=sum(part.wall_s for part in parts),
        notes=tuple(dict.fromkeys(text for part in parts for text in part.notes)),
        reports=_merge_reports(part.reports for part in parts),
    )


def reports_as_json(found: Sequence[tuple[Report, int]]) -> list[dict[str, Any]]:
    """Distinct reports, the first of them with their texts, cut where they are long: of bounded size."""
    return [
        {
            "label": report.label,
            "count": count,
            "tool": report.tool,
            "kind": report.kind,
            "elsewhere": report.elsewhere,
            "text": report.text if number < KEPT else "",
        }
        for number, (report, count) in enumerate(found)
    ][: 10 * KEPT]


def _reports_from_json(data: Iterable[Mapping[str, Any]]) -> tuple[tuple[Report, int], ...]:
    """What was written, read again; a report whose text was not kept is left out."""
    from racelab.reports import parse

    return tuple((parse(item["text"])[0], int(item["count"])) for item in data if item["text"])


def _merge_reports(
    many: Iterable[Sequence[tuple[Report, int]]],
) -> tuple[tuple[Report, int], ...]:
    first: dict[Any, Report] = {}
    total: Counter[Any] = Counter()
    for report, count in (item for some in many for item in some):
        first.setdefault(report.key, report)
        total[report.key] += count
    return tuple((report, total[key]) for key, report in first.items())


def _any_known(values: Iterable[bool | None]) -> bool | None:
    known = [value for value in values if value is not None]
    return any(known) if known else None


def merge_bins(
    many: Iterable[Sequence[tuple[float, float, int]]],
) -> tuple[tuple[float, float, int], ...]:
    """Histograms with equal edges, added up."""
    total: Counter[tuple[float, float]] = Counter()
    for bins in many:
        for low, high, count in bins:
            total[(low, high)] += count
    return tuple((low, high, count) for (low, high), count in sorted(total.items()))


def binned(skews_ns: Iterable[float]) -> tuple[tuple[float, float, int], ...]:
    """A histogram of skews with the edges that a race's has: sixteen bins for each power of two, none below 1 ns."""
    total: Counter[tuple[float, float]] = Counter()
    for ns in map(int, skews_ns):
        shift = max(0, ns.bit_length() - 5)
        low = ns >> shift << shift
        total[(float(low), float(low + (1 << shift)))] += 1
    return tuple((low, high, count) for (low, high), count in sorted(total.items()))


def skew_summary(bins: Sequence[tuple[float, float, int]]) -> dict[str, float] | None:
    """Median and 95th percentile of a histogram, ns, by straight lines within a bin; None if it is empty."""
    rounds = sum(count for _, _, count in bins)
    if not rounds:
        return None
    return {"p50": _percentile(bins, 0.50 * rounds), "p95": _percentile(bins, 0.95 * rounds)}


def _percentile(bins: Sequence[tuple[float, float, int]], wanted: float) -> float:
    below = 0
    for low, high, count in bins:
        if count and below + count >= wanted:
            return low + (high - low) * (wanted - below) / count
        below += count
    return bins[-1][1]


@dataclass(frozen=True)
class Comparison:
    """Two results side by side: how many times as often the one fails as the other.

    Attributes:
        broken, fixed: the results.
        per_repetition: ratio of the failure rates per repetition.
        per_round: ratio of the failure rates per round; None where a side ran no round.
    """

    broken: Result
    fixed: Result
    per_repetition: stats.Ratio
    per_round: stats.Ratio | None

    def _rows(self) -> list[tuple[str, str]]:
        rows = [
            (result.title, str(result.rate_per_repetition)) for result in (self.broken, self.fixed)
        ]
        if self.per_round is not None:
            rows.append(("per round", str(self.per_round)))
        return [*rows, ("per repetition", str(self.per_repetition))]

    def __str__(self) -> str:
        width = max(len(label) for label, _ in self._rows())
        return "\n".join(f"{label:<{width}}  {text}" for label, text in self._rows())

    def _repr_pretty_(self, printer: Any, cycle: bool) -> None:
        printer.text(str(self) if not cycle else "Comparison(...)")

    def _repr_html_(self) -> str:
        from racelab.runner import rows_to_html

        return rows_to_html(self._rows(), f"{self.broken.title} against {self.fixed.title}")

    def plot(self, ax: Axes | None = None) -> Axes:
        """Both failure rates against the number of repetitions. Returns the Axes."""
        from racelab import plots

        return plots.rate_vs_count(self.broken.series(), self.fixed.series(), ax=ax)


def compare(broken: Result, fixed: Result) -> Comparison:
    """Compare two results, typically of `broken` and `fixed`.

    Raises:
        ValueError: one is widened and the other is not, or one of them never ran.
    """
    if broken.widened != fixed.widened:
        raise ValueError(
            f"{broken.title} and {fixed.title}: a widened result cannot be compared with one that is not."
        )
    per_repetition = (broken.rate_per_repetition, fixed.rate_per_repetition)
    if per_repetition[0] is None or per_repetition[1] is None:
        never = broken if per_repetition[0] is None else fixed
        raise ValueError(f"{never.title} never ran, so there is nothing to compare.")
    per_round = (broken.rate_per_round, fixed.rate_per_round)
    ratio = None
    if per_round[0] is not None and per_round[1] is not None:
        ratio = stats.ratio(per_round[0], per_round[1])
    return Comparison(broken, fixed, stats.ratio(per_repetition[0], per_repetition[1]), ratio)


def _sentence_html(sentence: str) -> str:
    label, text = sentence[:16].strip(), sentence[16:]
    first, _, more = text.partition("\n")
    block = f'<pre style="margin:.2em 0;overflow-x:auto">{html.escape(more)}</pre>' if more else ""
    return (
        '<p style="margin:.2em 0;white-space:pre-wrap;overflow-wrap:anywhere">'
        f"<b>{html.escape(label)}</b> {html.escape(first)}</p>{block}"
    )


def result_html(result: Result) -> str:
    """A result as an HTML table in the page's own colours; grades are told by words, not by colour."""
    from racelab.reports import by_label

    line = "border-top:1px solid color-mix(in srgb, currentColor 25%, transparent)"
    left, right = "text-align:left", "text-align:right;font-variant-numeric:tabular-nums"
    aligned = (left, right, right, left, left)
    head = "".join(
        f'<th scope="col" style="{style};padding:.2em .8em .2em 0">{html.escape(text)}</th>'
        for text, style in zip(
            ("outcome", "rounds", "repetitions", "grade", "why"), aligned, strict=True
        )
    )
    body = ""
    for row in result.table():
        weight = "font-weight:600;" if row[3] == "FORBIDDEN" and result.outcomes.get(row[0]) else ""
        cells = "".join(
            f'<td style="{weight}{style};padding:.2em .8em .2em 0;{line}">{html.escape(text)}</td>'
            for text, style in zip(row, aligned, strict=True)
        )
        body += f'<tr style="background:none">{cells}</tr>'
    open_ones = [text for text in result.sentences() if text.startswith(("per ", CAUTION))]
    shown = [text for text in result.sentences() if not text.startswith("report  ")]
    rest = [text for text in shown if text not in open_ones]
    said = "".join(map(_sentence_html, open_ones))
    said += (
        '<details><summary style="opacity:.85">How it was run</summary>'
        f"{''.join(map(_sentence_html, rest))}</details>"
    )
    for group in by_label(result.reports)[:SHOWN]:
        head = html.escape(f"Report, {_many(group.count, 'time')}: {group.label}")
        (first, _), *others = group.found[:SHOWN]
        inside = first._repr_html_()
        for report, count in others:
            against = html.escape(f"{_many(count, 'time')} against {report.against}")
            inside += f"<details><summary>{against}</summary>{report._repr_html_()}</details>"
        said += f"<details><summary>{head}</summary>{inside}</details>"
    question = f": {result.question}" if result.question else ""
    return (
        '<div class="racelab-result" style="overflow-x:auto">'
        '<table class="racelab-table" style="border-collapse:collapse;color:inherit;margin:.5em 0">'
        f'<caption style="text-align:left;opacity:.85">{html.escape(result.title + question)}</caption>'
        f"<thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>{said}</div>"
    )
