"""What is recorded for critical_section: what each way to be alone costs."""

from pathlib import Path

import racelab as rl

FOLDER = Path(__file__).resolve().parent


def cost():
    """Rows of taken.py, from three processes: what is luck of one is not of the other."""
    rows = []
    for _ in range(3):
        seen = rl.run_child(
            FOLDER / "taken.py",
            modules=[rl.compile(FOLDER / "locks.c")],
            args=["locks", "5", "5"],
            timeout_s=60,
        )
        if seen.returned is None:
            raise RuntimeError(f"taken.py: {seen}")
        rows += seen.returned
    return rows


MEASUREMENTS = {"cost": cost}
