"""One run of the C core in this process, a child; its facts and the memory it took are left in `result`.

Arguments: the lab's file, the variant, and the settings of the run as JSON. With `short_rounds` among them, as many
short runs before and after it as make up a tenth of its rounds: the speed of a processor changes over
seconds, and a long run is comparable only with short ones around it.
"""

from __future__ import annotations

import functools
import importlib
import json
import re
import sys
from pathlib import Path
from typing import Any

import racelab as rl
from racelab import _race


def _rss_mb() -> float:
    """Largest resident set of this program so far, MB (not ru_maxrss: that remembers the parent's)."""
    status = Path("/proc/self/status").read_text(encoding="ascii")
    found = re.search(r"VmHWM:\s+(\d+) kB", status)
    if found is None:
        raise RuntimeError("/proc/self/status has no VmHWM: memory is measured on Linux only.")
    return int(found[1]) * 1024 / 1e6


def _run(file: str, variant: str, settings: dict[str, Any]) -> dict[str, Any]:
    lab = rl.find_lab(file)
    module = importlib.import_module(f"{lab.name}_{variant}")
    before = _rss_mb()
    short_rounds = settings.pop("short_rounds", 0)
    core = functools.partial(
        _race.run,
        setup=getattr(module, str(lab.setup)),
        actors=[actor.body for actor in lab.cast(settings["threads"])],
        observe=lab.observe,
        observe_key=lab.observe_key,
    )
    times = settings["rounds"] // short_rounds // 10 if short_rounds else 0
    around = {**settings, "rounds": short_rounds}
    short = [core(**around) for _ in range(times)]
    facts = core(**settings)
    short += [core(**around) for _ in range(times)]
    kept = {name: facts[name] for name in _KEPT}
    ran = sum(one["rounds"] for one in short)
    cost = sum(one["seconds_racing"] for one in short) / ran if ran else None
    return {**kept, "rss_mb": _rss_mb(), "rss_before_mb": before, "short_s_per_round": cost}


_KEPT = (
    "rounds",
    "seconds",
    "rounds_per_s",
    "race_rounds_per_s",
    "seconds_making",
    "seconds_racing",
    "seconds_grading",
    "skew_ns",
    "outcomes",
    "outcomes_detached",
    "late",
    "cpus",
    "gil",
)
result = _run(sys.argv[1], sys.argv[2], json.loads(sys.argv[3]))
