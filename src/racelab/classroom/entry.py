"""What a learner hands in: one check or one race, as JSON, and the only place that knows its form.

The client makes entries, the server takes nothing that this module would not have made.
"""

from __future__ import annotations

import json
import re
import uuid
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, fields, replace
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from racelab.checking import Verdict
    from racelab.result import Result
    from racelab.stats import Rate

__all__ = ["REASONS", "VERDICTS", "ClassError", "Entry", "learner_of", "parse", "valid_name"]

VERDICTS = ("PASS", "FAIL", "INCONCLUSIVE")
#: Words of `Verdict.reason`.
REASONS = (
    *("right", "compile", "single", "trial", "race", "gil", "cost", "sanitizer", "tampered"),
    *("no-power", "no-race-point", "too-slow"),
)
UNITS = ("round", "repetition")
MOST = 10**15
#: An end of an interval that is not 0 is at least this: no race has so many rounds that it could be less.
LEAST = 1e-18
LONGEST_NAME = 40
MOST_POINTS = 24
WEEK_S = 7 * 24 * 3600
#: Of every interval that is handed in, whatever the race was asked for: the page says so.
CONFIDENCE = 0.95
#: Fields that the store keeps as JSON.
LISTS = ("points", "interval", "repetition_interval")
_ID = re.compile(r"[0-9a-f]{32}")
_SLUG = re.compile(r"[a-z][a-z0-9_]{0,63}")


class ClassError(ValueError):
    """Something about the class that its user has to hear; the message says what to do."""

    def _render_traceback_(self) -> list[str]:
        return [str(self)]


@dataclass(frozen=True)
class Entry:
    """One check of an exercise, or one race of a lab.

    Attributes:
        key: its own; handed in twice it counts once.
        learner: whose; chosen when the class is joined, so that two people may have one name.
        name: what the learner wants to be called.
        machine, cores: where it ran.
        kind: "check" or "race".
        subject: the exercise's slug or the lab's name.
        variant, threads, gil: of a race.
        per: rounds in each repetition of a race; 0 where they differ, or of a check.
        widened: race points were held open.
        verdict, reason: of a check.
        unit: what `failed`, `rounds`, `power_failed` and `power_rounds` count.
        failed, rounds: of the answer, or of what was raced.
        power_failed, power_rounds: of the starter, under the same settings.
        interval: both ends, as racelab draws them, of `failed` in `rounds`, or of a check's starter; () if unknown.
        failed_repetitions, repetitions: processes of a race, which is what racelab `--count` counts.
        repetition_interval: both ends of `failed_repetitions` in `repetitions`; () if unknown.
        inconclusive: nothing failed in a race, and the known race showed nothing on that machine either.
        first: number of the first repetition that failed; 0: none did.
        points: (repetitions so far, failed so far), at most 24 on the way, the last being all.
        age: seconds since it happened, when it is handed in.
    """

    key: str
    learner: str
    name: str
    machine: str
    cores: float
    kind: str
    subject: str
    variant: str = ""
    threads: int = 0
    gil: bool = False
    per: int = 0
    widened: bool = False
    verdict: str = ""
    reason: str = ""
    unit: str = "round"
    failed: int = 0
    rounds: int = 0
    power_failed: int = 0
    power_rounds: int = 0
    interval: tuple[float, ...] = ()
    failed_repetitions: int = 0
    repetitions: int = 0
    repetition_interval: tuple[float, ...] = ()
    inconclusive: bool = False
    first: int = 0
    points: tuple[tuple[int, int], ...] = ()
    age: int = 0

    def as_json(self) -> dict[str, Any]:
        """What is sent."""
        return asdict(self)

    @staticmethod
    def of_verdict(verdict: Verdict, learner: str, name: str) -> Entry:
        """A check."""
        power_rounds = max(verdict.power_failed, verdict.power_rounds)
        return Entry(
            **_who(learner, name),
            kind="check",
            subject=verdict.exercise,
            widened=verdict.widened,
            verdict=verdict.verdict,
            reason=verdict.reason,
            unit=verdict.unit,
            failed=verdict.failed,
            rounds=max(verdict.failed, verdict.rounds),
            power_failed=verdict.power_failed,
            power_rounds=power_rounds,
            interval=_fitting(verdict.power_interval, verdict.power_failed, power_rounds),
        )

    @staticmethod
    def of_result(result: Result, learner: str, name: str) -> Entry:
        """A race.

        Raises:
            ClassError: it cannot be compared with anybody else's.
        """
        if not result.ran:
            raise ClassError("Nothing raced, so there is nothing to share.")
        if result.sanitizer or result.stride != 1:
            raise ClassError("Only races without a sanitizer, at stride 1, can be compared.")
        if not _SLUG.fullmatch(result.lab):
            raise ClassError(
                f"{result.lab!r}: a lab that is shared has a name such as lost_update."
            )
        if result.confidence != CONFIDENCE:
            result = replace(result, confidence=CONFIDENCE)
        ran = result.ran
        failures = [number for number, r in enumerate(ran, start=1) if r.failed_rounds]
        alone = result.mode != "rounds"
        sizes = {r.rounds for r in ran if r.ending == "ok"}
        whole = result.rate_per_repetition
        rate = whole if alone else result.rate_per_round
        # Not one round was run: each repetition ended in its first.
        failed, rounds = (rate.failed, rate.runs) if rate else (result.failed_rounds, len(ran))
        return Entry(
            **_who(learner, name),
            kind="race",
            subject=result.lab,
            variant=result.variant or "",
            threads=result.threads,
            gil=bool(result.gil),
            per=1 if alone else sizes.pop() if len(sizes) == 1 and len(ran) > 1 else 0,
            widened=result.widened,
            unit="repetition" if alone else "round",
            failed=failed,
            rounds=rounds,
            interval=_ends(rate),
            failed_repetitions=len(failures),
            repetitions=len(ran),
            repetition_interval=_ends(whole),
            inconclusive=result.calibration_silent and not failed,
            first=failures[0] if failures else 0,
            points=_points(failures, len(ran)),
        )


