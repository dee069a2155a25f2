"""What is recorded for gil_window: every variant with the GIL off, and with the GIL on."""

import racelab as rl

VARIANTS = rl.find_lab("gil_window").variants
RACES = [
    {"variant": variant, "gil": gil, "count": 30, "seconds": 9}
    for gil in ("auto", 1)
    for variant in VARIANTS
]
