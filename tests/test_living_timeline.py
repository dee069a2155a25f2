"""The timeline: traces of any form become one small state, what is wrong is refused, the recording shows its point."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest

import racelab as rl
from racelab import living
from racelab.recording import recorded
from racelab.show import find_ext

WAYS = {"detaches": "detached", "stays attached": "attached", "GIL on": "attached"}
A = {"thread": "A", "state": "attached", "start_ns": 5_000_000, "end_ns": 6_000_000}
B = {"thread": "B", "state": "stopped", "start_ns": 5_200_000, "end_ns": 5_900_400}
GC = {"label": "gc", "thread": "B", "start_ns": 5_100_000, "end_ns": 5_950_000}


def traces() -> dict[str, list[dict[str, Any]]]:
    """What is recorded for the chapter."""
    rows = recorded("attached").rows("traces")
    return {way: [row for row in rows if row["way"] == way] for way in WAYS}


def test_times_are_microseconds_since_the_first() -> None:
    figure = living.timeline({"today": {"spans": [A, {**B, "call": "f()"}], "events": [GC]}})

    [trace] = figure.state["traces"]
    assert trace["threads"] == ["A", "B"]
    assert trace["spans"] == [[0, "attached", 0, 1000, ""], [1, "stopped", 200, 900, "f()"]]
    assert trace["events"] == [["gc", 1, 100, 950]]
    assert (trace["end"], trace["gil"]) == (1000, False)


def test_rows_and_a_mapping_are_the_same_trace() -> None:
    by_rows = living.timeline({"x": [{**A, "gil": 1}, B, GC]}).state
    by_kind = living.timeline({"x": {"spans": [A, B], "events": [GC], "gil": True}}).state

    assert by_rows == by_kind
    assert by_rows["traces"][0]["gil"] is True


def test_an_event_that_nobody_asked_for_belongs_to_nobody() -> None:
    event = {**GC, "thread": "somebody else"}
    assert living.timeline({"x": [A, event]}).state["traces"][0]["events"][0][1] == -1


def test_threads_may_have_numbers() -> None:
    """Idents, say: a span is of its thread, whatever that is called."""
    rows = [{**row, "thread": {"A": 7, "B": 140}[row["thread"]]} for row in (A, B, GC)]
    [trace] = living.timeline({"x": rows}).state["traces"]
    assert trace["threads"] == ["7", "140"]
    assert [span[0] for span in trace["spans"]] == [0, 1]
    assert trace["events"][0][1] == 1


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({}, "give at least one trace"),
        ({"x": []}, "'x' has no spans"),
        ({"x": [GC]}, "'x' has no spans"),
        ({"x": [{**A, "state": "asleep"}]}, "row 0 has state 'asleep'; use one of attached"),
        ({"x": [A, {**B, "end_ns": 1}]}, r"row 1 ends at 1 ns, before its start"),
        ({"x": [{"thread": "A", "state": "attached"}]}, "row 0 has no 'start_ns'"),
        ({"x": [A, {"start_ns": 1, "end_ns": 2}]}, "row 1 has no 'label'"),
    ],
)
def test_what_is_no_trace_is_refused(given: Any, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        living.timeline(given)


@pytest.mark.parametrize("wrong", [{"begin": "y"}, {"notes": {"y": "a note"}}])
def test_a_name_that_no_trace_has_is_refused(wrong: Any) -> None:
    with pytest.raises(ValueError, match="'y' is none of the traces: x"):
        living.timeline({"x": [A]}, **wrong)


def test_it_begins_with_the_first_or_the_one_that_is_asked_for() -> None:
    assert living.timeline({"x": [A], "y": [B]}).state["begin"] == "x"
    figure = living.timeline({"x": [A], "y": [B]}, begin="y", notes={"y": "as <b>"})
    assert figure.state["begin"] == "y"
    assert [one["note"] for one in figure.state["traces"]] == ["", "as <b>"]


def test_the_still_picture_shows_every_trace_and_says_it() -> None:
    figure = living.timeline({"x <1>": [A], "y": [A, B]})

    assert 'role="img"' in figure.still
    assert "<1>" not in figure.still
    assert figure.still.count("<rect") == 4 + 1 + 2, "the key, and the spans"
    label = re.search(r'aria-label="([^"]*)"', figure.still)
    assert label
    assert "y: A attached 1 ms; B stopped 1 ms." in label[1]


def test_the_recorded_traces_make_a_small_figure() -> None:
    figure = living.timeline(traces())
    assert len(json.dumps(figure.state)) < 20_000
    assert len(figure.as_html()) < 60_000


@pytest.mark.parametrize("way", WAYS)
def test_what_was_recorded_is_what_the_chapter_says(way: str) -> None:
    """Naps are of the state that the way is named for; who was held up by them, and in which state."""
    rows = [row for row in traces()[way] if "state" in row]
    naps = [row for row in rows if row.get("call") == "nap()"]
    assert {row["state"] for row in naps} == {WAYS[way]}
    assert {row["gil"] for row in rows} == {int(way == "GIL on")}

    held = {row["state"] for row in rows if row["thread"] == "bystander"} - {"attached"}
    assert held == {"waiting" if way == "GIL on" else "stopped"}
    waits = [ms(row) for row in rows if row["thread"] == "collector" and row["state"] == "waiting"]
    stopped = max(ms(row) for row in rows if row["thread"] == "bystander" and row["state"] in held)
    if way == "detaches":
        assert waits == []
        assert stopped < min(map(ms, naps))
    else:
        assert len(waits) >= 3, "a collection now and then comes when a nap ends"
        assert stopped > max(map(ms, naps)) / 2


def ms(row: dict[str, Any]) -> float:
    """How long a span is."""
    return float(row["end_ns"] - row["start_ns"]) / 1e6


def test_a_kernel_gets_the_widget_and_it_follows_its_state() -> None:
    pytest.importorskip("anywidget")
    shown = living.timeline({"x": [A]})._repr_mimebundle_()
    assert "application/vnd.jupyter.widget-view+json" in shown
    assert 'model.on("change:state"' in living.module_text("timeline")


def test_on_paper_is_said_how_a_trace_was_made() -> None:
    notes = {"x": "The <GIL> is off.", "y": "The <GIL> is off.", "z": "nap() stays attached."}
    still = living.timeline({"x": [A], "y": [A], "z": [A], "w": [A]}, notes=notes).still
    assert "<em>x, y</em>: The &lt;GIL&gt; is off." in still
    assert still.count("<li>") == 2
    assert "<ul" not in living.timeline({"x": [A]}).still


def test_with_the_gil_on_the_bystander_waits_from_its_first_moment() -> None:
    """It may wait for a nap before it comes to its first line, and that is drawn: there is no gap before it."""
    folder = find_ext() / "attached"
    built = rl.compile(folder / "attached_broken.c")
    child = rl.run_child(
        folder / "beside.py", modules=[built], gil=1, args=[built.name, 1, 100, 1], timeout_s=30
    )
    first = {
        who: min(
            (row for row in child.returned["spans"] if row["thread"] == who),
            key=lambda row: row["start_ns"],
        )
        for who in ("collector", "bystander")
    }
    assert first["bystander"]["start_ns"] <= first["collector"]["start_ns"], "started before it"
