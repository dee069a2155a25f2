"""Statistics: against scipy, against exact enumeration, and against simulated experiments.

The module is loaded by its path, as tools on the host's ordinary CPython load it.
"""

from __future__ import annotations

import importlib.util
import itertools
import math
import random
import re
import subprocess
import sys
from decimal import Decimal, localcontext
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

SRC = Path(__file__).parents[1] / "src"

if TYPE_CHECKING:
    from racelab import stats
else:
    spec = importlib.util.spec_from_file_location("stats", SRC / "racelab" / "stats.py")
    stats = importlib.util.module_from_spec(spec)
    sys.modules["stats"] = stats
    spec.loader.exec_module(stats)

LEVELS = (0.5, 0.8, 0.9, 0.95, 0.99, 0.9999)
COUNTS = sorted(
    {
        (k, n)
        for n in (1, 2, 3, 7, 30, 100, 299, 1_000, 12_345, 10**6, 10**9)
        for k in (0, 1, 2, 3, n // 1000, n // 20, n // 5, n // 2, n - 2, n - 1, n)
        if 0 <= k <= n and (n < 10**9 or k < 10**4 or k > n - 10**4)
    }
)


def close(a: float, b: float, relative: float) -> bool:
    return math.isclose(a, b, rel_tol=relative, abs_tol=0.0)


def binomial(n: int, p: float) -> list[float]:
    """Probabilities of 0 to n failures, straight from the definition."""
    return [math.comb(n, k) * p**k * (1 - p) ** (n - k) for k in range(n + 1)]


# -- intervals -------------------------------------------------------------------------------------


@pytest.mark.parametrize("confidence", LEVELS)
def test_wilson_agrees_with_scipy(confidence: float) -> None:
    scipy_stats = pytest.importorskip("scipy.stats")

    for failed, runs in COUNTS:
        ours = stats.wilson(failed, runs, confidence)
        theirs = scipy_stats.binomtest(failed, runs).proportion_ci(confidence, method="wilson")
        assert ours.low == pytest.approx(theirs.low, rel=1e-6, abs=1e-16), f"{failed} of {runs}"
        assert close(ours.high, theirs.high, 1e-12), f"{failed} of {runs}"


@pytest.mark.parametrize("confidence", LEVELS)
def test_clopper_pearson_agrees_with_scipy(confidence: float) -> None:
    """scipy's own error reaches some 1e-8 at 10**9 runs; see the Poisson test for our digits there."""
    special = pytest.importorskip("scipy.special")
    tail = (1 - confidence) / 2

    for failed, runs in COUNTS:
        ours = stats.clopper_pearson(failed, runs, confidence)
        low = 0.0 if failed == 0 else special.betaincinv(failed, runs - failed + 1, tail)
        high = 1.0 if failed == runs else special.betaincinv(failed + 1, runs - failed, 1 - tail)
        relative = 1e-10 if runs < 10**9 else 1e-7
        assert ours.low == pytest.approx(low, rel=relative, abs=0), f"{failed} of {runs}"
        assert ours.high == pytest.approx(high, rel=relative, abs=0), f"{failed} of {runs}"


@pytest.mark.parametrize("failed", [1, 2, 5, 40, 1000])
def test_exact_interval_reaches_poissons_limit_at_a_billion_runs(failed: int) -> None:
    """At rates of 10**-9 the binomial is Poisson's, for which scipy has another function."""
    special = pytest.importorskip("scipy.special")

    ours = stats.clopper_pearson(failed, 10**9)

    assert close(ours.low * 1e9, special.gammaincinv(failed, 0.025), 1e-8 + failed * 1e-9)
    assert close(ours.high * 1e9, special.gammaincinv(failed + 1, 0.975), 1e-8 + failed * 1e-9)


@pytest.mark.parametrize(("failed", "runs"), [(1, 10**9), (3, 10**6), (1, 200), (0, 50)])
def test_wilson_keeps_its_digits(failed: int, runs: int) -> None:
    """Compared with 50 decimal digits: the textbook form subtracts two nearly equal numbers."""
    with localcontext() as context:
        context.prec = 50
        z2 = Decimal("1.959963984540054235524594430520551527955550") ** 2
        p, n = Decimal(failed) / runs, Decimal(runs)
        half = (z2 * (p * (1 - p) / n + z2 / (4 * n * n))).sqrt()
        exact = [(p + z2 / (2 * n) + side * half) / (1 + z2 / n) for side in (-1, 1)]

        ours = stats.wilson(failed, runs)

        assert ours.low == pytest.approx(float(exact[0]), rel=1e-13, abs=1e-40)
        assert ours.high == pytest.approx(float(exact[1]), rel=1e-13)


def test_known_intervals() -> None:
    """Numbers from the literature's definitions, so that a machine without scipy checks them too."""
    low, high = stats.clopper_pearson(19, 200)
    assert (round(low, 6), round(high, 6)) == (0.05817, 0.144377)
    low, high = stats.wilson(19, 200)
    assert (round(low, 6), round(high, 6)) == (0.061663, 0.143602)
    assert stats.clopper_pearson(0, 100).high == pytest.approx(1 - 0.025**0.01, rel=1e-12)
    assert stats.clopper_pearson(100, 100).low == pytest.approx(0.025**0.01, rel=1e-12)


@pytest.mark.parametrize("runs", [1, 4, 11, 25])
@pytest.mark.parametrize("confidence", [0.8, 0.95])
def test_exact_interval_covers_at_least_as_often_as_it_says(runs: int, confidence: float) -> None:
    """Not simulated: the chance of every count is added up."""
    intervals = [stats.clopper_pearson(k, runs, confidence) for k in range(runs + 1)]

    for p in [i / 97 for i in range(1, 97)]:
        chances = binomial(runs, p)
        covered = sum(
            c for c, (low, high) in zip(chances, intervals, strict=True) if low <= p <= high
        )
        assert covered >= confidence - 1e-12, f"covers {p} with {covered}"


def test_wilson_covers_as_often_as_it_says_on_average() -> None:
    runs, points = 60, [i / 211 for i in range(5, 207)]
    intervals = [stats.wilson(k, runs) for k in range(runs + 1)]

    covered = [
        sum(
            c
            for c, (low, high) in zip(binomial(runs, p), intervals, strict=True)
            if low <= p <= high
        )
        for p in points
    ]

    assert sum(covered) / len(covered) == pytest.approx(0.95, abs=0.006)
    assert min(covered) > 0.9


@pytest.mark.parametrize("interval", ["wilson", "clopper_pearson"])
def test_intervals_mirror_and_narrow(interval: str) -> None:
    """Failures and successes are treated alike; more runs and less confidence give less width."""
    make = getattr(stats, interval)
    low, high = make(7, 50)
    assert make(43, 50) == pytest.approx((1 - high, 1 - low), rel=1e-12)
    widths = [make(7 * m, 50 * m) for m in (1, 2, 5, 10, 100)]
    assert sorted(widths, key=lambda w: w.high - w.low) == widths[::-1]
    assert make(7, 50, 0.8).low > low
    assert make(7, 50, 0.8).high < high


@pytest.mark.parametrize("runs", [1, 2, 100, 299, 10**6, 10**9])
@pytest.mark.parametrize("confidence", [0.5, 0.95, 0.999])
def test_zero_failure_bound_keeps_its_digits(runs: int, confidence: float) -> None:
    """Compared with 50 decimal digits: the textbook form loses half of the double's at 10**9 runs."""
    with localcontext() as context:
        context.prec = 50
        exact = 1 - ((1 - Decimal(confidence)).ln() / runs).exp()

        ours = Decimal(stats.zero_failure_bound(runs, confidence))

        assert abs(ours / exact - 1) < Decimal("1e-13")


def test_rule_of_three_is_close_to_the_bound() -> None:
    assert stats.rule_of_three(300) == 0.01
    assert stats.rule_of_three(2) == 1.0
    for runs in (100, 10**4, 10**8):
        assert stats.zero_failure_bound(runs) == pytest.approx(stats.rule_of_three(runs), rel=0.02)


# -- rates -----------------------------------------------------------------------------------------


def test_rate_knows_its_unit_and_method() -> None:
    rate = stats.rate_per_round(3, 1_000, method="wilson")

    assert (rate.unit, rate.method, rate.failed, rate.runs) == ("round", "wilson", 3, 1_000)
    assert (rate.low, rate.high) == stats.wilson(3, 1_000)
    assert rate.estimate == 0.003
    assert stats.rate_per_repetition(3, 1_000).unit == "repetition"
    assert rate.to_json() == {
        "low": rate.low,
        "estimate": 0.003,
        "high": rate.high,
        "confidence": 0.95,
    }
    with pytest.raises(AttributeError):
        setattr(rate, "low", 0.0)  # noqa: B010


@pytest.mark.parametrize("method", ["exact", "wilson"])
def test_rate_without_failure_is_a_one_sided_bound(method: str) -> None:
    rate = stats.rate_per_repetition(0, 300, method=method)

    assert (rate.low, rate.high) == (0.0, stats.zero_failure_bound(300))
    assert rate.method == "exact, one-sided"


def test_rate_with_nothing_but_failures_is_a_one_sided_bound() -> None:
    rate = stats.rate_per_repetition(300, 300)

    assert rate.low == pytest.approx(1 - stats.zero_failure_bound(300), rel=1e-12)
    assert rate.high == 1.0


@pytest.mark.parametrize(
    ("rate", "sentence"),
    [
        (
            stats.rate_per_repetition(19, 200),
            "19 of 200 repetitions failed: 9.5 % (95 %: 5.8 % to 14.4 %)",
        ),
        (
            stats.rate_per_repetition(0, 300),
            "0 of 300 repetitions failed: 95 % sure the rate is below 1.0 %",
        ),
        (
            stats.rate_per_repetition(0, 300, 0.999),
            "0 of 300 repetitions failed: 99.9 % sure the rate is below 2.3 %",
        ),
        (
            stats.rate_per_repetition(200, 200),
            "200 of 200 repetitions failed: 95 % sure the rate is above 98.5 %",
        ),
        (stats.rate_per_round(0, 1), "0 of 1 round failed: 95 % sure the rate is below 95.0 %"),
        (
            stats.rate_per_round(3, 10**6),
            "3 of 1,000,000 rounds failed: 3.0 per million "
            "(95 %: 0.62 per million to 8.8 per million)",
        ),
        (
            stats.rate_per_round(0, 10**9),
            "0 of 1,000,000,000 rounds failed: 95 % sure the rate is below 3.0 per billion",
        ),
        (
            stats.rate_per_round(99_999, 100_000),
            "99,999 of 100,000 rounds failed: 99.9990 % (95 %: 99.9944 % to 99.999975 %)",
        ),
        (
            stats.first_failure(37),
            "first failure in repetition 37, stopped there: 2.7 % (95 %: 0.068 % to 9.7 %)",
        ),
        (
            stats.until_failures(3, 1200, unit="round"),
            "failure 3 in round 1,200, stopped there: 0.17 % (95 %: 0.052 % to 0.60 %)",
        ),
        (
            stats.detection_observed([0, 0, 0, 1] * 10, 10),
            "4 of 4 batches of 10 repetitions failed: 95 % sure the rate is above 47.2 %",
        ),
    ],
)
def test_sentences(rate: Any, sentence: str) -> None:
    assert str(rate) == sentence


def test_sentences_never_say_zero_and_never_say_safe() -> None:
    """Over many counts: no rate of bare 0, no 100 % that is not all, and bounds that are true."""
    draw = random.Random(1)
    for _ in range(3000):
        runs = round(10 ** draw.uniform(0, 9))
        small = min(runs, round(10 ** draw.uniform(-1, 4)))
        failed = draw.choice([0, small, runs - small])
        rate = stats.rate_per_round(failed, runs, method="wilson")
        said = str(rate).partition(": ")[2]
        assert "safe" not in said
        assert not re.search(r"(?<![\d.,])0(?:\.0+)? (?:%|per)", said), (
            f"{failed} of {runs}: {said}"
        )
        if failed < runs:
            assert "100" not in said.replace("(95 %", ""), f"{failed} of {runs}: {said}"
        if failed in (0, runs):
            claimed = _fraction(said.rsplit("the rate is ")[1])
            assert claimed >= rate.high if failed == 0 else claimed <= rate.low + 1e-12, said


def _fraction(words: str) -> float:
    number, _, scale = words.split(" ", 1)[1].partition(" ")
    return float(number) / {"%": 1e2, "per million": 1e6, "per billion": 1e9}[scale]


# -- planning and detection ------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("rate", "needed"),
    [
        (0.10, (7, 22, 29, 44)),
        (0.05, (14, 45, 59, 90)),
        (0.03, (23, 76, 99, 152)),
        (0.01, (69, 230, 299, 459)),
        (1e-3, (693, 2_302, 2_995, 4_603)),
        (1e-4, (6_932, 23_025, 29_956, 46_050)),
        (1e-6, (693_147, 2_302_584, 2_995_731, 4_605_168)),
    ],
)
def test_plan_table(rate: Any, needed: tuple[int, ...]) -> None:
    assert tuple(stats.plan(rate, c) for c in (0.5, 0.9, 0.95, 0.99)) == needed


