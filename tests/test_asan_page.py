"""Chapter 15: the table of Predict holds what the three interpreters said, and the prose what was recorded."""

from __future__ import annotations

import importlib.util
import re
from collections import defaultdict
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

import racelab as rl

ROOT = Path(__file__).resolve().parent.parent
PAGE = (ROOT / "notebooks/15_asan.md").read_text(encoding="utf-8")


def load() -> ModuleType:
    spec = importlib.util.spec_from_file_location("asan_tables", ROOT / "ext/asan/tables.py")
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def output(name: str) -> str:
    (row,) = rl.recorded("asan").rows(name)
    return str(row["output"])


def cells(row: str) -> list[str]:
    return [cell.strip() for cell in row.strip("|").split("|")]


def test_each_row_that_is_to_be_predicted_is_filled_in() -> None:
    """By a run of that call in each of the three interpreters."""
    empty = re.findall(r"^\| (`\S+\)`) \| +\| +\| +\|$", PAGE, re.M)
    made = load().filled(
        release=output("who_release"), ASan=output("who_asan"), debug=output("who_debug")
    )
    head, _, *rows = (cells(line) for line in made.splitlines())

    assert head == ["call", "release", "ASan", "debug"]
    assert [row[0] for row in rows] == empty
    assert all(all(row) for row in rows)


def test_what_was_said_of_a_call_is_in_the_order_in_which_it_was_said() -> None:
    text = (
        "for what in 'a()'; do\n== a()\nfreed.c:46: Assertion failed: object has negative ref count\n"
        "SUMMARY: AddressSanitizer: use-after-poison x.h:3 in f\n== b()\nnothing was said\n"
    )
    assert load().said(text) == {
        "a()": "negative ref count, then use-after-poison",
        "b()": "nothing was said",
    }


def test_a_row_says_that_the_asan_interpreter_is_a_debug_one_too() -> None:
    """As it is built: its costs are those of both."""
    flags = (ROOT / "tools/_compile.py").read_text(encoding="utf-8")
    asan = re.search(r'"asan": Recipe\(\s*\((.*?)\)', flags, re.S)

    assert asan
    assert ("--with-pydebug" in asan[1]) == ("pydebug" in load().build("asan"))
    assert load().build("tsan") == "tsan"


@pytest.fixture(scope="module")
def rates() -> dict[tuple[str, str], list[dict[str, Any]]]:
    found = defaultdict(list)
    for row in rl.recorded("asan").rows("rates"):
        found[row["lab"], row["interpreter"]].append(row)
    return found


def test_the_answers_of_who_sees_what_are_those_of_the_table(
    rates: dict[tuple[str, str], list[dict[str, Any]]],
) -> None:
    def share(lab: str, interpreter: str, key: str) -> float:
        """Of the processes; a busy machine may keep one from meeting its bug."""
        rows = rates[lab, interpreter]
        return sum(bool(row[key]) for row in rows) / len(rows)

    assert share("lost_update", "tsan", "said") > 0.5
    assert not any(share("lost_update", one, "said") for one in ("release", "debug", "asan"))
    assert (
        share("borrowed_weakref", "asan", "line") > 0.5 > share("borrowed_weakref", "tsan", "line")
    )
    assert not any(share("borrowed_weakref", one, "said") for one in ("release", "debug"))
    assert share("borrowed_ref", "tsan", "line") > 0.5 > share("borrowed_ref", "asan", "line")
