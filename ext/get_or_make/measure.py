"""What is recorded of this lab: every variant, the broken one with the GIL on and under ThreadSanitizer."""

import racelab as rl

RACES = [
    {"variant": "broken"},
    {"variant": "broken", "gil": 1},
    {"variant": "broken_section"},
    {"variant": "fixed"},
    {"variant": "fixed_section"},
]


def sanitized() -> list[dict]:
    """What ThreadSanitizer says of the broken one, and how often it fails meanwhile; needs `make tsan`."""
    seen = rl.race("get_or_make", "broken", sanitizer="thread", count=10, rounds=2000)
    return [
        {
            "reported": sum(n for label, n in seen.outcomes.items() if "sanitizer" in label),
            "repetitions": len(seen.ran),
            "failed": seen.failed_rounds,
            "rounds": seen.rounds,
        }
    ]


MEASUREMENTS = {"sanitized": sanitized}