def test_plan_is_the_smallest_that_does() -> None:
    draw = random.Random(2)
    for _ in range(500):
        rate, confidence = 10 ** draw.uniform(-9, -0.01), draw.uniform(0.01, 0.9999)
        needed = stats.plan(rate, confidence)
        assert stats.detection(rate, needed) >= confidence * (1 - 1e-12)
        assert needed == 1 or stats.detection(rate, needed - 1) < confidence
        assert stats.zero_failure_bound(needed, confidence) <= rate * (1 + 1e-9)


def test_plan_at_whole_answers() -> None:
    """75 % at a rate of one half is two runs, not three, whatever the logarithms' last bit says."""
    assert [stats.plan(0.5, 1 - 0.5**n) for n in range(1, 50)] == list(range(1, 50))
    assert stats.plan(1.0) == 1
    assert stats.plan(0.999999) == 1


def test_plan_sentence() -> None:
    assert stats.plan_sentence(0.01, unit="round") == (
        "299 rounds: a failure rate of 1.0 % per round shows at least once with a chance of 95 %; "
        "if none fails, you are 95 % sure that the rate is below 1.0 %."
    )


@pytest.mark.parametrize("rate", [1e-9, 3e-7, 0.01, 0.5, 1 - 1e-9])
@pytest.mark.parametrize("count", [0, 1, 7, 10**4, 10**9])
def test_detection_keeps_its_digits(rate: Any, count: int) -> None:
    with localcontext() as context:
        context.prec = 60
        exact = float(1 - (1 - Decimal(rate)) ** count)

    assert stats.detection(rate, count) == pytest.approx(exact, rel=1e-12)


