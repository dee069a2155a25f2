"""How often does it fail, and how sure are we? Intervals, bounds and plans for counted failures.

Standard library only, nothing random without a seed, accurate from 1 to 10**9 runs and down to
rates of 10**-9.

Two rates, two names, never mixed. A *round* is one simultaneous release inside a process; a
*repetition* is one process. `rate_per_round` and `rate_per_repetition` say which they are in the
`Rate` they return, and `ratio` refuses to divide one by the other.

Two intervals. `wilson` is the narrow one, for plots; `clopper_pearson` is the exact one, for
verdicts: it covers at least as often as it says. With no failures at all both give way to the exact
one-sided bound, `zero_failure_bound`: 0 of n is an upper bound, not an absence.

Sources:
    Wilson, J. Am. Stat. Assoc. 22 (1927) 209-212. Clopper and Pearson, Biometrika 26 (1934) 404-413.
    Hanley and Lippman-Hand, JAMA 249 (1983) 1743-1745 (rule of three).
    Loader, "Fast and Accurate Computation of Binomial Probabilities" (2000).
    Haldane, Biometrika 33 (1945) 222-225 (sampling until r failures).
    Przyborowski and Wilenski, Biometrika 31 (1940) 313-323 (ratio of two rates).
    Williams, Appl. Stat. 31 (1982) 144-148 (overdispersion by moments).
    Korn and Graubard, Survey Methodology 24 (1998) 193-201 (intervals from few clusters).
"""

from __future__ import annotations

import math
import operator
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

__all__ = [
    "Interval",
    "Rate",
    "Ratio",
    "Spread",
    "clopper_pearson",
    "cluster_bootstrap",
    "clustering",
    "detection",
    "detection_by_process",
    "detection_curve",
    "detection_observed",
    "first_failure",
    "half_height",
    "independence_warning",
    "over_processes",
    "plan",
    "plan_sentence",
    "rate_per_repetition",
    "rate_per_round",
    "ratio",
    "rule_of_three",
    "spread",
    "until_failures",
    "wilson",
    "zero_failure_bound",
]


class Interval(NamedTuple):
    """Low and high end of a two-sided interval, as fractions in [0, 1]."""

    low: float
    high: float


@dataclass(frozen=True)
class Rate:
    """An estimated failure rate with what it rests on; ``str()`` of it is a sentence for readers.

    Attributes:
        low, estimate, high: failures per `unit`, fractions in [0, 1]. With no failure `low` is 0
            and `high` the one-sided bound; with nothing but failures `low` is the one-sided bound
            and `high` is 1.
        confidence: level of the interval, in (0, 1).
        failed, runs: what was counted.
        unit: what one run is: ``"round"``, ``"repetition"``, ``"batch of 100 repetitions"``.
        method: ``"wilson"``, ``"exact"``, ``"exact, one-sided"``, ``"stopped"``,
            ``"over processes"`` or ``"cluster bootstrap"``.
    """

    low: float
    estimate: float
    high: float
    confidence: float
    failed: int
    runs: int
    unit: str
    method: str

    def __str__(self) -> str:
        sure = _confidence_words(self.confidence)
        counted = f"{self.failed:,} of {self.runs:,} {_plural(self.unit, self.runs)} failed"
        if self.failed == 0:
            return f"{counted}: {sure} sure the rate is below {_rate_words(self.high, self.high, 'up')}"
        if self.method == "exact, one-sided":
            return f"{counted}: {sure} sure the rate is above {_rate_words(self.low, self.low, 'down')}"
        if self.method == "stopped":
            which = "first failure" if self.failed == 1 else f"failure {self.failed:,}"
            counted = f"{which} in {self.unit} {self.runs:,}, stopped there"
        estimate, low, high = (
            _rate_words(x, self.estimate) for x in (self.estimate, self.low, self.high)
        )
        return f"{counted}: {estimate} ({sure}: {low} to {high})"

    def to_json(self) -> dict[str, float]:
        """The four numbers of `racelab race --json`: low, estimate, high, confidence."""
        return {
            "low": self.low,
            "estimate": self.estimate,
            "high": self.high,
            "confidence": self.confidence,
        }


@dataclass(frozen=True)
class Ratio:
    """How many times as often one thing fails as another; ``str()`` of it is a sentence for
    readers.

    Attributes:
        low, estimate, high: rate of `broken` over rate of `fixed`. `estimate` and `high` are
            infinite when fixed never failed; with no failure on either side nothing is known: 0,
            nan, infinity.
        confidence: level of the interval; one-sided when one of the two never failed.
        broken, fixed: the two rates.
    """

    low: float
    estimate: float
    high: float
    confidence: float
    broken: Rate
    fixed: Rate

    def __str__(self) -> str:
        sure = _confidence_words(self.confidence)
        units = _plural(self.broken.unit, 2)
        one, other = self.broken, self.fixed
        counted = (
            f"{one.failed:,} of {one.runs:,} against {other.failed:,} of {other.runs:,} {units}"
        )
        if math.isnan(self.estimate):
            return f"{counted}: neither failed, so nothing is known about their ratio"
        if math.isinf(self.high):
            least = _times(self.low, "down")
            return f"{counted}: {sure} sure that the first fails more than {least} times as often"
        if self.broken.failed == 0:
            most = _times(self.high, "up")
            return f"{counted}: {sure} sure that the first fails less than {most} times as often"
        low, high = _times(self.low), _times(self.high)
        return f"{counted}: {_times(self.estimate)} times as often ({sure}: {low} to {high})"


