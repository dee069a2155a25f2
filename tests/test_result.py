"""Results: counting, grading, merging, comparing, and how they look."""

from __future__ import annotations

import json
import re
from dataclasses import replace

import pytest

from racelab.lab import ACCEPTABLE, FORBIDDEN, NOT_RUN
from racelab.result import (
    Repetition,
    Result,
    compare,
    merge,
    merge_bins,
    skew_summary,
)

GRADES = {
    "good": ACCEPTABLE("as it should be"),
    "bad": FORBIDDEN("<lost>"),
    "crash(SIGSEGV)": FORBIDDEN,
}


def result(*repetitions: Repetition, **changes: object) -> Result:
    """A result of these repetitions, counted as `racing` counts them."""
    outcomes = {"good": 0, "bad": 0, "crash(SIGSEGV)": 0}
    for repetition in repetitions:
        for label, count in repetition.outcomes.items():
            outcomes[label] = outcomes.get(label, 0) + count
        if repetition.ending != "ok":
            outcomes[repetition.ending] = outcomes.get(repetition.ending, 0) + 1
    fields: dict[str, object] = {
        "lab": "demo",
        "variant": "broken",
        "question": "Does it?",
        "outcomes": outcomes,
        "grades": GRADES,
        "endings": ("crash(SIGSEGV)",),
        "repetitions": repetitions,
        "threads": 2,
        "python": "3.13.5 experimental free-threading build",
        "gil": False,
        "cores": 2.0,
    }
    return Result(**{**fields, **changes})  # type: ignore[arg-type]


CLEAN = Repetition({"good": 100}, "ok", 100, 0.1)
DIRTY = Repetition(
    {"good": 90, "bad": 10}, "ok", 100, 0.1, failed_rounds=10, first_failure_ns=5_000
)
CRASHED = Repetition(
    {"good": 50}, "crash(SIGSEGV)", 50, 0.1, failed_rounds=1, ungraded=49, note="stack"
)
NEVER = Repetition({}, "not-run", 0, 0.1, note="no module")


def test_rounds_and_repetitions_are_counted_apart() -> None:
    seen = result(CLEAN, DIRTY, CRASHED)

    assert (seen.rounds, seen.failed_rounds, seen.failed_repetitions) == (250, 11, 2)
    per_round, per_repetition = seen.rate_per_round, seen.rate_per_repetition
    assert per_round is not None
    assert per_repetition is not None
    # The round that crashed is one more, and so are those that were over but not graded.
    assert (per_round.failed, per_round.runs) == (11, 100 + 100 + 50 + 49 + 1)
    assert (per_repetition.failed, per_repetition.runs) == (2, 3)
    assert seen.time_to_first_failure_s == (5e-6,)


@pytest.mark.parametrize(
    ("repetitions", "calibrated", "status"),
    [
        ((CLEAN,), True, 0),
        ((CLEAN, DIRTY), None, 1),
        ((CRASHED,), None, 1),
        ((NEVER,), None, 2),
        ((), None, 2),
        ((CLEAN, NEVER), True, 2),
        ((DIRTY, NEVER), None, 1),
        ((CLEAN,), False, 3),
        ((CLEAN, DIRTY), False, 1),
    ],
)
def test_exit_status(
    repetitions: tuple[Repetition, ...], calibrated: bool | None, status: int
) -> None:
    seen = result(*repetitions, calibrated=calibrated, grades={**GRADES, "not-run": NOT_RUN})

    assert seen.exit_status == status
    assert seen.calibration_silent is (status == 3)


def test_what_never_ran_is_in_no_rate() -> None:
    seen = result(CLEAN, NEVER, grades={**GRADES, "not-run": NOT_RUN})

    assert seen.rate_per_repetition is not None
    assert seen.rate_per_repetition.runs == 1
    assert result(NEVER, grades={**GRADES, "not-run": NOT_RUN}).rate_per_repetition is None


def test_nothing_seen_is_a_bound_not_a_zero() -> None:
    assert "sure the rate is below" in str(result(CLEAN))


def test_every_declared_outcome_is_in_the_table_also_at_zero() -> None:
    rows = {row[0]: row for row in result(CLEAN).table()}

    assert rows["bad"][1:4] == ("0", "0 of 1", "FORBIDDEN")
    assert rows["crash(SIGSEGV)"][1:4] == ("", "0 of 1", "FORBIDDEN")


def test_an_outcome_may_be_called_ok() -> None:
    seen = result(Repetition({"ok": 5}, "ok", 5, 0.1), grades={"ok": ACCEPTABLE})

    assert "ok" in [row[0] for row in seen.table()]


