"""What was raced last, for `racelab post-mortem`: a small file in the cache, written whole."""

from __future__ import annotations

import contextlib
import json
import weakref
from pathlib import Path
from typing import TYPE_CHECKING, Any

from racelab.build import cache_folder
from racelab.files import write_whole

if TYPE_CHECKING:
    from racelab.lab import Lab
    from racelab.result import Result

__all__ = ["facts_of", "labs", "recall", "remember"]

#: What a race is made again from.
_KEPT = ("variant", "threads", "gil", "release", "stride", "widened", "sanitizer", "date")
#: Labs that were raced in this process: those that no file declares are found here alone.
labs: dict[str, Lab] = {}
#: The interpreter of each race of this process whose result is still there: a result knows its version alone.
_pythons: dict[int, str] = {}
#: Reports that are kept: the gravest come first.
_REPORTS = 1


def _file() -> Path:
    return cache_folder().parent / "last_race.json"


def facts_of(result: Result, file: Path | None = None) -> dict[str, Any]:
    """What a race is made again from, and the forbidden outcomes that it showed."""
    seen = [k for k, n in result.outcomes.items() if n and result.grades[k].name == "FORBIDDEN"]
    kept = {name: getattr(result, name) for name in _KEPT}
    kept["python"] = _pythons.get(id(result), "")
    kept["reports"] = [str(report) for report, _ in result.reports[:_REPORTS]]
    offsets = list(result.offsets_ns)
    where = str(file) if file else None
    return {"lab": result.lab, "file": where, **kept, "offsets_ns": offsets, "seen": sorted(seen)}


def remember(lab: Lab, result: Result, python: str = "") -> Result:
    """Note what was raced, by which interpreter, and hand it on; a disk that is full is no reason to fail."""
    labs[lab.name] = lab
    _pythons[id(result)] = python
    weakref.finalize(result, _pythons.pop, id(result), None)
    text = json.dumps(facts_of(result, lab.file))
    with contextlib.suppress(OSError):
        write_whole(_file(), text)
    return result


def recall() -> dict[str, Any]:
    """What `remember` has noted last on this machine, for this user.

    Raises:
        FileNotFoundError: nothing was raced yet.
        OSError, ValueError: the file cannot be read.
    """
    found = json.loads(_file().read_text(encoding="utf-8"))
    if not isinstance(found, dict):
        raise ValueError(f"{_file()} is no JSON object")
    return found
