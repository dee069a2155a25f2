"""What is recorded for `collector`: how long a collection takes beside a thread that waits for a lock."""

from pathlib import Path

import racelab as rl

HERE = Path(__file__).resolve().parent
VARIANTS = ("broken", "fixed", "fixed_detach")
HOLD_MS = 50


def waits() -> list[dict]:
    """One row per variant and GIL; `ms` holds values, each for one collection."""
    rows = []
    for variant in VARIANTS:
        built = rl.compile(HERE / f"collector_{variant}.c")
        for gil in (0, 1):
            child = rl.run_child(
                HERE / "beside.py",
                modules=[built],
                gil=gil,
                args=[built.name, 30, HOLD_MS],
                timeout_s=30,
            )
            if child.outcome != "ok":
                raise RuntimeError(f"beside.py, {variant}, gil={gil}: {child}")
            ms = child.returned["ms"]
            rows.append({"variant": variant, "gil": gil, "hold_ms": HOLD_MS, "ms": ms})
    return rows


MEASUREMENTS = {"waits": waits}
