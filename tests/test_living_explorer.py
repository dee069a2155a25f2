"""The explorer: what it shows of recorded and fresh races, and how fresh results flow into it."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import tomllib

from racelab import living, stats
from racelab.lab import labs
from racelab.living import Explorer
from racelab.recording import Measurement, recorded
from racelab.result import Result

LAB = "cy_counter"
ROOT = Path(__file__).resolve().parents[1]


def race(variant: str = "broken", **wanted: Any) -> Result:
    """A recorded race of the counter."""
    return recorded(LAB).result(variant, **{"gil": False, **wanted})


@pytest.fixture
def kept(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Callable[..., None]:
    """Write a recording into a book that has nothing else: races, and rows of its measurement "cost"."""
    folder = tmp_path / "notebooks/recorded"
    folder.mkdir(parents=True)
    (tmp_path / "ext").mkdir()

    def write(slug: str, *races: Result, cost: list[dict[str, Any]] | None = None) -> None:
        lines = [one.to_json_line() for one in races]
        if cost:
            where = ("", "3.13", "somewhere", "2026-01-01")
            lines.append(Measurement("cost", cost, *where).to_json_line())
        (folder / f"{slug}.jsonl").write_text("\n".join(lines) + "\n", encoding="utf-8")
        monkeypatch.setenv("RACELAB_BOOK", str(tmp_path))

    # Races of the tests come from the real recording.
    real = recorded(LAB)
    monkeypatch.setattr(f"{__name__}.recorded", lambda _slug: real)
    return write


def rates(state: Any) -> list[dict[str, Any]]:
    """All rates in a state."""
    return [one[unit] for one in state["races"] for unit in ("round", "repetition") if one[unit]]


def test_every_recorded_race_is_there_with_the_rate_that_the_result_has() -> None:
    figure = living.explorer(LAB)
    state = json.loads(json.dumps(figure.state, allow_nan=False))
    seen = recorded(LAB)

    assert len(state["races"]) == len(seen.races)
    for shown, result in zip(state["races"], seen.races, strict=True):
        rate = result.rate_per_round
        assert rate
        assert shown["variant"] == result.variant
        assert shown["round"]["words"] == str(rate)
        assert shown["round"]["high"] == pytest.approx(rate.high, rel=1e-3)
        assert shown["table"] == [list(row) for row in result.table()]
    assert seen.about in figure.caption
    assert len(figure.as_html()) < 60_000


def test_only_what_the_races_differ_in_is_switched() -> None:
    state = living.explorer(LAB).state
    assert state["fields"] == [{"label": "GIL", "options": ["off", "on"]}]
    assert state["at"] == ["off"]
    assert living.explorer("dice").state["fields"] == []
    labels = {one["label"] for one in living.explorer("borrowed_ref").state["fields"]}
    assert labels >= {"Threads", "GIL", "Window"}
    fields = {one["label"]: one["options"] for one in living.explorer("lazy_slot").state["fields"]}
    assert fields.keys() == {"Threads", "GIL", "Compiled with", "Interpreter"}
    assert fields["Compiled with"] == ["-O2", "-O0", "-O3"]
    ordinary, debug = fields["Interpreter"]
    assert debug == f"{ordinary}, debug"


def test_no_failure_is_a_bound_and_never_a_zero() -> None:
    state = living.explorer(LAB).state
    clean = [rate for rate in rates(state) if not rate["failed"]]
    assert clean
    assert all(rate["high"] > 0 and "sure the rate is below" in rate["words"] for rate in clean)


def test_the_cost_is_what_was_recorded() -> None:
    state = living.explorer(LAB).state
    rows = recorded(LAB).rows("cost")
    assert state["kinds"] == ["in C, 1 thread", "in C, 2 threads", "from Python, 1 thread"]
    [alone] = [
        one
        for one in state["costs"]
        if one["variant"] == "fixed" and one["kind"] == "in C, 1 thread"
    ]
    wanted = [
        row["core_ns"]
        for row in rows
        if (row["variant"], row["from"], row["threads"]) == ("fixed", "in C", 1)
    ]
    assert alone["all"] == pytest.approx(sorted(wanted), rel=1e-3)


@pytest.mark.parametrize(
    ("rows", "kinds", "median"),
    [
        # Many values in a row, and a second name of the variant.
        (
            [
                {"variant": "broken", "strategy": "none", "threads": 1, "ns": [4.0, 6.0, 5.0]},
                {"variant": "fixed", "strategy": "a lock", "threads": 1, "ns": [7.0]},
            ],
            ["1 thread"],
            5.0,
        ),
        # What else was measured is no condition; rows without a variant belong to nobody.
        (
            [
                {"variant": "broken", "blocked": 0.25, "ns": 3.0},
                {"variant": "broken", "blocked": 0.5, "ns": 9},
                {"variant": "fixed", "blocked": 0.5, "ns": 5},
                {"way": "elsewhere", "ns": 1.0},
            ],
            [""],
            6.0,
        ),
    ],
)
def test_costs_are_read_as_measurements_have_them(
    kept: Callable[..., None], rows: list[dict[str, Any]], kinds: list[str], median: float
) -> None:
    kept(LAB, race("broken"), race("fixed"), cost=rows)
    state = living.explorer(LAB).state
    assert state["kinds"] == kinds
    [one] = [one for one in state["costs"] if one["variant"] == "broken"]
    assert one["mid"] == median
    assert state["cost"] == "one call"


def test_a_lab_that_was_timed_with_another_shows_that(kept: Callable[..., None]) -> None:
    timed = [
        {"lab": "other", "variant": "fixed", "of": "one call", "way": "mine", "ns": 5.0},
        {"lab": LAB, "variant": "fixed", "of": "one sum", "way": "theirs", "ns": 8.0},
    ]
    kept("other", cost=timed)
    kept(LAB, race("fixed"))
    figure = living.explorer(LAB)
    assert [(one["variant"], one["mid"]) for one in figure.state["costs"]] == [("fixed", 8.0)]
    assert figure.state["cost"] == "one sum"
    assert figure.state["kinds"] == [""]
    assert "Costs were recorded on somewhere" in figure.caption


def test_a_race_is_found_whatever_its_recording_is_called(kept: Callable[..., None]) -> None:
    """As for `hang`, which the folder `endings` records."""
    kept("several", replace(race("fixed"), lab="one_of_them"), race("broken"))
    fresh = replace(race("fixed"), lab="one_of_them")
    state = fresh.explore().state
    assert [one["fresh"] for one in state["races"]] == [False, True]


def test_every_lab_of_the_book_with_a_bug_has_something_to_show() -> None:
    kinds = tomllib.loads((ROOT / "ext/kinds.toml").read_text(encoding="utf-8"))
    names = {lab.name for lab in labs()}
    slugs = [bug for kind in kinds.values() for bug in kind["bugs"] if bug in names]
    assert "hang" in slugs
    for slug in slugs:
        state = living.explorer(slug).state
        assert {one["variant"] for one in state["races"]} >= {"broken", "fixed"}, slug


def test_every_variant_of_the_page_of_labs_is_explained() -> None:
    """In the words of its source, which has them in its header; and the source is named."""
    kinds = tomllib.loads((ROOT / "ext/kinds.toml").read_text(encoding="utf-8"))
    names = {lab.name: lab for lab in labs()}
    for slug in dict.fromkeys(bug for kind in kinds.values() for bug in kind["bugs"]):
        if slug in names:
            state = living.explorer(slug).state
            for key, _ in state["variants"]:
                note = state["notes"][key]
                [file] = re.findall(r" Source: (\S+)$", note)
                assert (ROOT / file).is_file()
                assert note.startswith("Bug: " if key.startswith("broken") else "Repair: ")
                assert " * " not in note


def test_page_of_labs_names_those_that_it_leaves_out() -> None:
    page = (ROOT / "book/labs.md").read_text(encoding="utf-8")
    kinds = tomllib.loads((ROOT / "ext/kinds.toml").read_text(encoding="utf-8"))
    shown = {bug for kind in kinds.values() for bug in kind["bugs"]}
    [sentence] = re.findall(r"^Left out are .+$", page, re.M)

    for lab in labs():
        assert (lab.name in shown) != (
            f"`{lab.name}`" in sentence.replace("`lock_and_world`", "")
        ), lab.name


TIMED = "lost_update_cpp lost_update cy_counter per_thread tokenizer cache cache_once lazy_slot"


@pytest.mark.parametrize("slug", TIMED.split())
def test_costs_that_were_recorded_are_on_the_page_of_the_labs(slug: str) -> None:
    state = living.explorer(slug).state
    timed = {one["variant"] for one in state["costs"]}
    assert timed & {one["variant"] for one in state["races"]} >= {"fixed"}
    assert all(re.fullmatch(r"(.*, )?\d threads?|", kind) for kind in state["kinds"])


def test_what_a_word_costs_says_how_long_it_is() -> None:
    """Else a tokenizer would seem to need as long for a word as a lock for a thousand."""
    folder = ROOT / "ext/tokenizer"
    letters = re.search(r'b"w" \* ([\d_]+)', (folder / "apart.py").read_text(encoding="utf-8"))
    assert letters
    of = re.search(r'"of": "(.+)"', (folder / "measure.py").read_text(encoding="utf-8"))
    assert of
    assert of[1] == f"one word of {int(letters[1]):,} letters"


def test_variants_and_costs_can_be_named() -> None:
    figure = living.explorer(
        "per_thread",
        variants={"fixed": "thread_local", "lock": "a lock"},
        costs={"fixed": [3.0, 1.0, 2.0], "lock": [9], "fixed_tss": [5]},
        timed=[{"variant": "fixed", "ns": 4.0}],
    )
    assert figure.state["variants"] == [["fixed", "thread_local"], ["lock", "a lock"]]
    assert {one["variant"] for one in figure.state["races"]} == {"fixed"}
    assert [(one["variant"], one["mid"], one["fresh"]) for one in figure.state["costs"]] == [
        ("fixed", 2.0, False),
        ("lock", 9.0, False),
        ("fixed", 4.0, True),
    ]


def test_a_measurement_of_rates_is_raced_by_its_columns() -> None:
    state = living.explorer("folded", rates="flags").state
    [field] = state["fields"]
    assert field["label"] == "Compiled with"
    assert field["options"] == ["-O2", "-O0", "-O1"], "-O2 is how the book compiles"
    rows = [
        row
        for row in recorded("folded").rows("flags")
        if (row["variant"], row["flags"]) == ("broken", "-O0")
    ]
    failed, runs = [row["failed"] for row in rows], [row["rounds"] for row in rows]
    wanted = stats.cluster_bootstrap(failed, runs)
    shown = [one for one in state["races"] if (one["variant"], one["at"]) == ("broken", ["-O0"])]
    assert str(wanted) in [one["round"]["words"] for one in shown], "beside a race at this level"


def test_a_fresh_result_stands_beside_the_recorded_ones_of_another_machine() -> None:
    mine = replace(race(), machine="mine", python="3.13.9")
    state = mine.explore().state
    assert [one["at"] for one in state["races"] if one["fresh"]] == [["off"]]
    assert "mine" not in json.dumps(state["fields"])
    assert len(state["races"]) == len(recorded(LAB).races) + 1


def test_a_widened_result_is_never_among_those_that_are_not() -> None:
    state = replace(race(), widened=True).explore().state
    labels = [one["label"] for one in state["fields"]]
    assert "Window" in labels
    number = labels.index("Window")
    at = {one["at"][number] for one in state["races"] if one["fresh"]}
    assert at == {"held open (widened)"} == {state["at"][number]}


def test_a_lab_of_a_notebook_has_no_recording_and_is_shown_all_the_same() -> None:
    figure = replace(race(), lab="own", variant=None).explore()
    assert isinstance(figure, Explorer)
    assert figure.state["variants"] == [["", "this lab"]]
    assert len(figure.state["races"]) == 1
    assert figure.state["costs"] == []
    assert "this lab" in figure.still


def test_explore_works_outside_of_the_book(monkeypatch: pytest.MonkeyPatch, tmp_path: Any) -> None:
    result = race()
    monkeypatch.setenv("RACELAB_BOOK", str(tmp_path))
    assert len(result.explore().state["races"]) == 1


def test_fresh_results_flow_into_the_figure_that_is_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("anywidget")
    monkeypatch.delenv(living.STATIC, raising=False)
    figure = race("broken").explore()
    assert "application/vnd.jupyter.widget-view+json" in figure._repr_mimebundle_()
    [widget] = figure._widgets
    before = len(widget.state["races"])

    figure.update(race("fixed"))
    assert len(widget.state["races"]) == before + 1
    assert widget.state["races"][-1]["variant"] == "fixed"
    assert widget.state["races"][-1]["fresh"]
    assert widget.caption == figure.caption
    assert 'model.on("change:state"' in living.module_text("explorer")


def test_racing_again_adds_rounds_and_changed_source_begins_anew() -> None:
    once = race("fixed")
    figure = once.explore()
    figure.update(once)
    [fresh] = [one for one in figure.state["races"] if one["fresh"]]
    assert fresh["round"]["words"].startswith(f"0 of {2 * once.rounds:,} rounds")

    figure.update(replace(once, source_sha256="changed"))
    [fresh] = [one for one in figure.state["races"] if one["fresh"]]
    assert fresh["round"]["words"].startswith(f"0 of {once.rounds:,} rounds")


def test_a_refused_result_leaves_the_figure_as_it_was() -> None:
    figure = race().explore()
    before = figure.state
    with pytest.raises(ValueError, match="dice: this figure is about cy_counter"):
        figure.update(replace(race(), lab="dice"))
    assert figure.state is before
    figure.update(race("fixed"))


@pytest.mark.parametrize(
    ("kind", "how", "says"),
    [
        (ValueError, {"slug": "no_such_lab"}, "there is nothing to show"),
        (ValueError, {"slug": LAB, "costs": {"fixed": [-1]}}, "list of numbers from 0 on"),
        (ValueError, {"slug": LAB, "costs": {"fixed": []}}, "list of numbers from 0 on"),
        (LookupError, {"slug": LAB, "rates": "speed"}, "no measurement 'speed'"),
        (LookupError, {"slug": "no_such_lab", "rates": "speed"}, "nothing is recorded"),
    ],
)
def test_what_cannot_be_shown_is_refused(
    kind: type[Exception], how: dict[str, Any], says: str
) -> None:
    with pytest.raises(kind, match=says):
        living.explorer(**how)


def test_paper_gets_the_rates_and_costs_it_begins_with() -> None:
    still = living.explorer(LAB, variants={"fixed": "a <lock>"}, cost="one increment").still
    assert "a &lt;lock&gt;" in still
    assert str(race("fixed").rate_per_round) in still
    assert "one increment, in C, 1 thread (ns, median)" in still
    assert re.search(r"<td>[\d.]+</td>", still)


@pytest.mark.parametrize(
    ("ns", "said"),
    [(68_345.6, "68,350"), (1234.0, "1,234"), (12.345, "12.3"), (0.00002, "0.00002")],
)
def test_paper_has_costs_as_people_read_them(ns: float, said: str) -> None:
    still = living.explorer(LAB, variants={"fixed": "a lock"}, costs={"fixed": [ns]}).still
    assert f"<td>{said}</td>" in still


def test_paper_is_not_told_of_what_only_the_living_figure_has() -> None:
    figure = living.explorer(LAB)
    assert "upright" in figure.how
    before, after = figure.caption.split(figure.how)
    assert "upright" not in before + after
    assert recorded(LAB).about in after
    fresh = race("fixed")
    figure.update(fresh)
    assert "Today's rate" in figure.how
    assert figure.how in figure.caption


def test_the_representation_of_a_result_is_as_it_was() -> None:
    result = race()
    assert result._repr_html_().startswith("<")
    assert "explore" not in repr(result)