def test_detection_curve_rises_from_the_rate() -> None:
    curve = stats.detection_curve(0.2, [0, 1, 2, 50, 10_000])

    assert curve[:2] == [0.0, pytest.approx(0.2)]
    assert curve == sorted(curve)
    assert stats.detection_curve(1.0, [0, 1]) == [0.0, 1.0]
    assert stats.detection_curve(0.0, [5]) == [0.0]


def test_detection_observed_counts_batches() -> None:
    runs = [0, 0, 1, 0, 0, 0, 1, 1, 0, 0, 1]  # batches of 3: hit, none, hit; two runs left over

    seen = stats.detection_observed(runs, 3)

    assert (seen.failed, seen.runs, seen.unit) == (2, 3, "batch of 3 repetitions")


def test_detection_observed_follows_the_curve() -> None:
    """Independent runs, fixed seed: at most one of eight 99.9 % intervals may miss the curve."""
    draw = random.Random(3)
    runs = [draw.random() < 0.03 for _ in range(20_000)]

    misses = 0
    for within in (1, 2, 5, 10, 20, 50, 100, 200):
        seen = stats.detection_observed(runs, within, 0.999)
        misses += not seen.low <= stats.detection(0.03, within) <= seen.high

    assert misses <= 1


@pytest.mark.parametrize("within", [1, 2, 3])
def test_detection_by_process_of_a_bug_with_one_chance_is_flat(within: int) -> None:
    seen = stats.detection_by_process([[1, 0, 0], [0, 0, 0]], within)

    assert seen.estimate == 0.5
    assert (seen.failed, seen.runs, seen.unit) == (1, 2, "process")
    assert (seen.low, seen.high) == pytest.approx(stats.wilson(1, 2))


