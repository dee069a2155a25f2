"""What is recorded for `cache_once`: one first call per process, so many processes."""

RACES = [
    {"variant": variant, "count": 400, "seconds": 30}
    for variant in ("broken", "fixed", "fixed_local")
]