def _who(learner: str, name: str) -> dict[str, Any]:
    from racelab import machine

    cpu = re.sub(r"\((R|TM|tm)\)|\b(CPU|Processor)\b|@.*$", " ", machine.cpu_name())
    shown = "".join(letter for letter in " ".join(cpu.split()) if letter.isprintable())
    return {
        "key": uuid.uuid4().hex,
        "learner": learner,
        "name": name,
        "machine": shown[:80] or "a machine",
        "cores": machine.cores_usable(),
    }


def _ends(rate: Rate | None) -> tuple[float, ...]:
    """Both ends of a rate's interval."""
    if rate is None:
        return ()
    ends = tuple(end if end >= LEAST else 0.0 for end in (rate.low, rate.high))
    return _fitting(ends, rate.failed, rate.runs)


def _fitting(ends: tuple[float, ...], failed: int, runs: int) -> tuple[float, ...]:
    """The ends if the rate lies between them, as the server asks: a bootstrap does not promise that."""
    return ends if _between(ends, failed, runs) else ()


def _between(ends: tuple[float, ...], failed: int, runs: int) -> bool:
    """Whether there are two ends, and the rate is not outside them but for rounding."""
    if len(ends) != 2 or not runs:
        return False
    low, high = ends
    return low - 1e-9 <= failed / runs <= high + 1e-9


def _points(failures: list[int], repetitions: int) -> tuple[tuple[int, int], ...]:
    """How many had failed after so many: at 24 places, evenly on a logarithmic scale."""
    last = MOST_POINTS - 1
    places = sorted({round(repetitions ** (i / last)) for i in range(MOST_POINTS)})
    return tuple((n, sum(at <= n for at in failures)) for n in places)


# ---------------------------------------------------------------------------------------------------
# What the server takes
# ---------------------------------------------------------------------------------------------------


def valid_name(name: str) -> str:
    """A name as it is kept.

    Raises:
        ClassError: it has no letters, too many, or some that nobody can see.
    """
    kept = " ".join(name.split(" ")).strip()
    if not 1 <= len(kept) <= LONGEST_NAME or not kept.isprintable():
        raise ClassError(f"A name has 1 to {LONGEST_NAME} letters, all of which can be seen.")
    return kept


def parse(body: bytes) -> Entry:
    """The entry in the body of a request.

    Raises:
        ClassError: it is none; the message says what is wrong.
    """
    found = _object(body)
    known = {field.name: field for field in fields(Entry)}
    for name in found:
        if name not in known:
            raise ClassError("There is a field that no entry has.")
    for name in ("key", "learner", "name", "machine", "cores", "kind", "subject"):
        if name not in found:
            raise ClassError(f"{name} is missing.")
    for name, value in found.items():
        _CHECKS[str(known[name].type)](name, value)
    found["points"] = tuple(map(tuple, found.get("points", ())))
    for name in ("interval", "repetition_interval"):
        found[name] = tuple(map(float, found.get(name, ())))
    entry = Entry(**found)
    _coherent(entry)
    return entry


def learner_of(body: bytes) -> str:
    """Who takes part no more, from the body of a request.

    Raises:
        ClassError: nobody; the message says what is wrong.
    """
    found = _object(body)
    learner = found.get("learner")
    _must(set(found) == {"learner"} and isinstance(learner, str), "Say who leaves: learner.")
    _must(_ID.fullmatch(str(learner)), "learner is 32 hexadecimal digits.")
    return str(learner)


def _object(body: bytes) -> dict[str, Any]:
    try:
        found = json.loads(body.decode("utf-8"))
    except (ValueError, RecursionError):
        raise ClassError("The body is not JSON.") from None
    if not isinstance(found, dict):
        raise ClassError("The body is not a JSON object.")
    return found


def _text(name: str, value: object) -> None:
    if not isinstance(value, str) or len(value) > 80 or not value.isprintable():
        raise ClassError(f"{name} is a text of at most 80 printable characters.")


def _whole(name: str, value: object) -> None:
    if type(value) is not int or not 0 <= value <= MOST:
        raise ClassError(f"{name} is a whole number from 0 to {MOST:.0e}.")


