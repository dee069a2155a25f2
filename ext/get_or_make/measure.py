"""What is recorded of this lab: every variant, and the broken one with the GIL on."""

RACES = [
    {"variant": "broken"},
    {"variant": "broken", "gil": 1},
    {"variant": "broken_section"},
    {"variant": "fixed"},
    {"variant": "fixed_section"},
]
