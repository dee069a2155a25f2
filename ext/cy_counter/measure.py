"""What is recorded for cy_counter: how often each variant forgets, and what each repair costs."""

from pathlib import Path

import racelab as rl

FOLDER = Path(__file__).resolve().parent
DEPENDS = ["lost_update"]  # whose bumps.py does the timing
RACES = [{"variant": variant} for variant in rl.find_lab("cy_counter").variants]
RACES += [{"variant": "broken", "gil": 1}]


def cost():
    """Rows of bumps.py, by one thread and by two; twice over, so that a slow moment does not hit one alone."""
    rows = []
    for _ in range(2):
        for variant in ("broken", "fixed", "fixed_pymutex", "fixed_lock", "fixed_atomic"):
            built = rl.compile(FOLDER / f"cy_counter_{variant}.pyx")
            seen = rl.run_child(
                FOLDER.parent / "lost_update" / "bumps.py",
                modules=[built],
                args=[built.name, "10", "10", "1", "2"],
                timeout_s=60,
            )
            if seen.returned is None:
                raise RuntimeError(f"cy_counter, {variant}: {seen}")
            rows += [{"variant": variant, "of": "one increment", **row} for row in seen.returned]
    return rows


MEASUREMENTS = {"cost": cost}