def test_detection_by_process_looks_at_the_first_runs_only() -> None:
    processes = [[0, 0, 1], [0, 1, 1], [0, 0, 0]]

    shares = [stats.detection_by_process(processes, n).failed for n in (1, 2, 3)]

    assert shares == [0, 1, 2]


def test_detection_by_process_leaves_out_who_stopped_early_without_a_failure() -> None:
    seen = stats.detection_by_process([[0, 1], [0, 0], [0, 0, 0, 0]], 4)

    assert (seen.failed, seen.runs) == (1, 2)


# -- stopping at failures --------------------------------------------------------------------------


@pytest.mark.parametrize("failures", [1, 2, 3, 10])
@pytest.mark.parametrize("beyond", [0, 1, 17, 10_000])
def test_stopping_interval_inverts_the_negative_binomial(failures: int, beyond: int) -> None:
    nbinom = pytest.importorskip("scipy.stats").nbinom

    rate = stats.until_failures(failures, failures + beyond)

    # scipy counts the successes before the last failure
    assert nbinom.cdf(beyond, failures, rate.low) == pytest.approx(0.025, rel=1e-9)
    if beyond:
        assert nbinom.sf(beyond - 1, failures, rate.high) == pytest.approx(0.025, rel=1e-9)
    else:
        assert rate.high == 1.0


def test_first_failure_is_geometric() -> None:
    rate = stats.first_failure(12)

    assert rate.estimate == 1 / 12
    assert rate.low == pytest.approx(1 - 0.975 ** (1 / 12), rel=1e-12)
    assert rate.high == pytest.approx(1 - 0.025 ** (1 / 11), rel=1e-12)
    assert stats.first_failure(1).high == 1.0


@pytest.mark.parametrize(("failures", "p"), [(2, 0.3), (3, 0.1), (5, 0.6)])
def test_estimate_after_several_failures_is_right_on_average(failures: int, p: float) -> None:
    """The naive failures / trials is too high on average; both are added up over all trials."""
    ours = naive = 0.0
    for trials in range(failures, 2_000):
        chance = math.comb(trials - 1, failures - 1) * p**failures * (1 - p) ** (trials - failures)
        ours += chance * stats.until_failures(failures, trials).estimate
        naive += chance * failures / trials

    assert ours == pytest.approx(p, rel=1e-9)
    assert naive > p * 1.05


@pytest.mark.parametrize(("failures", "p"), [(1, 0.2), (1, 0.01), (4, 0.05)])
def test_stopping_interval_covers(failures: int, p: float) -> None:
    """2,000 simulated experiments; exact, so at least 95 % less three standard deviations."""
    draw = random.Random(4)
    covered = 0
    for _ in range(2_000):
        trials = sum(
            math.floor(math.log(1 - draw.random()) / math.log1p(-p)) + 1 for _ in range(failures)
        )
        rate = stats.until_failures(failures, trials)
        covered += rate.low <= p <= rate.high

    assert covered >= 2_000 * 0.95 - 3 * math.sqrt(2_000 * 0.95 * 0.05)


# -- independence ----------------------------------------------------------------------------------


def processes(draw: random.Random, k: int, runs: int, p: float, correlation: float) -> list[int]:
    """Failures in k processes whose rates scatter (beta) so that two runs of one correlate."""
    rates = [p] * k
    if correlation:
        size = 1 / correlation - 1
        rates = [draw.betavariate(p * size, (1 - p) * size) for _ in range(k)]
    return [sum(draw.random() < rate for _ in range(runs)) for rate in rates]


