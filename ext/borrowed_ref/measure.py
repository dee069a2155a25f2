"""What the book shows as recorded of a borrowed reference: how it ends, and what says nothing about it."""

RACES = [
    {"variant": "broken", "threads": 2, "count": 30, "seconds": 12},
    {"variant": "broken", "threads": 5, "count": 30, "seconds": 12},
    {"variant": "fixed", "threads": 2, "count": 30, "seconds": 12},
    # Under the GIL nobody comes between, and the calibration race shows nothing either: inconclusive.
    {"variant": "broken", "threads": 2, "count": 10, "seconds": 3, "gil": 1},
    {"variant": "broken", "threads": 2, "count": 10, "seconds": 3, "widen": True},
]