@dataclass(frozen=True)
class Spread:
    """How much processes differ from each other, beyond what chance allows.

    Attributes:
        processes: how many were compared.
        dispersion: Pearson's chi-square over its degrees of freedom: 1 is chance alone, 10 means
            that an interval which takes runs as independent is about ``sqrt(10)`` times too narrow;
            nan where it cannot be known.
        p_value: chance of a dispersion this large if all processes had one rate; nan where it
            cannot be known.
        correlation: of two runs in the same process, by moments (beta-binomial), in [0, 1].
        effective_runs: independent runs that would tell as much as these do.
        sparse: True where fewer than one failure (or success) is expected per process. `p_value`
            then comes from 499 seeded redistributions of the failures, so it is never below 0.002,
            instead of from the chi-square distribution.
        warning: what to tell the reader, or None.
    """

    processes: int
    dispersion: float
    p_value: float
    correlation: float
    effective_runs: float
    sparse: bool
    warning: str | None


# -- intervals -------------------------------------------------------------------------------------


def wilson(failed: int, runs: int, confidence: float = 0.95) -> Interval:
    """Wilson's score interval: close to its level on average, a little below it for some rates. For
    plots.

    Args:
        failed: runs that failed, in [0, runs].
        runs: at least 1.
        confidence: level, in (0, 1).

    Raises:
        ValueError: a count or the level outside its range; the message names the value.
    """
    failed, runs = _counts(failed, runs)
    z = _normal_upper((1.0 - _level(confidence)) / 2.0)
    z2 = z * z
    p = failed / runs
    middle = (p + z2 / (2.0 * runs)) / (1.0 + z2 / runs)
    half = z / (1.0 + z2 / runs) * math.sqrt(p * (1.0 - p) / runs + z2 / (4.0 * runs * runs))
    # At the ends the difference is 0 or 1 but for rounding.
    low = 0.0 if failed == 0 else middle - half
    return Interval(low, 1.0 if failed == runs else middle + half)


def clopper_pearson(failed: int, runs: int, confidence: float = 0.95) -> Interval:
    """Exact interval: covers the true rate at least as often as `confidence` says. For verdicts.

    The ends solve P(X >= failed) = P(X <= failed) = (1 - confidence) / 2 for binomial X, by
    Newton's method inside a bracket. Up to 10**9 runs; about 0.2 s at the worst (half of 10**9
    failed), microseconds usually.

    Args, Raises: as `wilson`.
    """
    failed, runs = _counts(failed, runs)
    tail = (1.0 - _level(confidence)) / 2.0
    if (
        2 * failed > runs
    ):  # solve for the smaller of rate and 1 - rate: only that one keeps its digits
        return Interval(
            1.0 - _exact_high(runs - failed, runs, tail),
            1.0 - _exact_low(runs - failed, runs, tail),
        )
    return Interval(_exact_low(failed, runs, tail), _exact_high(failed, runs, tail))


def zero_failure_bound(runs: int, confidence: float = 0.95) -> float:
    """Upper bound of the rate after 0 failures in `runs`: ``1 - (1 - confidence) ** (1 / runs)``,
    exact, one-sided.

    Args:
        runs: runs made, none of which failed; at least 1.
        confidence: level, in (0, 1).

    Returns:
        Failures per run, in (0, 1); close to 3 / runs at 95 % (`rule_of_three`).

    Raises:
        ValueError: as `wilson`.
    """
    _, runs = _counts(0, runs)
    return -math.expm1(math.log1p(-_level(confidence)) / runs)


def rule_of_three(runs: int) -> float:
    """``3 / runs``: `zero_failure_bound` at 95 % for the back of an envelope, at most 1. Raises as
    `wilson`."""
    _, runs = _counts(0, runs)
    return min(1.0, 3.0 / runs)


def rate_per_repetition(
    failed_repetitions: int, repetitions: int, confidence: float = 0.95, *, method: str = "exact"
) -> Rate:
    """How often a repetition, one whole process, fails. Not a rate per round.

    Args:
        failed_repetitions: repetitions with at least one failure, in [0, repetitions].
        repetitions: processes that ran; at least 1.
        confidence: level, in (0, 1).
        method: ``"exact"`` (`clopper_pearson`, for verdicts) or ``"wilson"`` (for plots). Either
            way 0 failures, or nothing but failures, give the exact one-sided bound.

    Raises:
        ValueError: a value outside its range; the message names it.
    """
    return _rate(failed_repetitions, repetitions, confidence, "repetition", method)


def rate_per_round(
    failed_rounds: int, rounds: int, confidence: float = 0.95, *, method: str = "exact"
) -> Rate:
    """How often a round, one release of the threads, fails. Not a rate per repetition.

    The interval takes rounds as independent. Rounds of one process seldom are: see `spread` and
    `over_processes`.

    Args, Raises: as `rate_per_repetition`, with rounds for repetitions.
    """
    return _rate(failed_rounds, rounds, confidence, "round", method)


