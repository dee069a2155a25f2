"""One run of the C core in this process, a child; its facts and the memory it took are left in `result`.

Arguments: the lab's file, the variant, and the settings of the run as JSON.
"""

from __future__ import annotations

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
    facts = _race.run(
        setup=getattr(module, str(lab.setup)),
        actors=[actor.body for actor in lab.cast(settings["threads"])],
        observe=lab.observe,
        observe_key=lab.observe_key,
        **settings,
    )
    kept = {name: facts[name] for name in _KEPT}
    return {**kept, "rss_mb": _rss_mb(), "rss_before_mb": before}


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
