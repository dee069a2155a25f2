"""What calls cost: rows as a recording and the explorer take them."""

from __future__ import annotations

import pytest

from racelab import living
from racelab.costs import calls


@pytest.mark.parametrize("slug", ["lazy_slot", "swap"])
def test_each_variant_is_timed_and_only_repairs_together(slug: str) -> None:
    rows = calls(slug, times=1, ms=0.2, processes=1)
    assert all(row["ns"] > 0 and row["core_ns"] > 0 for row in rows)
    teams: dict[str, list[int]] = {}
    for row in rows:
        teams.setdefault(row["variant"], []).append(row["threads"])
    assert {"broken", "fixed"} <= teams.keys()
    assert all(
        found == ([1, 2] if variant.startswith("fixed") else [1])
        for variant, found in teams.items()
    )


def test_the_explorer_takes_the_rows_as_they_are() -> None:
    state = living.explorer("lazy_slot", costs=calls("lazy_slot", times=1, ms=0.2)).state
    assert state["kinds"] == ["1 thread", "2 threads"]
    assert {one["variant"] for one in state["costs"]} == {"broken", "fixed"}


def test_a_lab_without_variants_is_refused() -> None:
    with pytest.raises(ValueError, match="raises: a lab without variants"):
        calls("raises")