def _rate(failed: int, runs: int, confidence: float, unit: str, method: str) -> Rate:
    failed, runs = _counts(failed, runs)
    if method not in ("exact", "wilson"):
        raise ValueError(f"method is {method!r}: use 'exact' or 'wilson'.")
    bound = zero_failure_bound(runs, confidence)
    if failed == 0:
        return Rate(0.0, 0.0, bound, confidence, 0, runs, unit, "exact, one-sided")
    if failed == runs:
        return Rate(1.0 - bound, 1.0, 1.0, confidence, failed, runs, unit, "exact, one-sided")
    low, high = (clopper_pearson if method == "exact" else wilson)(failed, runs, confidence)
    return Rate(low, failed / runs, high, confidence, failed, runs, unit, method)


# -- planning and detection ------------------------------------------------------------------------


def detection(rate: float, count: int) -> float:
    """Chance of at least one failure within `count` independent runs: ``1 - (1 - rate) ** count``.

    Args:
        rate: failures per run, in [0, 1].
        count: runs of the same kind (rounds for a rate per round), 0 or more.

    Raises:
        ValueError: a value outside its range.
    """
    if not 0.0 <= rate <= 1.0:
        raise ValueError(f"rate is {rate!r}: give a fraction between 0 and 1.")
    count = _whole("count", count, at_least=0)
    if rate == 1.0:
        return 1.0 if count else 0.0
    return -math.expm1(count * math.log1p(-rate))


def detection_curve(rate: float, counts: Iterable[int]) -> list[float]:
    """`detection` for each of `counts`. Raises as `detection`, naming the index."""
    return [
        detection(rate, _whole(f"counts[{index}]", n, at_least=0)) for index, n in enumerate(counts)
    ]


def detection_observed(
    failures: Sequence[Any], within: int, confidence: float = 0.95, *, unit: str = "repetition"
) -> Rate:
    """How often at least one failure was really seen within `within` runs, over as many batches as
    there are.

    The runs are cut, in order, into batches of `within`; what is left over is not used.

    Args:
        failures: one truth value per run, in the order in which they ran.
        within: runs per batch, at least 1, at most ``len(failures)``.
        confidence: level of the interval (Wilson), in (0, 1).
        unit: what one run is.

    Returns:
        A `Rate` over batches: `failed` counts the batches with a failure, `runs` the batches.

    Raises:
        ValueError: fewer runs than one batch, or a value outside its range.
    """
    within = _whole("within", within, at_least=1)
    batches = len(failures) // within
    if batches == 0:
        raise ValueError(
            f"within is {within}: more than the {len(failures)} runs there are. Use a smaller batch."
        )
    hit = sum(any(failures[i * within : (i + 1) * within]) for i in range(batches))
    return _rate(hit, batches, confidence, f"batch of {within:,} {_plural(unit, within)}", "wilson")


def detection_by_process(
    processes: Sequence[Sequence[Any]], within: int, confidence: float = 0.95
) -> Rate:
    """How many processes had a failure within their first `within` runs: what a count really bought.

    Says the same as `detection_observed` where runs are independent. Where they are not (a bug that has
    one chance per process, a rate that drifts) only this one is right, because it never takes the middle
    of one process for the beginning of another.

    Args:
        processes: for each process one truth value per run, in the order in which they ran.
        within: runs looked at, at least 1. Processes with fewer runs and no failure do not count.
        confidence: level of the interval (Wilson), in (0, 1).

    Raises:
        ValueError: `within` out of its range, or no process has so many runs.
    """
    within = _whole("within", within, at_least=1)
    long_enough = [runs for runs in processes if len(runs) >= within or any(runs)]
    if not long_enough:
        raise ValueError(f"within is {within}: no process has so many runs.")
    hit = sum(any(runs[:within]) for runs in long_enough)
    return _rate(hit, len(long_enough), confidence, "process", "wilson")


def plan(rate: float, confidence: float = 0.95) -> int:
    """Runs needed to see, with chance `confidence`, at least one failure that has this `rate`.

    ``ceil(log(1 - confidence) / log(1 - rate))``. Runs of whatever the rate is per: rounds for a
    rate per round, repetitions for a rate per repetition. Seen the other way: after that many runs
    without failure one is `confidence` sure that the rate is below `rate`.

    Args:
        rate: failures per run, in (0, 1].
        confidence: in (0, 1).

    Raises:
        ValueError: a value outside its range; the message names it.
    """
    if not 0.0 < rate <= 1.0:
        raise ValueError(
            f"rate is {rate!r}: give a fraction above 0 and at most 1, such as 0.01 for 1 %."
        )
    _level(confidence)
    if rate == 1.0:
        return 1
    needed = math.log1p(-confidence) / math.log1p(-rate)
    nearest = round(needed)
    if (
        abs(needed - nearest) <= 4e-15 * nearest
    ):  # 75 % at a rate of 1/2 is two runs, whatever the last bit says
        return max(1, nearest)
    return max(1, math.ceil(needed))


def plan_sentence(rate: float, confidence: float = 0.95, *, unit: str = "repetition") -> str:
    """`plan` in a sentence: how many, of what, and what silence would mean. Raises as `plan`."""
    needed = plan(rate, confidence)
    sure, often = _confidence_words(confidence), _rate_words(rate, rate)
    return (
        f"{needed:,} {_plural(unit, needed)}: a failure rate of {often} per {unit} shows at least once "
        f"with a chance of {sure}; if none fails, you are {sure} sure that the rate is below {often}."
    )


# -- stopping at failures --------------------------------------------------------------------------