def test_text_and_html_show_the_same_rows() -> None:
    seen = result(CLEAN, DIRTY, CRASHED)
    page = seen._repr_html_()

    for label, rounds, *_ in seen.table():
        assert label in str(seen)
        assert label in page
        assert rounds in page
    assert "<lost>" not in page
    assert not re.search(r"(?<!&)#[0-9a-fA-F]{3}", page)  # no colour of its own
    assert "stack" in page


def test_json_holds_the_contract() -> None:
    data = json.loads(json.dumps(result(CLEAN, DIRTY).as_json()))

    contract = (
        "lab variant outcomes rounds repetitions failed_repetitions rate_per_round rate_per_repetition "
        "rounds_per_s stride burst widened skew_ns gil python machine source_sha256"
    )
    assert set(contract.split()) <= set(data)
    assert data["outcomes"]["bad"] == {"count": 10, "grade": "FORBIDDEN"}
    assert set(data["rate_per_round"]) == {"low", "estimate", "high", "confidence"}


def test_a_line_brings_back_the_same_result() -> None:
    seen = result(CLEAN, DIRTY, CRASHED, skew_bins=((0.0, 4.0, 7),), offsets_ns=(0.0, 5.0))
    line = seen.to_json_line()

    assert "\n" not in line
    assert Result.from_json_line(line) == seen
    assert Result.from_json_line(line) != replace(seen, widened=True)


@pytest.mark.parametrize("line", ["", "{}", "[1]", '{"lab": "x"}', "not json"])
def test_a_line_that_is_no_result_is_refused(line: str) -> None:
    with pytest.raises(ValueError, match="no result of racelab"):
        Result.from_json_line(line)


def test_merging_adds_up() -> None:
    one = result(CLEAN, DIRTY, skew_bins=((0.0, 4.0, 7), (4.0, 8.0, 1)), wall_s=1.0)
    two = result(CRASHED, skew_bins=((0.0, 4.0, 3),), wall_s=2.0)
    both = one.merge(two)

    assert both.outcomes == {"good": 240, "bad": 10, "crash(SIGSEGV)": 1}
    assert both.repetitions == (CLEAN, DIRTY, CRASHED)
    assert both.skew_bins == ((0.0, 4.0, 10), (4.0, 8.0, 1))
    assert both.wall_s == 3.0


@pytest.mark.parametrize(
    "change",
    [{"widened": True}, {"threads": 4}, {"source_sha256": "x"}, {"gil": True}, {"lab": "y"}],
)
def test_different_races_are_never_merged(change: dict[str, object]) -> None:
    with pytest.raises(ValueError, match=next(iter(change))):
        merge([result(CLEAN), result(CLEAN, **change)])


def test_merging_nothing_is_an_error() -> None:
    with pytest.raises(ValueError, match="no results"):
        merge([])


def test_comparing_gives_ratios_of_both_rates() -> None:
    broken = result(*[DIRTY] * 10)
    fixed = result(*[CLEAN] * 10, variant="fixed")
    found = compare(broken, fixed)

    assert found.per_round is not None
    assert found.per_round.low > 10
    assert found.per_repetition.broken.failed == 10
    assert "demo, broken" in str(found)


def test_widened_is_never_compared_with_what_is_not() -> None:
    with pytest.raises(ValueError, match="widened"):
        compare(result(DIRTY, widened=True), result(CLEAN))


def test_what_never_ran_is_not_compared() -> None:
    with pytest.raises(ValueError, match="never ran"):
        compare(result(DIRTY), result())


def test_processes_that_differ_are_reported() -> None:
    mixed = [
        replace(DIRTY, outcomes={"bad": n, "good": 1000 - n}, rounds=1000, failed_rounds=n)
        for n in (0, 900, 10, 800)
    ]

    assert "not independent" in str(result(*mixed))


def test_interval_is_over_processes_where_they_differ() -> None:
    """Ten processes, half of them never failing: a million rounds are not a million trials."""
    often = Repetition({"good": 50_000, "bad": 50_000}, "ok", 100_000, 0.1, failed_rounds=50_000)
    never = Repetition({"good": 100_000}, "ok", 100_000, 0.1)
    rate = result(*[often, never] * 5).rate_per_round

    assert rate is not None
    assert rate.method == "over processes"
    assert rate.low < 0.15 < 0.35 < rate.high


def test_after_a_failure_no_interval_per_round_begins_at_nothing() -> None:
    clean = Repetition({"good": 4_600}, "ok", 4_600, 0.1)
    once = Repetition({"good": 4_598, "bad": 2}, "ok", 4_600, 0.1, failed_rounds=2)
    rate = result(clean, once, clean).rate_per_round

    assert rate is not None
    assert 0 < rate.low < rate.estimate < rate.high < 0.01


