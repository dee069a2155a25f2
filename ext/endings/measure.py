"""What the book shows as recorded of the endings: a race that hangs, and its repair."""

RACES = [
    {"lab": "hang", "variant": "broken", "threads": 2, "count": 3},
    {"lab": "hang", "variant": "fixed", "threads": 2, "count": 3},
]
