"""What is recorded of the first call: enough fresh processes for a curve."""

RACES = [
    {"variant": "broken", "count": 1000, "seconds": 60},
    {"variant": "fixed", "count": 1000, "seconds": 60},
]
