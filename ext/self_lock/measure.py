"""What is recorded for `self_lock`: one thread and two, GIL off and on."""

RACES = [
    {"variant": variant, "threads": threads, "count": 10, "rounds": 200, "gil": gil}
    for variant in ("broken", "fixed", "fixed_critical")
    for threads, gil in ((1, 0), (2, 0), (1, 1))
]