def first_failure(trials: int, confidence: float = 0.95, *, unit: str = "repetition") -> Rate:
    """The rate, from how long the first failure took, when one stops there (``pytest -x``):
    geometric.

    `until_failures` with one failure. The estimate ``1 / trials`` is too high on average; the
    interval is exact.

    Args:
        trials: runs made, the failing last one counted; at least 1.
        confidence: level, in (0, 1).
        unit: what one run is.

    Raises:
        ValueError: a value outside its range.
    """
    return until_failures(1, trials, confidence, unit=unit)


def until_failures(
    failures: int, trials: int, confidence: float = 0.95, *, unit: str = "repetition"
) -> Rate:
    """The rate, when one stops at the `failures`-th failure: negative binomial.

    Stopping at a failure makes ``failures / trials`` too high on average: from two failures on the
    estimate is ``(failures - 1) / (trials - 1)``, which is right on average. The interval is exact.
    Several processes, each stopped at its first failure, add up: `failures` is their number and
    `trials` the sum of theirs.

    Args:
        failures: at least 1.
        trials: runs made up to and with the last failure, at least `failures`.
        confidence: level, in (0, 1).
        unit: what one run is.

    Raises:
        ValueError: a value outside its range.
    """
    failures = _whole("failures", failures, at_least=1)
    trials = _whole("trials", trials, at_least=1)
    if trials < failures:
        raise ValueError(f"trials is {trials}: less than the {failures} failures in them.")
    tail = (1.0 - _level(confidence)) / 2.0
    low = clopper_pearson(failures, trials, confidence).low
    high = 1.0 if trials == failures else _exact_high_any(failures - 1, trials - 1, tail)
    estimate = 1.0 / trials if failures == 1 else (failures - 1) / (trials - 1)
    return Rate(low, estimate, high, confidence, failures, trials, unit, "stopped")


# -- are the runs independent? ---------------------------------------------------------------------


def spread(failed: Sequence[int], runs: Sequence[int] | int, *, unit: str = "round") -> Spread:
    """Compare processes: do they all have one failure rate, as intervals assume?

    Args:
        failed: failures in each process.
        runs: runs in each process, or one number for all; each at least 1.
        unit: what a run is, for the warning.

    Returns:
        A `Spread`. Its `warning` is set where the processes differ by more than chance (p below
        0.01).

    Raises:
        ValueError: fewer than two processes, or a count outside its range; the message names index
            and value.
    """
    counts = _processes(failed, runs)
    total_failed, total = sum(f for f, _ in counts), sum(n for _, n in counts)
    k = len(counts)
    if total_failed in (0, total):
        return Spread(k, math.nan, math.nan, 0.0, float(total), True, None)
    p = total_failed / total
    chi2 = sum((f - n * p) ** 2 / (n * p * (1.0 - p)) for f, n in counts)
    # E[chi2] is (k - 1) + correlation * weight: solve for the correlation.
    weight = sum((1.0 - n / total) * (n - 1) for _, n in counts)
    excess = (chi2 - (k - 1)) / weight if weight > 0.0 else 0.0
    correlation = min(1.0, max(0.0, excess))
    design = 1.0 + (sum(n * n for _, n in counts) / total - 1.0) * correlation
    sparse = min(total_failed, total - total_failed) < k
    p_value = _spread_by_drawing(counts, chi2) if sparse else _chi2_upper(chi2, k - 1)
    dispersion = chi2 / (k - 1)
    warning = (
        _spread_warning(k, dispersion, p_value, total / design, total, unit)
        if p_value < 0.01
        else None
    )
    return Spread(k, dispersion, p_value, correlation, total / design, sparse, warning)


def _spread_by_drawing(counts: list[tuple[int, int]], seen: float) -> float:
    """P(chi-square >= seen) for few failures: deal them out to the runs at random, again and
    again."""
    import random
    from bisect import bisect_right
    from collections import Counter
    from itertools import accumulate

    runs = [n for _, n in counts]
    ends = list(accumulate(runs))
    total, marked = ends[-1], sum(f for f, _ in counts)
    rare = min(marked, total - marked)  # failures or successes: their chi-squares are equal
    p = rare / total
    draw = random.Random(0)
    idle = sum(n * p / (1.0 - p) for n in runs)  # chi-square if nobody had any
    reached = 0
    for _ in range(499):
        dealt = Counter(bisect_right(ends, place) for place in draw.sample(range(total), rare))
        chi2 = idle + sum(
            (f * f - 2.0 * f * runs[i] * p) / (runs[i] * p * (1.0 - p)) for i, f in dealt.items()
        )
        reached += chi2 >= seen * (1.0 - 1e-9)
    return (1 + reached) / 500


def _spread_warning(
    k: int, dispersion: float, p_value: float, effective: float, total: int, unit: str
) -> str:
    chance = f"p = {p_value:.1g}" if p_value >= 1e-12 else "p < 10⁻¹²"
    units = _plural(unit, 2)
    return (
        f"The {k:,} processes differ more than chance allows (dispersion {_three(dispersion)}, where "
        f"chance alone gives 1; {chance}): {units} in one process are not independent. {total:,} {units} "
        f"tell as much as {_three(effective)} independent ones, so intervals are drawn over processes."
    )


