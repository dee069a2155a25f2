"""racelab: race native extension code, count how often it fails, and say how sure the count is.

Everything is imported when it is first used: `import racelab` must not cost what it does not need.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from racelab.build import BuildError, Built, compile, load
    from racelab.checking import Verdict
    from racelab.classroom.client import share
    from racelab.debuggers import PostMortem, post_mortem
    from racelab.exercise import Cost, Exercise, ExerciseError, exercises
    from racelab.lab import ACCEPTABLE, FORBIDDEN, INTERESTING, Actor, Grade, Lab, find_lab, labs
    from racelab.machine import environment
    from racelab.practice import check, hint, panel, show_exercise
    from racelab.racing import RaceError, Scan, calibrate, race, scan_offsets
    from racelab.recording import recorded
    from racelab.result import Comparison, Repetition, Result, compare, merge
    from racelab.runner import Ending, run_child
    from racelab.sessions import Session, Transcript, session
    from racelab.show import show_diff, show_source
    from racelab.stats import plan

__version__ = "0.1.0"

#: Public name -> the module that has it.
_HOME = {
    "ACCEPTABLE": "lab",
    "FORBIDDEN": "lab",
    "INTERESTING": "lab",
    "Actor": "lab",
    "Grade": "lab",
    "Lab": "lab",
    "find_lab": "lab",
    "labs": "lab",
    "RaceError": "racing",
    "Scan": "racing",
    "calibrate": "racing",
    "race": "racing",
    "scan_offsets": "racing",
    "recorded": "recording",
    "PostMortem": "debuggers",
    "post_mortem": "debuggers",
    "Session": "sessions",
    "Transcript": "sessions",
    "session": "sessions",
    "Verdict": "checking",
    "share": "classroom.client",
    "check": "practice",
    "hint": "practice",
    "panel": "practice",
    "show_exercise": "practice",
    "Cost": "exercise",
    "Exercise": "exercise",
    "ExerciseError": "exercise",
    "exercises": "exercise",
    "Comparison": "result",
    "Repetition": "result",
    "Result": "result",
    "compare": "result",
    "merge": "result",
    "plan": "stats",
    "BuildError": "build",
    "Built": "build",
    "compile": "build",
    "load": "build",
    "environment": "machine",
    "Ending": "runner",
    "run_child": "runner",
    "show_diff": "show",
    "show_source": "show",
}

__all__ = [
    "ACCEPTABLE",
    "FORBIDDEN",
    "INTERESTING",
    "Actor",
    "BuildError",
    "Built",
    "Comparison",
    "Cost",
    "Ending",
    "Exercise",
    "ExerciseError",
    "Grade",
    "Lab",
    "PostMortem",
    "RaceError",
    "Repetition",
    "Result",
    "Scan",
    "Session",
    "Transcript",
    "Verdict",
    "__version__",
    "calibrate",
    "check",
    "compare",
    "compile",
    "environment",
    "exercises",
    "find_lab",
    "hint",
    "labs",
    "load",
    "load_ipython_extension",
    "merge",
    "panel",
    "plan",
    "post_mortem",
    "race",
    "recorded",
    "run_child",
    "scan_offsets",
    "session",
    "share",
    "show_diff",
    "show_exercise",
    "show_source",
]


def __getattr__(name: str) -> Any:
    home = _HOME.get(name)
    if home is None:
        raise AttributeError(f"module 'racelab' has no attribute {name!r}")
    value = getattr(importlib.import_module(f"racelab.{home}"), name)
    # Some names are those of the modules that hold them: from now on ours means the function.
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)


def load_ipython_extension(shell: Any) -> None:
    """What `%load_ext racelab` calls: registers %%c, %%cpp and, with Cython there, %%cython."""
    from racelab.notebook import register

    register(shell)
