"""What is recorded for false_sharing: what a call takes of a core, by who else writes where."""

from pathlib import Path

import racelab as rl

FOLDER = Path(__file__).resolve().parent
RACES = []


def cost():
    """Rows of apart.py for both layouts, three times over by turns."""
    rows = []
    for _ in range(3):
        for variant in ("broken", "fixed"):
            built = rl.compile(FOLDER / f"false_sharing_{variant}.c")
            seen = rl.run_child(
                FOLDER / "apart.py", modules=[built], args=[built.name, "10", "10"], timeout_s=60
            )
            if seen.returned is None:
                raise RuntimeError(f"false_sharing, {variant}: {seen}")
            rows += [{"variant": variant, **row} for row in seen.returned]
    return rows


MEASUREMENTS = {"cost": cost}