def clustering(failures: Sequence[Any]) -> float:
    """Chance that independent runs bunch their failures at least as much as these did: an exact
    runs test.

    Counts the streaks of failures. Few streaks for many failures mean that one failure brings the
    next.

    Args:
        failures: one truth value per run, in the order in which they ran.

    Returns:
        P(streaks <= seen), given how many failed; 1.0 where nothing or everything failed.
    """
    flags = [bool(f) for f in failures]
    k, n = sum(flags), len(flags)
    if k in (0, n):
        return 1.0
    streaks = sum(
        flag and not before for flag, before in zip(flags, [False, *flags[:-1]], strict=True)
    )
    total = _log_choose(n, k)
    terms = (
        _log_choose(k - 1, r - 1) + _log_choose(n - k + 1, r) - total for r in range(1, streaks + 1)
    )
    return min(1.0, math.fsum(math.exp(t) for t in terms))


def independence_warning(failures: Sequence[Any], *, unit: str = "repetition") -> str | None:
    """What to tell the reader if failures come in streaks (`clustering` below 0.01), else None.

    Args:
        failures: one truth value per run, in the order in which they ran.
        unit: what one run is.
    """
    chance = clustering(failures)
    if chance >= 0.01:
        return None
    failed, units = sum(map(bool, failures)), _plural(unit, 2)
    return (
        f"The {failed:,} failures among {len(failures):,} {units} come in streaks (p = {chance:.1g} if "
        f"they were independent): one {unit} influences the next, and every interval here is too "
        f"narrow. Run each {unit} in a fresh process, or several blocks, and compare the blocks."
    )


def over_processes(
    failed: Sequence[int],
    runs: Sequence[int] | int,
    confidence: float = 0.95,
    *,
    unit: str = "round",
) -> Rate:
    """Interval of the overall rate from how much the processes differ, also from two or three of them.

    Takes processes as independent and runs within a process as anything. How much the rate varies is
    estimated from the processes; the exact interval is then that of as many independent runs as would
    vary so much, made fewer yet because few processes leave that variation uncertain (Student's t with
    one degree of freedom less than processes). It is never narrower than `clopper_pearson`, and from two
    or three processes it is wide: they say little about the next one.

    What is right about it: in simulations (beta-binomial, 2 to 20 processes) the level is kept where the
    processes' rates scatter around a middle, at 93 to 100 of 100, also where runs are independent. Where
    few processes have nearly all the failures, a handful of processes may show none of those, and no
    interval keeps its level.

    Args:
        failed, runs: as `spread`.
        confidence: level, in (0, 1).
        unit: what a run is.

    Raises:
        ValueError: as `spread`; or no run failed, or all did: equals show no variation.
    """
    counts = _processes(failed, runs)
    tail = (1.0 - _level(confidence)) / 2.0
    total_failed, total = _some_of_each("over_processes", counts)
    p = total_failed / total
    # Each process's part in the rate's variance; divided by the others' share of the runs, so that a
    # process which has most of the runs, and so most of the rate, does not look as if it fitted by itself.
    residues = ((f - p * n) ** 2 / (1.0 - n / total) for f, n in counts)
    variance = math.fsum(residues) / total**2
    penalty = (_normal_upper(tail) / _t_upper(tail, len(counts) - 1)) ** 2
    worth = p * (1.0 - p) * penalty / variance if variance > 0.0 else math.inf
    exact = clopper_pearson(total_failed, total, confidence)
    low, high = exact
    if worth < total:
        low = _beta_quantile(tail, p * worth, (1.0 - p) * worth + 1.0)
        high = 1.0 - _beta_quantile(tail, (1.0 - p) * worth, p * worth + 1.0)
    # A process that fails has a failure in at least one of its runs.
    hit = _exact_low(sum(f > 0 for f, _ in counts), len(counts), tail)
    low = min(exact.low, max(low, hit / max(n for _, n in counts)))
    return Rate(
        low, p, max(exact.high, high), confidence, total_failed, total, unit, "over processes"
    )


def _some_of_each(name: str, counts: list[tuple[int, int]]) -> tuple[int, int]:
    """Failures and runs of all processes; an error where none failed, or all."""
    failed, runs = sum(f for f, _ in counts), sum(n for _, n in counts)
    if failed in (0, runs):
        what = "none failed" if failed == 0 else "all failed"
        raise ValueError(
            f"{name}: of {runs:,} runs {what}, so there is no spread to draw from; use zero_failure_bound."
        )
    return failed, runs


def cluster_bootstrap(
    failed: Sequence[int],
    runs: Sequence[int] | int,
    confidence: float = 0.95,
    *,
    seed: int = 0,
    resamples: int = 2000,
    unit: str = "round",
) -> Rate:
    """Interval of the overall rate when processes differ: draw whole processes, not runs, with
    replacement.

    Args:
        failed, runs: as `spread`.
        confidence: level (percentile interval), in (0, 1). With fewer than about 20 processes it is
            too narrow: use `over_processes`.
        seed: of the drawing; the same seed gives the same interval.
        resamples: at least 100.
        unit: what a run is.

    Raises:
        ValueError: as `spread`; or no run failed, or all did: drawing from equals shows no spread.
    """
    import random

    counts = _processes(failed, runs)
    resamples = _whole("resamples", resamples, at_least=100)
    tail = (1.0 - _level(confidence)) / 2.0
    total_failed, total = _some_of_each("cluster_bootstrap", counts)
    draw = random.Random(seed)
    means = sorted(_drawn_rate(draw.choices(counts, k=len(counts))) for _ in range(resamples))
    low = means[min(resamples - 1, int(tail * resamples))]
    high = means[max(0, math.ceil((1.0 - tail) * resamples) - 1)]
    return Rate(
        low, total_failed / total, high, confidence, total_failed, total, unit, "cluster bootstrap"
    )


