"""The offset scan as a figure: its window and rates against `stats`, its ways against what was recorded."""

from __future__ import annotations

import json
from statistics import quantiles
from typing import Any

import pytest

from racelab import living, stats
from racelab.racing import Scan
from racelab.recording import recorded

Rows = list[dict[str, Any]]


def peak(*rates: float, rounds: int = 1000) -> Rows:
    """Points at -100, -50 ... ns."""
    offsets = [50.0 * (i - len(rates) // 2) for i in range(len(rates))]
    return [
        {"offset_ns": ns, "hits": round(rate * rounds), "rounds": rounds}
        for ns, rate in zip(offsets, rates, strict=True)
    ]


POINTS = peak(0.0, 0.4, 0.8, 0.4, 0.0)  # half its height from -50 to 50 ns


def ways_of(figure: living.Living) -> dict[str, dict[str, Any]]:
    """Name to what the state says of a way."""
    return {way["name"]: way for way in figure.state["ways"]}


def test_the_window_and_the_rates_are_those_of_the_recorded_scan() -> None:
    rows = recorded("green").rows("scan")
    state = json.loads(json.dumps(living.scan().state))

    offsets = [row["offset_ns"] for row in rows]
    low, high = state["band"]
    assert high - low == pytest.approx(rows[0]["width_ns"], abs=0.2)
    assert [point[0] for point in state["points"]] == offsets
    for point, row in zip(state["points"], rows, strict=True):
        rate = stats.rate_per_round(row["hits"], row["rounds"], method="wilson")
        assert point[1:] == [row["hits"], row["rounds"], rate.estimate, rate.low, rate.high]


def test_the_ways_are_those_of_the_recording() -> None:
    seen = recorded("green")
    ways = ways_of(living.scan())
    low, high = living.scan().state["band"]

    for name in ("threading.Barrier", "appointment"):
        cuts = [row["ns"] for row in seen.rows("releases") if row["way"] == name]
        assert ways[name]["cuts"] == [round(ns) for ns in cuts]
        mirrored = [sign * ns for ns in cuts for sign in (-1, 1)]
        assert ways[name]["inside"] == sum(low < ns < high for ns in mirrored) / 40
    for release in ("barrier", "tsc"):
        race = seen.result("broken", lab="lost_update", release=release)
        way = ways[f"racelab, {release}"]
        assert way["n"] == sum(n for *_, n in race.skew_bins)
        assert race.skew_ns
        assert way["cuts"][9] == pytest.approx(race.skew_ns["p50"], rel=0.2, abs=1)


def test_releases_count_for_either_order_of_the_threads() -> None:
    skews = [10.0, 40.0, 60.0, 1000.0]
    [way] = ways_of(living.scan(POINTS, {"mine": skews})).values()
    assert (way["n"], way["inside"]) == (4, 0.5)
    assert way["cuts"] == [round(max(0, ns)) for ns in quantiles(skews, n=20)]

    # The peak is from 0 to 100 ns: whoever comes first decides.
    aside = [{**point, "offset_ns": point["offset_ns"] + 50} for point in POINTS]
    [way] = ways_of(living.scan(aside, {"mine": [10.0, 40.0, 60.0, 90.0, 150.0]})).values()
    assert way["inside"] == pytest.approx(4 / 10)


def test_a_race_gives_all_its_releases() -> None:
    race = recorded("green").result("broken", lab="lost_update", release="tsc")
    [way] = ways_of(living.scan(POINTS, {"racelab, tsc": race})).values()
    at_most = sum(n for low, _, n in race.skew_bins if low < 50)
    at_least = sum(n for _, high, n in race.skew_bins if high <= 50)

    assert at_least / way["n"] <= way["inside"] <= at_most / way["n"]
    assert way["cuts"] == sorted(way["cuts"])
    assert way["before"]["n"] == way["n"], "a way that was recorded gets a line"


def test_a_scan_of_today_is_taken() -> None:
    scanned = Scan(
        "lost_update broken", (*POINTS, {"offset_ns": 900.0, "hits": 0.0, "rounds": 0.0}), None, {}
    )
    figure = living.scan(scanned, {"one": [1, 2, 3], "two": [5, 6]}, way="two", failure="it breaks")

    assert len(figure.state["points"]) == 5, "a point without rounds says nothing"
    assert (figure.state["way"], figure.state["failure"]) == (1, "it breaks")
    assert figure.state["ways"][0]["before"] is None


def test_on_paper_there_is_the_peak_and_a_row_for_each_way() -> None:
    figure = living.scan(POINTS, {"<mine>": [100, 200, 300]})
    assert 'role="img"' in figure.still
    assert "&lt;mine&gt;: median 200 ns apart" in figure.still
    assert "<mine>" not in figure.still
    assert figure.still.count("<circle") == 2 * 19
    assert len(living.scan().as_html()) < 60_000


def test_a_kernel_gets_the_widget_and_it_follows_its_state() -> None:
    pytest.importorskip("anywidget")
    shown = living.scan()._repr_mimebundle_()
    assert "application/vnd.jupyter.widget-view+json" in shown
    assert 'model.on("change:state"' in living.module_text("scan")


@pytest.mark.parametrize(
    ("points", "skews", "way", "said"),
    [
        (peak(0.0, 0.0, 0.0), {"mine": [1, 2]}, None, "no peak with two sides"),
        (peak(0.9, 0.5, 0.0), {"mine": [1, 2]}, None, "no peak with two sides"),
        (POINTS, {"mine": [1]}, None, "'mine': give at least two skews"),
        (POINTS, {"mine": [-1, 2]}, None, "none below 0"),
        (POINTS, {"mine": [1, 2]}, "yours", "way='yours' is none of: mine"),
        (POINTS, {}, None, "no ways given"),
    ],
)
def test_what_shows_nothing_is_refused(
    points: Rows, skews: dict[str, list[float]], way: str | None, said: str
) -> None:
    with pytest.raises(ValueError, match=said):
        living.scan(points, skews, way=way)
