"""What is recorded for `attached`: what three threads did around some collections, in three ways."""

from pathlib import Path

import racelab as rl

HERE = Path(__file__).resolve().parent
WAYS = {"detaches": ("fixed", 0), "stays attached": ("broken", 0), "GIL on": ("broken", 1)}
COLLECTIONS, NAP_MS, BYSTANDERS = 4, 50, 1
RUNS = 10


def traces() -> list[dict]:
    """One row per span and per collection, for `living.timeline`; times are ns since the collector was ready.

    Of some runs, the one in which the threads waited least for a core: whatever it shows.
    """
    rows = []
    for way, (variant, gil) in WAYS.items():
        built = rl.compile(HERE / f"attached_{variant}.c")
        runs = []
        for _ in range(RUNS):
            child = rl.run_child(
                HERE / "beside.py",
                modules=[built],
                gil=gil,
                args=[built.name, COLLECTIONS, NAP_MS, BYSTANDERS],
                timeout_s=30,
            )
            if child.outcome != "ok":
                raise RuntimeError(f"beside.py, {way}: {child}")
            runs.append(child.returned)
        quiet = min(runs, key=lambda run: run["no_core_ms"])
        found = quiet["spans"] + quiet["events"]
        zero = min(one["start_ns"] for one in found if one["thread"] == "collector")
        for one in found:
            if one["end_ns"] > zero:
                at = {key: max(one[key] - zero, 0) for key in ("start_ns", "end_ns")}
                rows.append({"way": way, "gil": gil, **one, **at})
    return rows


MEASUREMENTS = {"traces": traces}
