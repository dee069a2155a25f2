"""The extension of the page "Race your own extension": it fails where the page says, and its repair does not."""

from __future__ import annotations

from pathlib import Path

import pytest

from racelab.lab import Lab, load_labs
from racelab.racing import race

FOLDER = Path(__file__).resolve().parent.parent / "ext" / "your_own"
LABS = {lab.name: lab for lab in load_labs(FOLDER / "my_lab.py")}


def test_a_borrowed_price_shows_when_its_window_is_held_open() -> None:
    assert race(LABS["prices"], widen=True, count=5, seconds=1, timeout_s=5).forbidden


def test_a_table_shown_too_early_needs_fresh_processes() -> None:
    first = LABS["first"]
    seen = race(first, widen=True, count=60, stop_at_first=True)

    assert set(seen.forbidden) & {"0 currencies", "1 currencies"}, seen


def test_the_repaired_one_returns_prices_alone() -> None:
    seen = race(LABS["repaired"], widen=True, count=3, seconds=0.6)

    assert (seen.forbidden, seen.rounds > 0) == ({}, True)


def test_the_repaired_table_is_full_for_everybody() -> None:
    seen = race(LABS["first_repaired"], widen=True, count=60)

    assert (seen.forbidden, seen.rounds) == ({}, 60)


@pytest.mark.parametrize("lab", LABS.values(), ids=str)
def test_it_compiles_without_a_warning(lab: Lab) -> None:
    from racelab.build import compile

    assert compile(lab.source_files(None), flags=lab.flags).log == ""