def test_two_processes_say_little_about_the_third() -> None:
    """Also where the two happen to be alike enough for chance."""
    one, other = (
        Repetition({"good": 1000 - n, "bad": n}, "ok", 1000, 0.1, failed_rounds=n)
        for n in (300, 330)
    )
    seen = result(one, other)
    rate = seen.rate_per_round

    assert seen.spread is not None
    assert seen.spread.warning is None
    assert rate is not None
    assert rate.high - rate.low > 0.3


def test_one_process_cannot_show_whether_its_rounds_are_independent() -> None:
    assert "one process cannot show whether they are" in result(DIRTY).sentences()[0]
    assert "if rounds are independent" in result(CLEAN).sentences()[0]
    every = Repetition({"bad": 100}, "ok", 100, 0.1, failed_rounds=100)
    assert result(every, every).sentences()[0].endswith(", if rounds are independent")


def test_a_bound_per_round_says_what_it_takes_for_granted() -> None:
    sentences = result(CLEAN, CLEAN).sentences()

    assert sentences[0].endswith("if rounds are independent")
    assert "independent" not in result(DIRTY, DIRTY).sentences()[0]


def test_html_folds_what_is_not_a_count_or_a_rate() -> None:
    html = result(CRASHED, DIRTY)._repr_html_()
    shown, _, folded = html.partition("<details>")

    assert "per repetition" in shown
    assert "conditions" not in shown
    assert "conditions" in folded
    assert "49 more over but not yet graded" in folded


def test_percentiles_come_from_the_merged_histogram() -> None:
    bins = merge_bins([[(0.0, 10.0, 90)], [(10.0, 20.0, 6), (20.0, 40.0, 4)]])

    assert skew_summary(bins) == pytest.approx({"p50": 10 * 50 / 90, "p95": 10 + 10 * 5 / 6})
    assert skew_summary(()) is None


def test_gil_and_widening_are_said() -> None:
    seen = result(CLEAN, gil=None, gil_enabled_by="culprit", widened=True, calibrated=False)
    page = seen._repr_html_()

    for words in ("culprit turned the GIL back on", "Widened", "INCONCLUSIVE"):
        assert words in str(seen)
        assert words in page.partition("<details>")[0]  # never folded away


@pytest.mark.parametrize(
    ("changes", "says", "says_not"),
    [
        ({}, "says nothing by itself; try --widen.", "broken half"),
        ({"race_points": False}, "no RACE_POINT() that --widen could hold open", "try --widen"),
        ({"widened": True, "race_points": False}, "no RACE_POINT() that", "broken half"),
        ({"widened": True, "variant": "fixed"}, "look at the broken half, widened too", "try"),
        ({"widened": True, "variant": None}, "says nothing by itself.", "broken half"),
        ({"gil": True}, "with the GIL on, threads take turns", "--widen"),
        ({"gil": True, "gil_enabled_by": "culprit"}, "--gil 0 (gil=0)", "--allow-gil"),
    ],
)
def test_what_to_do_about_silence(changes: dict[str, object], says: str, says_not: str) -> None:
    seen = result(CLEAN, calibrated=False, **changes)
    caution = next(text for text in seen._cautions() if text.startswith("INCONCLUSIVE"))

    assert says in caution
    assert says_not not in caution


def test_who_may_turn_the_gil_on_is_told_how() -> None:
    refused = result(NEVER, gil=None, gil_enabled_by="culprit")

    for words in ("Py_mod_gil slot", "freethreading_compatible=True", "--gil 0", "--allow-gil"):
        assert words in str(refused)


def test_a_lab_without_halves_that_shows_nothing_gets_advice() -> None:
    words = "Nothing forbidden seen with one call per burst"

    assert words in str(result(CLEAN, variant=None))
    for changes in (
        {"burst": 50},
        {"variant": "fixed"},
        {"mode": "cold"},
        {"sanitizer": "thread"},
        {"gil": True},
    ):
        assert words not in str(result(CLEAN, **{"variant": None, **changes}))
    assert words not in str(result(DIRTY, variant=None))
    assert words not in str(result(NEVER, variant=None, grades={**GRADES, "not-run": NOT_RUN}))


def test_race_points_survive_a_line() -> None:
    for known in (None, False, True):
        line = result(CLEAN, race_points=known).to_json_line()
        assert Result.from_json_line(line).race_points is known
        assert ("race_points" in line) is (known is not None)


def test_plots_have_axes() -> None:
    pytest.importorskip("matplotlib")
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    try:
        assert result(CLEAN, DIRTY).plot() is not None
        assert result(*[DIRTY, CLEAN] * 10).plot() is not None
        assert (
            compare(result(*[DIRTY] * 10), result(*[CLEAN] * 10, variant="fixed")).plot()
            is not None
        )
    finally:
        plt.close("all")