def test_spread_has_chi_squares_p_value() -> None:
    chi2 = pytest.importorskip("scipy.stats").chi2
    draw = random.Random(5)
    for _ in range(60):
        runs = [draw.randint(20, 400) for _ in range(draw.randint(2, 40))]
        p = draw.uniform(0.1, 0.9)
        failed = [sum(draw.random() < p for _ in range(n)) for n in runs]
        found = stats.spread(failed, runs)
        degrees = len(runs) - 1
        assert found.p_value == pytest.approx(
            chi2.sf(found.dispersion * degrees, degrees), rel=1e-9
        )
        pooled = sum(failed) / sum(runs)
        pearson = sum(
            (f - n * pooled) ** 2 / (n * pooled * (1 - pooled))
            for f, n in zip(failed, runs, strict=True)
        )
        assert found.dispersion == pytest.approx(pearson / degrees, rel=1e-12)


def test_chi_square_tail_far_out_and_close_in() -> None:
    chi2 = pytest.importorskip("scipy.stats").chi2
    for degrees in (1, 2, 9, 199, 4_000):
        for factor in (0.2, 0.8, 1.0, 1.3, 3.0):
            value = degrees * factor
            ours = stats._chi2_upper(value, degrees)
            assert ours == pytest.approx(chi2.sf(value, degrees), rel=1e-8, abs=1e-14)


@pytest.mark.parametrize("correlation", [0.02, 0.1, 0.3])
def test_spread_finds_the_correlation(correlation: float) -> None:
    draw = random.Random(6)

    found = stats.spread(processes(draw, 400, 60, 0.2, correlation), 60)

    assert found.correlation == pytest.approx(correlation, rel=0.25)
    design = 1 + 59 * correlation
    assert found.dispersion == pytest.approx(design, rel=0.25)
    assert found.effective_runs == pytest.approx(400 * 60 / design, rel=0.25)
    assert found.warning is not None
    assert "not independent" in found.warning


def test_a_spread_beyond_all_chance_is_written_as_powers_are() -> None:
    found = stats.spread([1000, 0] * 10, [1000] * 20)
    assert found.warning is not None
    assert "p < 10\u207b\u00b9\u00b2)" in found.warning


@pytest.mark.parametrize(("runs", "p"), [(200, 0.2), (1, 0.3)])
def test_spread_seldom_cries_wolf(runs: int, p: float) -> None:
    """300 experiments without any spread: the warning's 1 % is kept."""
    draw = random.Random(7)

    warned = sum(
        stats.spread(processes(draw, 30, runs, p, 0), runs).warning is not None for _ in range(300)
    )

    assert warned <= 300 * 0.01 + 3 * math.sqrt(300 * 0.01)


@pytest.mark.parametrize("failures", [3, 5, 12])
def test_spread_seldom_cries_wolf_over_few_failures(failures: int) -> None:
    """Five failures in 100 processes: chance alone puts two of them into one process in 10 of 100
    experiments, and the chi-square distribution would call each of these a spread."""
    draw = random.Random(11)
    warned = 0
    for _ in range(300):
        failed = [0] * 100
        for _ in range(failures):
            failed[draw.randrange(100)] += 1
        warned += stats.spread(failed, 1_000).warning is not None

    assert warned <= 300 * 0.01 + 3 * math.sqrt(300 * 0.01)


def test_spread_sees_few_failures_that_bunch() -> None:
    found = stats.spread([0] * 29 + [6], 1_000)

    assert found.sparse
    assert found.p_value <= 0.002
    assert found.warning is not None


def test_spread_without_failures_knows_nothing() -> None:
    found = stats.spread([0, 0, 0], 50)

    assert math.isnan(found.dispersion)
    assert found.warning is None
    assert found.effective_runs == 150


def test_clustering_is_the_exact_share_of_arrangements() -> None:
    """Every arrangement of k failures among n runs is listed and its streaks counted."""
    for n in range(1, 11):
        for k in range(1, n):
            streaks = []
            for places in itertools.combinations(range(n), k):
                streaks.append(1 + sum(b - a > 1 for a, b in itertools.pairwise(places)))
            for flags in ([1] * k + [0] * (n - k), ([0, 1] * n)[:n]):
                if sum(flags) != k:
                    continue
                seen = 1 if flags[0] else sum(flags)
                expected = sum(s <= seen for s in streaks) / len(streaks)
                assert stats.clustering(flags) == pytest.approx(expected, rel=1e-9)
    assert stats.clustering([0, 0]) == stats.clustering([1, 1]) == 1.0


def test_streaks_are_warned_about_and_chance_is_not() -> None:
    draw = random.Random(8)
    streaky = [0] * 60 + [1] * 8 + [0] * 60
    alone = sum(
        stats.independence_warning([draw.random() < 0.1 for _ in range(200)]) is not None
        for _ in range(400)
    )

    assert "come in streaks" in str(stats.independence_warning(streaky))
    assert alone <= 400 * 0.01 + 3 * math.sqrt(400 * 0.01)


