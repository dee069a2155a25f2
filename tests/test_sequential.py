"""The rule by which racing tests decide, on made-up counts and on real pairs."""

from __future__ import annotations

import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
import sequential

from racelab import stats
from racelab.checking import clean_needed, low_end
from racelab.lab import Lab, load_labs

EXT = Path(__file__).resolve().parent.parent / "ext"


@pytest.fixture
def lab() -> Lab:
    return load_labs(EXT / "lost_update" / "lab.py")[0]


@pytest.fixture
def tally(monkeypatch: pytest.MonkeyPatch) -> None:
    """Verdicts of these tests are not verdicts of the run."""
    monkeypatch.setattr(sequential, "decided", [])
    monkeypatch.setattr(sequential, "inconclusive", [])


@pytest.mark.parametrize(("low", "rounds"), [(0.5, 20), (0.1, 132), (0.001, 13_809)])
def test_needed_rounds_leave_one_chance_in_a_million(low: float, rounds: float) -> None:
    assert clean_needed(low) == rounds
    assert (1 - low) ** rounds <= 1e-6 < (1 - low) ** (rounds - 1)


def test_no_rate_means_no_number_is_enough() -> None:
    assert clean_needed(0.0) == float("inf")
    assert clean_needed(1.0) == 1


def test_the_low_end_of_a_rate() -> None:
    """What never failed has none; where the interval begins at 0, a tenth of the estimate has to do."""
    assert low_end(None) == low_end(stats.rate_per_round(0, 100)) == 0
    ten = stats.rate_per_round(10, 100)
    assert low_end(ten) == ten.low > 0
    assert low_end(replace(ten, low=0.0)) == pytest.approx(0.01)


@pytest.mark.usefixtures("tally")
def test_one_in_ten_is_the_limit() -> None:
    for nth in range(9):
        sequential.note(f"lab {nth}", True)
    sequential.note("late", None)
    assert sequential.too_many() is None

    sequential.note("later", None)
    assert sequential.too_many() == (
        "2 of 11 race verdicts are inconclusive, more than one in ten: this machine proves too little."
    )


@pytest.mark.usefixtures("tally")
def test_nothing_decided_is_no_complaint() -> None:
    assert sequential.too_many() is None


def test_too_many_fail_a_run_that_is_otherwise_green(tmp_path: Path) -> None:
    """The hook, in a pytest of its own."""
    for name in ("conftest.py", "sequential.py"):
        shutil.copy(Path(__file__).with_name(name), tmp_path)
    (tmp_path / "test_it.py").write_text(
        "import sequential\ndef test_it(): sequential.note('lost_update broken', None)\n"
    )
    command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "--rootdir", tmp_path]

    seen = subprocess.run([*command, tmp_path], cwd=tmp_path, capture_output=True, text=True)

    assert seen.returncode == 1, seen.stdout
    assert "INCONCLUSIVE lost_update broken:" in seen.stdout
    assert "1 of 1 race verdicts are inconclusive" in seen.stdout
    assert "1 passed" in seen.stdout


def test_the_cap_is_no_verdict(lab: Lab) -> None:
    """Nothing forbidden can be seen in no time; that is neither a pass nor a failure."""
    assert sequential.shows(lab, "fixed", 0.2) is None


@pytest.mark.race
def test_a_broken_half_does_not_hold(lab: Lab) -> None:
    assert sequential.holds(lab, "broken", 30) is False
