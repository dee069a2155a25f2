"""The planner: what a recorded rate may bring along, and what its picture on paper says without the figure."""

from __future__ import annotations

import re
from typing import Any

import pytest

from racelab import living


def test_a_recorded_rate_may_bring_its_own_speed() -> None:
    """Rounds of one lab are not those of another: theirs is none of the speeds that stand beside a rate of one's own."""
    own = {"name": "slow", "p": 0.1, "speed": "rounds of slow", "per_s": 80.0}
    assert living.planner(speeds={"rounds": 1e6}, presets=[own]).state["presets"] == [own]


@pytest.mark.parametrize("wrong", [{"per_s": 80.0}, {"per_s": 0, "speed": "rounds"}])
def test_a_speed_of_nothing_is_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="of 'slow': give a number above 0, and \"speed\""):
        living.planner(presets=[{"name": "slow", "p": 0.1, **wrong}])


def test_on_paper_both_axes_are_named_and_numbered() -> None:
    still = living.planner(0.001, unit="trial").still
    texts = re.findall(r"<text[^>]*>([^<]*)<", still)
    for wanted in ("0 %", "50 %", "100 %", "chance of at least one failure", "trials", "1,000"):
        assert wanted in texts


def test_the_caption_says_what_is_drawn_and_paper_has_it() -> None:
    figure = living.planner(0.001)
    for mark in ("Solid line", "dot", "Dashed", "diamond"):
        assert mark in figure.caption
    assert figure.still.count("<polyline") == 2
    assert "stroke-dasharray" in figure.still
    assert figure.still.count("<circle") == figure.still.count("<path") == 1