def test_bootstrap_covers_where_the_plain_interval_does_not() -> None:
    """200 simulated studies of 30 correlated processes, fixed seed."""
    draw = random.Random(9)
    covered = plain = 0
    for study in range(200):
        failed = processes(draw, 30, 100, 0.2, 0.1)
        rate = stats.cluster_bootstrap(failed, 100, seed=study, resamples=400)
        covered += rate.low <= 0.2 <= rate.high
        low, high = stats.clopper_pearson(sum(failed), 3_000)
        plain += low <= 0.2 <= high

    assert covered >= 0.88 * 200
    assert plain <= 0.6 * 200


def test_bootstrap_has_the_right_width() -> None:
    """With 300 processes its ends are those of a normal distribution, both of them."""
    draw = random.Random(12)
    failed = processes(draw, 300, 50, 0.3, 0.05)
    mean = sum(failed) / 300
    error = math.sqrt(sum((f - mean) ** 2 for f in failed) / 299 / 300) / 50

    rate = stats.cluster_bootstrap(failed, 50)

    assert rate.estimate - rate.low == pytest.approx(1.96 * error, rel=0.1)
    assert rate.high - rate.estimate == pytest.approx(1.96 * error, rel=0.1)


def test_bootstrap_repeats_with_its_seed() -> None:
    failed = [1, 4, 0, 9, 2, 2, 7, 3, 11, 5, 8, 6]
    one, same, other = (stats.cluster_bootstrap(failed, 50, seed=s) for s in (1, 1, 2))

    assert one == same
    assert one != other
    assert one.low < one.estimate == 58 / 600 < one.high


def alike(draw: random.Random, k: int, runs: int, p: float, correlation: float) -> list[int]:
    """As `processes`, in much less time."""
    if not hasattr(draw, "binomialvariate"):
        pytest.skip("needs random.binomialvariate (Python 3.12): runs on the kernel's interpreter")
    size = 1 / correlation - 1 if correlation else math.inf
    rates = [draw.betavariate(p * size, (1 - p) * size) if correlation else p for _ in range(k)]
    return [draw.binomialvariate(runs, rate) for rate in rates]


@pytest.mark.parametrize("few", [2, 3, 5, 8, 20])
def test_over_processes_covers_from_two_processes_on(few: int) -> None:
    """Simulated studies, fixed seed, in which neither the plain interval nor the bootstrap holds.

    Beta-binomial: (rate, correlation of two runs in a process). 3 standard errors of 200 studies are 4.7 %.
    """
    draw = random.Random(20 + few)
    for rate, correlation in [(0.3, 0.0), (0.3, 0.01), (0.3, 0.1), (0.02, 0.005)]:
        covered = seen = 0
        while seen < 200:
            failed = alike(draw, few, 400, rate, correlation)
            if 0 < sum(failed) < 400 * few:
                seen += 1
                found = stats.over_processes(failed, 400)
                assert 0.0 < found.low <= found.estimate <= found.high <= 1.0
                covered += found.low <= rate <= found.high
        assert covered >= (0.95 - 0.047) * seen, (rate, correlation, covered, seen)


@pytest.mark.parametrize("few", [2, 3, 5, 8, 20])
def test_over_processes_where_few_of_them_have_the_failures(few: int) -> None:
    """Nothing keeps its level there; but this misses much less often than what draws from the few."""
    draw = random.Random(30 + few)
    covered = drawn = 0
    for study in range(150):
        failed = alike(draw, few, 200, 0.02, 0.1)
        if not sum(failed):
            continue
        found = stats.over_processes(failed, 200)
        covered += found.low <= 0.02 <= found.high
        again = stats.cluster_bootstrap(failed, 200, seed=study, resamples=200)
        drawn += again.low <= 0.02 <= again.high

    assert covered > drawn


def test_over_processes_never_ends_at_nothing() -> None:
    """Two failures in one of three processes: the rate is not 0, so no end of the interval is."""
    found = stats.over_processes([2, 0, 0], [4_600, 4_600, 4_565])

    assert found.method == "over processes"
    assert 0 < found.low < found.estimate < found.high < 0.01
    assert "(95 %: 0 " not in str(found)


def test_over_processes_is_never_narrower_than_the_exact_interval() -> None:
    rare = (([1] * 5, 10), ([1] * 10, 100), ([1, 1, *[0] * 8], 5))  # one failure a process
    for failed, runs in (([3, 3], 10), ([40, 41, 39], 1_000), ([7, 8] * 30, 50), *rare):
        found = stats.over_processes(failed, runs)
        low, high = stats.clopper_pearson(sum(failed), runs * len(failed))
        assert found.low <= low
        assert found.high >= high


def test_over_processes_does_not_trust_one_process_that_has_most_of_the_runs() -> None:
    even = stats.over_processes([1_000, 1_010], [50_000, 50_000])
    uneven = stats.over_processes([1_000, 5], [100_000, 10])

    assert even.high < 0.03
    assert uneven.high > 0.1