def _drawn_rate(counts: list[tuple[int, int]]) -> float:
    return sum(f for f, _ in counts) / sum(n for _, n in counts)


# -- broken against fixed --------------------------------------------------------------------------


def ratio(broken: Rate, fixed: Rate, confidence: float = 0.95) -> Ratio:
    """How many times as often `broken` fails as `fixed`, with an exact interval, also when one
    never failed.

    Given the failures of both together, how many of them are broken's is binomial; its exact
    interval becomes the ratio's. That holds for rare failures and errs on the wide side for
    frequent ones.

    Args:
        broken, fixed: two rates of the same unit; only their counts are used.
        confidence: level, in (0, 1); one-sided where one of the two never failed.

    Raises:
        ValueError: the units differ (a rate per round says nothing about a rate per repetition).
    """
    if broken.unit != fixed.unit:
        raise ValueError(
            f"ratio: broken is a rate per {broken.unit}, fixed a rate per {fixed.unit}: compare rates of one unit."
        )
    _level(confidence)
    both = broken.failed + fixed.failed
    scale = fixed.runs / broken.runs
    if both == 0:
        return Ratio(0.0, math.nan, math.inf, confidence, broken, fixed)
    if fixed.failed == 0:
        share = 1.0 - zero_failure_bound(both, confidence)
        return Ratio(scale * share / (1.0 - share), math.inf, math.inf, confidence, broken, fixed)
    if broken.failed == 0:
        share = zero_failure_bound(both, confidence)
        return Ratio(0.0, 0.0, scale * share / (1.0 - share), confidence, broken, fixed)
    low, high = clopper_pearson(broken.failed, both, confidence)
    estimate = broken.failed / broken.runs / (fixed.failed / fixed.runs)
    return Ratio(
        scale * low / (1.0 - low), estimate, scale * high / (1.0 - high), confidence, broken, fixed
    )


# -- offset scans ----------------------------------------------------------------------------------


def half_height(offsets: Sequence[float], rates: Sequence[float]) -> tuple[float, float] | None:
    """Where a peak has half its height, left and right: a race window's width in an offset scan.

    Straight lines between the points. A dip between the two is part of the peak. The width
    includes the harness's release skew and the offsets' spacing: a narrower window than those
    cannot be told apart from them.

    Args:
        offsets: in rising order, any unit.
        rates: hit rate at each offset, 0 or more.

    Returns:
        The two offsets, or None where there is no peak or a side of it is outside the range.

    Raises:
        ValueError: different lengths, or offsets that do not rise; the message names the index.
    """
    if len(offsets) != len(rates):
        raise ValueError(
            f"there are {len(offsets)} offsets and {len(rates)} rates: give one rate per offset."
        )
    for index in range(1, len(offsets)):
        if offsets[index] <= offsets[index - 1]:
            raise ValueError(
                f"offsets[{index}] is {offsets[index]}: not above the one before it, {offsets[index - 1]}."
            )
    top = max(rates, default=0.0)
    if top <= 0.0:
        return None
    half = top / 2.0
    above = [index for index, rate in enumerate(rates) if rate > half]
    if above[0] == 0 or above[-1] == len(rates) - 1:
        return None
    return _crossing(offsets, rates, above[0], -1, half), _crossing(
        offsets, rates, above[-1], 1, half
    )


def _crossing(
    offsets: Sequence[float], rates: Sequence[float], at: int, step: int, half: float
) -> float:
    """The offset between a point above half and its neighbour, at which the rate is half."""
    share = (rates[at] - half) / (rates[at] - rates[at + step])
    return offsets[at] + share * (offsets[at + step] - offsets[at])


# -- checks of what comes in -----------------------------------------------------------------------


def _whole(name: str, value: Any, *, at_least: int) -> int:
    try:
        number = operator.index(value)
    except TypeError:
        raise ValueError(f"{name} is {value!r}: give a whole number.") from None
    if number < at_least:
        raise ValueError(f"{name} is {number}: give a whole number of at least {at_least}.")
    return number


def _counts(failed: Any, runs: Any, index: int | None = None) -> tuple[int, int]:
    """Both counts as int, or an error that names them, with their index where they come from
    sequences."""
    at = "" if index is None else f"[{index}]"
    runs = _whole(f"runs{at}", runs, at_least=1)
    failed = _whole(f"failed{at}", failed, at_least=0)
    if failed > runs:
        raise ValueError(f"failed{at} is {failed}: more than the {runs} runs made.")
    return failed, runs


def _processes(failed: Sequence[int], runs: Sequence[int] | int) -> list[tuple[int, int]]:
    """Failures and runs of each process, checked."""
    each = [runs] * len(failed) if isinstance(runs, int) else list(runs)
    if len(each) != len(failed):
        raise ValueError(
            f"failed has {len(failed)} processes, runs has {len(each)}: give one number of runs per process."
        )
    if len(failed) < 2:
        raise ValueError(
            f"failed has {len(failed)} process{'es' * (len(failed) != 1)}: comparing needs at least 2."
        )
    return [_counts(f, n, index) for index, (f, n) in enumerate(zip(failed, each, strict=True))]


