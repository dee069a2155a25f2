"""How operations on built-in containers and iterators come out when two threads do the same."""

from __future__ import annotations

import runpy
from dataclasses import asdict
from pathlib import Path
from typing import Any

import racelab as rl

OPERATIONS = runpy.run_path(str(Path(__file__).with_name("operations.py")))


def rows(kinds: str, seconds: float) -> list[dict[str, Any]]:
    """One row for each operation of a kind: how it failed, and the fields of a `stats.Rate` per round."""
    found = []
    for name in OPERATIONS[kinds]:
        lab = OPERATIONS["lab"](name, OPERATIONS[kinds])
        seen = rl.race(lab, count=10, seconds=seconds, progress=False)
        found.append(
            {
                "name": name,
                "repetitions": len(seen.ran),
                "failed_repetitions": sum(one.failed_rounds > 0 for one in seen.ran),
                "how": ", ".join(sorted(seen.forbidden)),
                **asdict(seen.rate_per_round),
            }
        )
    return found


MEASUREMENTS = {
    "calls": lambda: rows("CALLS", seconds=3),
    "iterators": lambda: rows("ITERATORS", seconds=2),
}