def test_two_of_a_kind_seldom_exclude_each_other() -> None:
    """Runs of two processes each, of one lab: their intervals must not contradict each other."""
    draw = random.Random(33)
    pairs = [alike(draw, 2, 500, 0.3, 0.02) for _ in range(100)]
    found = [stats.over_processes(pair, 500) for pair in pairs]
    apart = sum(a.low > b.high or b.low > a.high for a, b in itertools.pairwise(found))

    assert apart <= 10


@pytest.mark.parametrize(
    ("degrees", "t"), [(1, 12.706204736), (2, 4.302652730), (4, 2.776445105), (19, 2.093024054)]
)
def test_students_t_is_that_of_the_tables(degrees: int, t: float) -> None:
    assert stats._t_upper(0.025, degrees) == pytest.approx(t, rel=1e-9)


@pytest.mark.parametrize(
    ("share", "a", "b"), [(0.025, 3, 98), (0.025, 40, 1_000), (0.1, 1, 2), (0.3, 900, 5)]
)
def test_beta_quantiles_are_the_ends_of_the_exact_interval(share: float, a: int, b: int) -> None:
    """For whole numbers the beta distribution is a binomial one, which is solved another way."""
    wanted = stats._exact_low(a, a + b - 1, share)

    assert stats._beta_quantile(share, a, b) == pytest.approx(wanted, rel=1e-9)


# -- broken against fixed --------------------------------------------------------------------------


@pytest.mark.parametrize("counts", [(19, 200, 2, 200), (5, 10**6, 7, 10**7), (1, 50, 1, 80)])
def test_ratio_inverts_the_conditional_binomial(counts: tuple[int, int, int, int]) -> None:
    binomtest = pytest.importorskip("scipy.stats").binomtest
    a, n, b, m = counts

    found = stats.ratio(stats.rate_per_round(a, n), stats.rate_per_round(b, m))

    low, high = binomtest(a, a + b).proportion_ci(0.95, method="exact")
    assert found.low == pytest.approx(low / (1 - low) * m / n, rel=1e-9)
    assert found.high == pytest.approx(high / (1 - high) * m / n, rel=1e-9)
    assert found.estimate == pytest.approx((a / n) / (b / m), rel=1e-12)


@pytest.mark.parametrize(("p", "q"), [(0.1, 0.02), (0.02, 0.02), (0.4, 0.05), (0.05, 0.001)])
def test_ratio_covers(p: float, q: float) -> None:
    """1,500 simulated pairs, many of them with no failure in the fixed half."""
    draw = random.Random(10)
    covered = empty = 0
    for _ in range(1_500):
        broken = stats.rate_per_round(sum(draw.random() < p for _ in range(150)), 150)
        fixed = stats.rate_per_round(sum(draw.random() < q for _ in range(100)), 100)
        found = stats.ratio(broken, fixed)
        covered += found.low <= p / q <= found.high
        empty += fixed.failed == 0

    assert covered >= 1_500 * 0.95 - 3 * math.sqrt(1_500 * 0.95 * 0.05)
    assert empty > 100 or q > 0.02


def test_ratio_sentences() -> None:
    def said(*counts: int) -> str:
        broken, fixed = (stats.rate_per_repetition(*counts[i : i + 2]) for i in (0, 2))
        return str(stats.ratio(broken, fixed))

    assert said(19, 200, 2, 200) == (
        "19 of 200 against 2 of 200 repetitions: 9.5 times as often (95 %: 2.3 to 84.1)"
    )
    assert said(19, 200, 0, 200) == (
        "19 of 200 against 0 of 200 repetitions: "
        "95 % sure that the first fails more than 5.8 times as often"
    )
    assert said(0, 200, 5, 200) == (
        "0 of 200 against 5 of 200 repetitions: "
        "95 % sure that the first fails less than 0.83 times as often"
    )
    assert said(0, 200, 0, 200) == (
        "0 of 200 against 0 of 200 repetitions: neither failed, so nothing is known about their ratio"
    )
    assert "12,300 times as often" in said(123, 1_000, 1, 100_000)


def test_ratio_without_failures_of_the_fixed_is_one_sided() -> None:
    found = stats.ratio(stats.rate_per_round(19, 200), stats.rate_per_round(0, 400))

    share = 0.05 ** (1 / 19)  # all 19 failures fall to the broken half with this chance or more
    assert found.low == pytest.approx(2 * share / (1 - share), rel=1e-12)
    assert found.estimate == found.high == math.inf


def test_ratio_refuses_two_units() -> None:
    with pytest.raises(ValueError, match="rate per round, fixed a rate per repetition"):
        stats.ratio(stats.rate_per_round(1, 10), stats.rate_per_repetition(1, 10))


# -- offset scans ----------------------------------------------------------------------------------


def test_half_height_of_a_triangle() -> None:
    offsets = [-300, -200, -100, 0, 100, 200, 300]

    assert stats.half_height(offsets, [0, 0, 0, 0.4, 0, 0, 0]) == (-50, 50)
    assert stats.half_height(offsets, [0, 0, 0.1, 0.4, 0.3, 0, 0]) == pytest.approx(
        (-200 / 3, 400 / 3)
    )