def _level(confidence: float) -> float:
    if not 0.0 < confidence < 1.0:
        raise ValueError(
            f"confidence is {confidence!r}: give a fraction between 0 and 1, such as 0.95."
        )
    return confidence


# -- words -----------------------------------------------------------------------------------------


def _plural(unit: str, count: int) -> str:
    """``repetition`` -> ``repetitions``; ``batch of 10 rounds`` -> ``batches of 10 rounds``."""
    if count == 1:
        return unit
    head, of, rest = unit.partition(" of ")
    return head + ("es" if head.endswith(("ch", "s", "x")) else "s") + of + rest


def _confidence_words(confidence: float) -> str:
    return f"{100.0 * confidence:.10g} %"


def _rate_words(value: float, reference: float, rounding: str = "nearest") -> str:
    """A rate in words, on the scale that suits `reference`: percent, per million, per billion."""
    for floor, scale, name in (
        (1e-4, 1e2, "%"),
        (1e-7, 1e6, "per million"),
        (0.0, 1e9, "per billion"),
    ):
        if reference >= floor:
            return f"{_digits(value * scale, rounding, 100.0 if name == '%' else math.inf)} {name}"
    raise AssertionError(reference)


def _digits(value: float, rounding: str, top: float) -> str:
    """One decimal from 1 to 100, two significant digits below, and enough digits not to turn 99.99
    into 100."""
    if value in (0.0, top):
        return f"{value:.0f}"
    decimals = _decimals(value, top)
    rounded = _round(value, decimals, rounding)
    return f"{rounded:.{min(decimals, _decimals(rounded, top)) if rounded < top else decimals}f}"


def _decimals(value: float, top: float) -> int:
    if value >= top - 0.05 and value < top:
        return 1 - math.floor(math.log10(top - value))
    if value >= 100.0:
        return 0
    return 1 if value >= 1.0 else 1 - math.floor(math.log10(value))


def _round(value: float, decimals: int, rounding: str) -> float:
    """Rounded; a bound is rounded away from what it claims, so that the claim stays true."""
    scaled = value * 10.0**decimals
    if rounding == "up":
        return math.ceil(scaled - 1e-9) / 10.0**decimals
    if rounding == "down":
        return math.floor(scaled + 1e-9) / 10.0**decimals
    return round(value, decimals)


def _times(value: float, rounding: str = "nearest") -> str:
    """A ratio with two or three digits: 4.6, 46.1, 4,610."""
    if value < 100.0:
        return _digits(value, rounding, math.inf)
    return f"{_round(value, 2 - math.floor(math.log10(value)), rounding):,.0f}"


def _three(value: float) -> str:
    return f"{float(f'{value:.3g}'):,.10g}"


# -- numerics --------------------------------------------------------------------------------------


def _normal_upper(tail: float) -> float:
    """z with P(Z > z) = tail, 0 < tail < 1/2, to full precision: a rational start, then Newton on
    erfc."""
    t = math.sqrt(-2.0 * math.log(tail))
    z = t - (2.515517 + t * (0.802853 + t * 0.010328)) / (
        1.0 + t * (1.432788 + t * (0.189269 + t * 0.001308))
    )
    for _ in range(4):
        density = math.exp(-0.5 * z * z) / math.sqrt(2.0 * math.pi)
        error = 0.5 * math.erfc(z / math.sqrt(2.0)) - tail
        z += error / (density - 0.5 * z * error)  # Halley's step
    return z


def _t_upper(tail: float, degrees: int) -> float:
    """t with P(T > t) = tail, 0 < tail < 1/2, for Student's T: by the beta distribution."""
    x = _beta_quantile(2.0 * tail, degrees / 2.0, 0.5)
    return math.sqrt(degrees * (1.0 - x) / x)


def _beta_quantile(share: float, a: float, b: float) -> float:
    """x with I_x(a, b) = share, by halving on a logarithmic scale; 0 where x is below 1e-300."""
    low, high = -690.0, 0.0
    for _ in range(100):
        middle = 0.5 * (low + high)
        if _beta_below(math.exp(middle), a, b) < share:
            low = middle
        else:
            high = middle
        if high - low < 1e-13 * max(1.0, -high):
            break
    return math.exp(high) if low > -690.0 else 0.0


def _beta_below(x: float, a: float, b: float) -> float:
    """I_x(a, b), the regularised incomplete beta function, by its continued fraction."""
    if x >= 1.0:
        return 1.0
    log_front = (
        math.lgamma(a + b) - math.lgamma(a) - math.lgamma(b) + a * math.log(x) + b * math.log1p(-x)
    )
    if x < (a + 1.0) / (a + b + 2.0):
        return math.exp(log_front) * _beta_fraction(x, a, b) / a
    return 1.0 - math.exp(log_front) * _beta_fraction(1.0 - x, b, a) / b


def _beta_fraction(x: float, a: float, b: float) -> float:
    """Lentz's evaluation; it takes about the square root of a + b steps."""
    c, d = 1.0, 1.0 / (1.0 - (a + b) * x / (a + 1.0))
    h = d
    for m in range(1, 100_000):
        for term in (
            m * (b - m) * x / ((a + 2 * m - 1.0) * (a + 2 * m)),
            -(a + m) * (a + b + m) * x / ((a + 2 * m) * (a + 2 * m + 1.0)),
        ):
            d = 1.0 / (1.0 + term * d)
            c = 1.0 + term / c
            h *= c * d
        if abs(c * d - 1.0) < 1e-15:
            break
    return h


