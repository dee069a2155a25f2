"""What is recorded for lost_update: how often each variant fails, and what each way of counting costs."""

from pathlib import Path

import racelab as rl

FOLDER = Path(__file__).resolve().parent
DEPENDS = ["lost_update_cpp"]
COUNTERS = {
    "lost_update": ["broken", "fixed", "fixed_mutex", "fixed_critical", "fixed_pthread"],
    "lost_update_cpp": ["fixed", "fixed_mutex"],
}
#: What the explorer switches beside GIL and window: more threads, other compiler levels, another interpreter.
WAYS = ({"threads": 4}, {"threads": 8}, {"flags": ["-O0"]}, {"flags": ["-O3"]}, {"python": "debug"})
SHORT = {"count": 15, "seconds": 3}
RACES = [{"variant": variant} for variant in rl.find_lab("lost_update").variants]
RACES += [{"variant": variant, "gil": 1} for variant in ("broken", "broken_atomic")]
RACES += [{"variant": "broken", "gil": 1, "widen": True, "count": 10, "seconds": 10}]
RACES += [{"variant": "fixed", "gil": 1, **SHORT}]
RACES += [{"variant": variant, **way, **SHORT} for variant in ("broken", "fixed") for way in WAYS]


def timings(work_ms, times, threads):
    """Rows of bumps.py for every counter; twice over, so that a slow moment does not hit one alone."""
    rows = []
    for _ in range(2):
        for slug, variants in COUNTERS.items():
            for variant in variants:
                suffix = ".cpp" if slug.endswith("_cpp") else ".c"
                built = rl.compile(FOLDER.parent / slug / f"{slug}_{variant}{suffix}")
                seen = rl.run_child(
                    FOLDER / "bumps.py",
                    modules=[built],
                    args=[built.name, work_ms, times, *map(str, threads)],
                    timeout_s=60,
                )
                if seen.returned is None:
                    raise RuntimeError(f"{slug}, {variant}: {seen}")
                named = {"lab": slug, "variant": variant, "of": "one increment"}
                rows += [{**named, **row} for row in seen.returned]
    return rows


def cost():
    """What a call takes of a core, by one thread and by two at once."""
    return timings("10", "10", [1, 2])


def growth():
    """The time that goes by per call, by one to eight threads at once."""
    return timings("10", "4", [1, 2, 3, 4, 6, 8])


def reports():
    """What ThreadSanitizer says, and what is lost where it says nothing. Needs `make tsan`."""
    rows = []
    for variant in ("broken", "broken_volatile", "broken_atomic", "fixed"):
        seen = rl.race(
            "lost_update", variant, sanitizer="thread", count=5, rounds=2000, progress=False
        )
        found = sum(repetition.ending.startswith("sanitizer") for repetition in seen.repetitions)
        rows.append(
            {
                "variant": variant,
                "repetitions": len(seen.repetitions),
                "reported": found,
                "rounds": seen.rounds,
                "lost": seen.outcomes.get("updates lost", 0),
            }
        )
    return rows


MEASUREMENTS = {"cost": cost, "growth": growth, "reports": reports}
