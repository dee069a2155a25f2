"""The offset scan as a figure: its window and rates against `stats`, its ways against what was recorded."""

from __future__ import annotations

import importlib.util
import json
from dataclasses import replace
from statistics import quantiles
from types import SimpleNamespace
from typing import Any

import pytest

from racelab import living, recording, stats
from racelab.living._scan import columns
from racelab.racing import Scan
from racelab.recording import recorded
from racelab.result import binned
from racelab.show import find_ext

Rows = list[dict[str, Any]]
spec = importlib.util.spec_from_file_location("measure_green", find_ext() / "green/measure.py")
assert spec
assert spec.loader
measure = importlib.util.module_from_spec(spec)
spec.loader.exec_module(measure)


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
        if ways[name]["n"] is not None:
            assert ways[name]["cuts"] == pytest.approx(cuts, rel=0.1, abs=10)
            continue
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


def test_releases_are_binned_as_a_race_bins_them() -> None:
    race = recorded("green").result("broken", lab="lost_update", release="barrier")
    assert race.skew_bins[-1][1] > 1e6
    for low, high, _ in race.skew_bins:
        middle = (low + high) // 2
        assert binned([low, middle, high - 1]) == ((low, high, 3),)


def test_every_release_is_in_the_bars() -> None:
    """Of a race and of clock readings, in bins that a picture can show; both kinds of way on the same edges."""
    race = recorded("green").result("broken", lab="lost_update", release="tsc")
    ways = ways_of(living.scan(POINTS, {"race": race, "mine": [3, 3.5, 5_000, 70_000]}))
    assert sum(n for *_, n in ways["race"]["bins"]) == ways["race"]["n"]
    assert len(ways["race"]["bins"]) < 100
    assert ways["mine"]["bins"] == [[3, 4, 2], [4096, 5120, 1], [65536, 81920, 1]]


def test_on_paper_a_bar_is_as_high_as_its_share() -> None:
    """Each side of 0 has half of the releases, in columns that are equally wide."""
    heights = columns([(0, 10, 30), (20, 30, 10)], lambda ns: ns, reach=30, wide=10)
    assert heights == pytest.approx({-3: 5, -1: 15, 0: 15, 2: 5})
    split = columns([(5, 15, 10)], lambda ns: ns, reach=30, wide=10)
    assert split == pytest.approx({-2: 2.5, -1: 2.5, 0: 2.5, 1: 2.5})
    # One that is narrower than a column, and one that reaches beyond the last.
    assert sum(
        columns([(1, 2, 4), (25, 99, 4), (30, 99, 4)], lambda ns: ns, 30, 10).values()
    ) == pytest.approx(8)


def test_a_median_is_said_in_one_way_and_none_is_said_finer_than_the_clock() -> None:
    """A list beside the figure takes the words from it; a bin from 0 to 1 ns is "under 1 ns", whatever lies in it."""
    race = replace(
        recorded("green").result("broken", lab="lost_update", release="tsc"),
        skew_bins=((0, 1, 900), (40, 42, 100)),
    )
    figure = living.scan(POINTS, {"tsc": race, "mine": [1_200, 22_400, 30_000]})
    assert {way["name"]: way["median"] for way in figure.state["ways"]} == {
        "tsc": "under 1 ns",
        "mine": "22.4 µs",
    }
    assert "tsc: median under 1 ns apart; mine: median 22.4 µs apart" in figure.still


def test_the_caption_explains_the_marks_that_are_there() -> None:
    fresh = living.scan(POINTS, {"mine": [1, 2, 3]}).caption
    assert "Bars show" in fresh
    assert "fewer than 0.1 %" in fresh
    assert "tick" not in fresh
    assert "black dot" in fresh
    assert "one of the 19" in fresh
    again = living.scan(POINTS, {"racelab, tsc": [1, 2, 3]}).caption
    assert "its tick is the median" in again


def test_on_paper_a_column_with_next_to_nothing_is_left_out() -> None:
    def boxes(rare: int) -> int:
        race = replace(
            recorded("green").result("broken", lab="lost_update", release="tsc"),
            skew_bins=((0, 8, 100_000), (1024, 1280, rare)),
        )
        return living.scan(POINTS, {"race": race}).still.count("z")

    assert boxes(10) < boxes(10_000)


def test_ways_that_were_recorded_with_all_their_releases_get_a_bound(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Which the recorded twentieths cannot give: "0 of 1,000" is more than "fewer than 1 in 20"."""
    seen = recorded("green")
    skews = [20_000.0 + n for n in range(1_000)]
    rows = [{"way": "threading.Barrier", **one} for one in measure.bins_of(skews)]
    kept = {**seen.measurements, "release_bins": SimpleNamespace(rows=rows)}
    monkeypatch.setattr(recording, "recorded", lambda _slug: replace(seen, measurements=kept))
    ways = ways_of(living.scan())

    barrier = ways["threading.Barrier"]
    assert (barrier["n"], barrier["inside"]) == (1_000, 0)
    assert barrier["cuts"][9] == pytest.approx(20_500, rel=0.02)
    assert ways["racelab, tsc"]["n"] > 1_000
    assert ways["appointment"]["n"] is None, "recorded without: the twentieths stand in"


def test_the_ways_in_python_are_measured_with_all_their_releases() -> None:
    """In children, as they are recorded; few of them here."""
    found = measure.released(processes=1, each=20)
    assert set(found) == {"no barrier", "threading.Barrier", "pool and Barrier", "appointment"}
    for way, skews in found.items():
        rows = measure.bins_of(skews)
        assert sum(row["releases"] for row in rows) == len(skews) == 20
        assert rows[0]["from_ns"] <= min(skews)
        assert max(skews) < rows[-1]["to_ns"]
        assert [row["percent"] for row in measure.percentiles(way, skews)] == [*range(5, 100, 5)]


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
    assert figure.still.count("<path") == 1
    assert "<circle" not in figure.still
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