def _exact_low(failed: int, runs: int, tail: float) -> float:
    """Rate at which `failed` or more failures have chance `tail`."""
    if failed == 0:
        return 0.0
    if failed == runs:
        return math.exp(math.log(tail) / runs)
    return _solve(failed, runs, tail, upward=True)


def _exact_high(failed: int, runs: int, tail: float) -> float:
    """Rate at which `failed` or fewer failures have chance `tail`."""
    if failed == runs:
        return 1.0
    if failed == 0:
        return -math.expm1(math.log(tail) / runs)
    return _solve(failed, runs, tail, upward=False)


def _exact_high_any(failed: int, runs: int, tail: float) -> float:
    """`_exact_high` for any share of failures: by the mirror image where most runs failed."""
    if 2 * failed > runs:
        return 1.0 - _exact_low(runs - failed, runs, tail)
    return _exact_high(failed, runs, tail)


def _solve(failed: int, runs: int, tail: float, *, upward: bool) -> float:
    """Newton's method for log(tail probability) as a function of log(rate), kept inside a
    bracket."""
    goal = math.log(tail)
    start = math.log(failed / runs)
    low, high = (start - 1.0, start) if upward else (start, 0.0)
    while upward and _log_tail(failed, runs, math.exp(low), upward)[0] > goal:
        low -= 2.0 * (start - low)
    guess = wilson(failed, runs, 1.0 - 2.0 * tail) if tail > 1e-9 else Interval(0.0, 0.0)
    at = math.log(max(guess.low if upward else guess.high, 1e-300))
    if not low < at < high:
        at = 0.5 * (low + high)
    for _ in range(200):
        value, slope = _log_tail(failed, runs, math.exp(at), upward)
        if (value > goal) == upward:
            high = at
        else:
            low = at
        step = (value - goal) / slope
        following = at - step
        if not low < following < high:
            following = 0.5 * (low + high)
        if abs(following - at) <= 1e-14:
            return math.exp(following)
        at = following
    return math.exp(at)


def _log_tail(failed: int, runs: int, rate: float, upward: bool) -> tuple[float, float]:
    """log P(X >= failed) or log P(X <= failed), and its slope against log(rate).

    Loader's probability of `failed`, times the sum of the ratios to its neighbours: all terms
    positive, so nothing cancels.
    """
    log_first = _log_binomial(failed, runs, rate)
    odds = rate / (1.0 - rate)
    total = term = 1.0
    k = failed
    if upward:
        while k < runs and term > 1e-17 * total:
            term *= (runs - k) / (k + 1) * odds
            total += term
            k += 1
        return log_first + math.log(total), failed / total
    while k > 0 and term > 1e-17 * total:
        term *= k / ((runs - k + 1) * odds)
        total += term
        k -= 1
    return log_first + math.log(total), -(runs - failed) * odds / total


def _log_binomial(k: int, n: int, rate: float) -> float:
    """log of the binomial probability of k in n, 0 < k < n, by Loader's deviance form: no large
    terms cancel."""
    shape = _stirling_error(n) - _stirling_error(k) - _stirling_error(n - k)
    distance = _deviance(k, n * rate) + _deviance(n - k, n * (1.0 - rate))
    return shape - distance + 0.5 * math.log(n / (2.0 * math.pi * k * (n - k)))


def _stirling_error(n: int) -> float:
    """log(n!) minus Stirling's approximation of it."""
    if n < 16:
        return math.lgamma(n + 1.0) - (n + 0.5) * math.log(n) + n - 0.5 * math.log(2.0 * math.pi)
    nn = float(n) * n
    return (1 / 12 - (1 / 360 - (1 / 1260 - (1 / 1680 - 1 / 1188 / nn) / nn) / nn) / nn) / n


def _deviance(x: float, mean: float) -> float:
    """``x log(x / mean) + mean - x``, by a series where x is near mean."""
    if abs(x - mean) >= 0.1 * (x + mean):
        return x * math.log(x / mean) + mean - x
    v = (x - mean) / (x + mean)
    total = (x - mean) * v
    term = 2.0 * x * v
    for j in range(1, 1000):
        term *= v * v
        grown = total + term / (2 * j + 1)
        if grown == total:
            break
        total = grown
    return total


def _log_choose(n: int, k: int) -> float:
    if k < 0 or k > n:
        return -math.inf
    return math.lgamma(n + 1.0) - math.lgamma(k + 1.0) - math.lgamma(n - k + 1.0)


def _chi2_upper(value: float, degrees: int) -> float:
    """P(chi-square with `degrees` >= value): the regularised incomplete gamma function."""
    a, x = degrees / 2.0, value / 2.0
    if x <= 0.0:
        return 1.0
    front = math.exp(-x + a * math.log(x) - math.lgamma(a))
    if x < a + 1.0:
        total = term = 1.0 / a
        n = a
        while term > 1e-17 * total:
            n += 1.0
            term *= x / n
            total += term
        return max(0.0, 1.0 - front * total)
    b = x + 1.0 - a  # Lentz's continued fraction
    c, d = 1e300, 1.0 / b
    h = d
    for i in range(1, 100_000):
        an = -i * (i - a)
        b += 2.0
        d = 1.0 / (an * d + b)
        c = b + an / c
        h *= c * d
        if abs(c * d - 1.0) < 1e-16:
            break
    return front * h