def test_half_height_takes_a_dip_for_a_part_of_the_peak() -> None:
    """Seen on a busy machine: two humps, the higher of them beside 0."""
    offsets = [-300, -200, -100, 0, 100, 200, 300]

    assert stats.half_height(offsets, [0, 0, 0.6, 0.3, 0.8, 0, 0]) == pytest.approx((-400 / 3, 150))
    assert stats.half_height(offsets, [0, 0, 0.8, 0.3, 0.6, 0, 0]) == pytest.approx((-150, 400 / 3))


def test_half_height_needs_both_sides() -> None:
    assert stats.half_height([0, 1, 2], [0.4, 0.1, 0]) is None
    assert stats.half_height([0, 1, 2], [0, 0, 0]) is None
    assert stats.half_height([], []) is None


# -- bad input -------------------------------------------------------------------------------------

BAD: list[tuple[str, tuple[Any, ...], str]] = [
    ("wilson", (-1, 10), "failed is -1: give a whole number of at least 0."),
    ("wilson", (11, 10), "failed is 11: more than the 10 runs made."),
    ("clopper_pearson", (0, 0), "runs is 0: give a whole number of at least 1."),
    ("clopper_pearson", (1.5, 10), "failed is 1.5: give a whole number."),
    ("zero_failure_bound", (10, 1.0), "confidence is 1.0: give a fraction between 0 and 1"),
    ("zero_failure_bound", (10, 95), "confidence is 95: give a fraction"),
    ("zero_failure_bound", (10, math.nan), "confidence is nan: give a fraction"),
    ("rule_of_three", ("10",), "runs is '10': give a whole number."),
    ("plan", (0.0,), "rate is 0.0: give a fraction above 0"),
    ("plan", (1.5,), "rate is 1.5: give a fraction above 0"),
    ("plan", (0.1, 0.0), "confidence is 0.0"),
    ("detection", (-0.1, 5), "rate is -0.1: give a fraction between 0 and 1."),
    ("detection_curve", (0.1, [1, 2, -3]), "counts[2] is -3"),
    ("detection_observed", ([0, 1], 3), "within is 3: more than the 2 runs there are."),
    ("detection_by_process", ([[0, 0, 0]], 4), "within is 4: no process has so many runs."),
    ("detection_by_process", ([[0, 0, 0]], 0), "within is 0: give a whole number of at least 1."),
    ("until_failures", (3, 2), "trials is 2: less than the 3 failures in them."),
    ("first_failure", (0,), "trials is 0"),
    ("spread", ([1, 2, 9], [5, 5, 5]), "failed[2] is 9: more than the 5 runs made."),
    ("spread", ([1, 2, 3], [5, 0, 5]), "runs[1] is 0"),
    ("spread", ([1, 2], [5]), "failed has 2 processes, runs has 1"),
    ("spread", ([1], 5), "failed has 1 process: comparing needs at least 2."),
    ("cluster_bootstrap", ([0, 0], 5), "of 10 runs none failed"),
    ("over_processes", ([0, 0], 5), "of 10 runs none failed"),
    ("over_processes", ([5], 5), "at least 2"),
    ("half_height", ([0, 2, 2], [1, 2, 1]), "offsets[2] is 2: not above the one before it, 2."),
    ("half_height", ([0, 2], [1]), "2 offsets and 1 rates"),
]


@pytest.mark.parametrize(("name", "arguments", "message"), BAD)
def test_bad_input_names_index_and_value(
    name: str, arguments: tuple[Any, ...], message: str
) -> None:
    with pytest.raises(ValueError, match=re.escape(message)):
        getattr(stats, name)(*arguments)


def test_bad_method_is_named() -> None:
    with pytest.raises(ValueError, match="method is 'wald': use 'exact' or 'wilson'"):
        stats.rate_per_round(1, 2, method="wald")


# -- the module ------------------------------------------------------------------------------------


def test_import_brings_nothing_heavy() -> None:
    """By the package's name, with src on the path: the harness and numpy stay where they are."""
    code = (
        f"import sys; sys.path.insert(0, {str(SRC)!r}); before = set(sys.modules)\n"
        "import racelab.stats\n"
        "print(*sorted({name.partition('.')[0] for name in set(sys.modules) - before}))\n"
        "print(*sorted(name for name in sys.modules if name.startswith('racelab.')))"
    )
    out = subprocess.run(
        [sys.executable, "-S", "-c", code], capture_output=True, text=True, timeout=60, check=True
    ).stdout.splitlines()

    heavy = {"numpy", "scipy", "matplotlib", "random", "statistics", "decimal", "IPython"}
    assert not heavy & set(out[0].split())
    assert out[1] == "racelab.stats"


def test_all_is_complete() -> None:
    public = {
        name
        for name, value in vars(stats).items()
        if not name.startswith("_") and getattr(value, "__module__", "") == stats.__name__
    }

    assert set(stats.__all__) == public
