"""The object under study, the same for every way of testing it: a broken module of the book and its lab.

Imported in children only. RACELAB_BENCH_LAB names the lab, RACELAB_BENCH_FILE the file that declares it; the
compiled module is importable by its name. RACELAB_BENCH_THREADS is the number of threads of a recipe.
"""

import importlib
import os
from collections.abc import Callable, Sequence
from typing import Any

import racelab as rl

LAB = rl.find_lab(os.environ["RACELAB_BENCH_FILE"])
THREADS = int(os.environ.get("RACELAB_BENCH_THREADS", "10"))
ITERATIONS = int(os.environ.get("RACELAB_BENCH_ITERATIONS", "1000"))
#: Time from the first to the last thread behind the barrier, ns; filled by recipe_skew.py.
SKEWS_NS: list[int] = []
#: (trials, failed trials) where a test counts by itself; filled by recipe_run_parallel.py.
COUNTED: list[tuple[int, int]] = []

_module: Any = importlib.import_module(f"{LAB.name}_broken")


def make() -> Any:
    """A fresh object."""
    return getattr(_module, str(LAB.setup))()


def call(state: Any, nth: int) -> Callable[[], object]:
    """What the nth thread calls; roles repeat, but for the one that replaces what the others read."""
    roles = LAB.declared_actors
    filling = [actor for actor in roles if not actor.made_by] or list(roles)
    actor = roles[nth] if nth < len(roles) else filling[(nth - len(roles)) % len(filling)]
    method: Callable[[], object] = getattr(state, str(actor.body))
    return method


def intact(state: Any, returned: Sequence[object], calls: int) -> bool:
    """Whether the lab finds nothing forbidden after so many calls."""
    observe: Any = LAB.observe
    return LAB.grade(str(observe(state, tuple(returned), calls))).name != "FORBIDDEN"