def _number(name: str, value: object) -> None:
    if type(value) not in (int, float) or not 0 < value <= 4096:  # type: ignore[operator]
        raise ClassError(f"{name} is a number above 0, up to 4096.")


def _truth(name: str, value: object) -> None:
    if type(value) is not bool:
        raise ClassError(f"{name} is true or false.")


def _pairs(name: str, value: object) -> None:
    if not isinstance(value, list) or len(value) > MOST_POINTS:
        raise ClassError(f"{name} is a list of at most {MOST_POINTS} pairs.")
    for pair in value:
        if not isinstance(pair, list) or len(pair) != 2:
            raise ClassError(f"{name} is a list of pairs.")
        for number in pair:
            _whole(name, number)


def _range(name: str, value: object) -> None:
    if not isinstance(value, list) or len(value) not in (0, 2):
        raise ClassError(f"{name} is a list of two numbers, or an empty one.")
    for number in value:
        if type(number) not in (int, float) or not (number == 0 or LEAST <= number <= 1):
            raise ClassError(
                f"{name} has numbers from 0 to 1, and none so small as no race can tell."
            )
    if value != sorted(value):
        raise ClassError(f"{name} begins with its lower end.")


_CHECKS = {
    "str": _text,
    "int": _whole,
    "float": _number,
    "bool": _truth,
    "tuple[float, ...]": _range,
    "tuple[tuple[int, int], ...]": _pairs,
}


def _coherent(entry: Entry) -> None:
    """What one field says about another."""
    for name in ("key", "learner"):
        _must(_ID.fullmatch(getattr(entry, name)), f"{name} is 32 hexadecimal digits.")
    _must(valid_name(entry.name) == entry.name, "The name begins or ends with a space.")
    _must(entry.machine.strip(), "The machine has no name.")
    _must(_SLUG.fullmatch(entry.subject), "The subject is no name of an exercise or lab.")
    _must(not entry.variant or _SLUG.fullmatch(entry.variant), "The variant is no name.")
    _must(entry.unit in UNITS, "The unit is round or repetition.")
    _must(entry.age <= WEEK_S, "Results older than a week are not taken.")
    _must(entry.threads <= 4096, "There are at most 4096 threads.")
    for failed, runs in (
        (entry.failed, entry.rounds),
        (entry.power_failed, entry.power_rounds),
        (entry.failed_repetitions, entry.repetitions),
    ):
        _must(failed <= runs, "More has failed than was run.")
    check = entry.kind == "check"
    counted = (entry.power_failed, entry.power_rounds) if check else (entry.failed, entry.rounds)
    whole = (entry.failed_repetitions, entry.repetitions)
    for ends, of in ((entry.interval, counted), (entry.repetition_interval, whole)):
        _must(not ends or _between(ends, *of), "The rate is not within its interval.")
    _must(
        not (entry.inconclusive and (entry.failed or entry.failed_repetitions)),
        "What has failed is not inconclusive.",
    )
    if check:
        _must(not entry.inconclusive, "A check says so by its verdict.")
        _must(entry.verdict in VERDICTS, "The verdict is PASS, FAIL or INCONCLUSIVE.")
        _must(entry.reason in REASONS, "The reason is none that a check gives.")
        _must(not entry.repetitions and not entry.points, "A check has no repetitions.")
    elif entry.kind == "race":
        _must(not entry.verdict and not entry.reason, "A race has no verdict.")
        _must(not entry.power_rounds, "A race has no starter.")
        _must(entry.repetitions >= 1, "A race has at least one repetition.")
        _must(entry.threads >= 1, "A race has at least one thread.")
        _must_add_up(entry)
    else:
        raise ClassError("The kind is check or race.")


def _must_add_up(entry: Entry) -> None:
    """The points of a race grow, and end with its counts."""
    first = entry.first
    _must(bool(first) == bool(entry.failed_repetitions), "The first failure does not fit.")
    _must(first <= entry.repetitions, "The first failure came after the last repetition.")
    _must(entry.points, "A race has points.")
    _must(_grow(entry.points), "The points do not grow.")
    last = (entry.repetitions, entry.failed_repetitions)
    _must(entry.points[-1] == last, "The last point is not the whole race.")
    for n, k in entry.points:
        _must((k > 0) == (0 < first <= n), "The points do not fit the first failure.")


def _grow(points: Iterable[tuple[int, int]]) -> bool:
    before = (0, 0)
    for n, k in points:
        if not (n > before[0] and 0 <= k - before[1] <= n - before[0]):
            return False
        before = (n, k)
    return True


def _must(holds: object, sentence: str) -> None:
    if not holds:
        raise ClassError(sentence)


def columns(entry: Entry) -> Mapping[str, Any]:
    """What the store keeps in columns of its own: everything but who it was, and when."""
    kept = entry.as_json()
    for name in ("learner", "name", "age"):
        del kept[name]
    for name in LISTS:
        kept[name] = json.dumps(kept[name], separators=(",", ":"))
    return kept
