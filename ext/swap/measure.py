"""What is recorded for swap: each variant, and the broken one with the GIL on, as wide open as it goes."""

import racelab as rl

RACES = [{"variant": variant} for variant in rl.find_lab("swap").variants]
RACES += [{"variant": "broken", "gil": 1, "widen": True, "count": 3, "seconds": 6}]
