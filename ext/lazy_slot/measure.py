"""What is recorded for `lazy_slot`: the pair, and the broken one with the GIL on."""

RACES = [
    {"variant": "broken", "count": 30, "seconds": 10},
    {"variant": "fixed", "count": 30, "seconds": 10},
    {"variant": "broken", "count": 30, "seconds": 10, "gil": 1},
]
