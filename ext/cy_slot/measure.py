"""What is recorded for cy_slot: first calls in processes of their own, and the broken one with the GIL on."""

import racelab as rl

RACES = [
    {"variant": variant, "count": 100, "seconds": 6} for variant in rl.find_lab("cy_slot").variants
]
RACES += [{"variant": "broken", "count": 100, "seconds": 6, "gil": 1}]
