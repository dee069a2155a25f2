"""What is recorded for `half_built`: the pair, and the repair with its memory orders taken out."""

import platform
from dataclasses import replace
from functools import partial
from pathlib import Path

import racelab as rl
from racelab.costs import calls
from racelab.racing import sanitizer_python

HERE = Path(__file__).resolve().parent
RACES = [
    {"variant": "broken", "count": 30, "seconds": 15},
    {"variant": "fixed", "count": 30, "seconds": 15},
]


def relaxed_source() -> str:
    """The fixed file with every order relaxed: wrong by the C standard, but x86-64 hides it.

    No variant of the lab, because a broken variant must be seen to fail.
    """
    text = (HERE / "half_built_fixed.c").read_text(encoding="utf-8")
    for order in ("acquire", "release"):
        text = text.replace(f"memory_order_{order}", "memory_order_relaxed")
    return text.replace("half_built_fixed", "half_built_relaxed")


def race_relaxed(built: rl.Built, **how: object) -> rl.Result:
    """Race it like the lab's variants."""
    lab = replace(rl.find_lab("half_built"), sources=(), variants=(), modules=[built.name])
    return rl.race(lab, modules=[built], **how)


def relaxed() -> list[dict]:
    """How often the relaxed one fails, and on which kind of processor."""
    seen = race_relaxed(rl.compile(relaxed_source()), count=30, seconds=30)
    return [{"machine": platform.machine(), "failed": seen.failed_rounds, "rounds": seen.rounds}]


def sanitized() -> list[dict]:
    """In how many of 10 short repetitions ThreadSanitizer reports each; needs `make tsan`."""
    how = {"sanitizer": "thread", "count": 10, "rounds": 200}
    built = rl.compile(relaxed_source(), sanitizer="thread", python=sanitizer_python("thread"))
    seen = {
        "broken": rl.race("half_built", "broken", **how),
        "fixed": rl.race("half_built", "fixed", **how),
        "fixed, but relaxed": race_relaxed(built, **how),
    }
    return [
        {
            "name": name,
            "reported": sum(r.ending.startswith("sanitizer(data race") for r in one.repetitions),
            "repetitions": len(one.ran),
        }
        for name, one in seen.items()
    ]


MEASUREMENTS = {"cost": partial(calls, "half_built"), "relaxed": relaxed, "sanitized": sanitized}
