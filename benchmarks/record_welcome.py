"""Record the figure of the welcome page: `make record`.

The same broken counter, as many trials each way: the usual recipe under `pytest --count`, and the first rounds
of racelab. Writes notebooks/recorded/welcome.jsonl, two lines, stamped with machine, build and date.
"""

from __future__ import annotations

import json
import time
from pathlib import Path

from children import broken, under_pytest

import racelab as rl
from racelab import stats

ROOT = Path(__file__).resolve().parents[1]
RECORD = ROOT / "notebooks/recorded/welcome.jsonl"
TRIALS = 2000
THREADS = 2


def main() -> int:
    """Run both, write both, print both."""
    built = broken("lost_update")
    lines = [recipe(), racelab_rounds()]
    about = rl.environment().as_dict()
    for line in lines:
        line |= {
            "trials": TRIALS,
            "bound": stats.zero_failure_bound(TRIALS) if not line["failed"] else None,
            "machine": f"{about['cores']:g} cores, {about['cpu']}",
            "python": about["python"],
            "source_sha256": built.sha256,
            "date": time.strftime("%Y-%m-%d"),
        }
    RECORD.parent.mkdir(exist_ok=True)
    fresh = RECORD.with_suffix(".new")
    fresh.write_text("".join(json.dumps(line) + "\n" for line in lines))
    fresh.rename(RECORD)
    for line in lines:
        print(f"{line['label']}: {line['failed']:,} of {TRIALS:,} failed, {line['seconds']:.3g} s")
    return 0


def recipe() -> dict[str, object]:
    """`pytest --count`, in a child: a crash of the counter would be the child's affair."""
    seen = under_pytest("recipe_threading.py", "lost_update", [f"--count={TRIALS}"])
    if seen.trials != TRIALS:
        raise SystemExit(f"pytest ran {seen.trials} of {TRIALS} tests; nothing was recorded.")
    label = "threading.Barrier recipe, 10 threads, pytest --count"
    return {"series": "recipe", "label": label, "failed": seen.failed, "seconds": seen.wall_s}


def racelab_rounds() -> dict[str, object]:
    """As many rounds in one child; child start, race and grading are all in the time."""
    start = time.monotonic()
    seen = rl.race("lost_update", "broken", threads=THREADS, rounds=TRIALS, count=1)
    seconds = time.monotonic() - start
    if seen.rounds != TRIALS or seen.widened:
        raise SystemExit(f"racelab made {seen.rounds} rounds of {TRIALS}; nothing was recorded.")
    label = f"racelab, {THREADS} threads, one child process"
    return {"series": "racelab", "label": label, "failed": seen.failed_rounds, "seconds": seconds}


if __name__ == "__main__":
    raise SystemExit(main())
