"""What is recorded for `once_python`: every variant, with the GIL off and on."""

RACES = [
    {"variant": variant, "count": 10, "rounds": 200, "gil": gil}
    for variant in ("broken", "fixed", "fixed_mutex")
    for gil in ("auto", 1)
]
