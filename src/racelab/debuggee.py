"""What runs under a debugger: a lab, raced in this one process until its bug shows.

The program that `debuggers` writes calls `main`. Nothing here handles a signal, so that a crash is the debugger's;
what is forbidden and no crash raises SIGTRAP, at which a debugger stops. Needs nothing that the interpreter has not.
"""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path
from typing import Any


def main(job: dict[str, Any]) -> None:
    """Race until something forbidden shows, or the job's time is over; says which on stdout.

    With the job's `endings` only a crash or a hang will do, and both are seen by others than us. With `once` it is
    raced once: the lab's bug needs a process that has done nothing yet.
    """
    import mmap
    import signal

    sys.path += [entry for entry in [*job["path"], job["package"]] if entry not in sys.path]
    from racelab import child

    if job["modules"]:
        sys.meta_path.insert(0, child._Finder(job["modules"]))
    os.environ.pop("RACELAB_WIDEN", None)
    if job["widen"]:
        os.environ["RACELAB_WIDEN"] = "1"
    if job["alarm_s"]:  # beyond its time limit a program that nobody ends ends itself
        signal.alarm(job["alarm_s"])
    _live_with_debuggers()
    race = child._import("racelab._race")
    prepared = child._Prepared(job)
    if child._gil_enabled() and not job["allow_gil"]:
        sys.exit("racelab: an import has turned the GIL on: nothing was raced")
    with Path(job["tally"]).open("r+b") as file:
        size = race.tally_size(job["threads"], job["labels"])
        file.truncate(size)
        with mmap.mmap(file.fileno(), size) as tally:
            _tell(job["note"], {"pid": os.getpid()})
            _race_until_shown(job, race, (child._load_lab(job), prepared), tally)


def _race_until_shown(job: dict[str, Any], race: Any, raced: tuple[Any, Any], tally: Any) -> None:
    import signal

    lab, prepared = raced
    end = time.monotonic() + (job["limit_s"] or 1e9)
    rounds = 0
    seen: set[str] = set()
    while time.monotonic() < end:
        facts = race.run(**prepared.arguments, **job["run"], tally=tally, labels=job["labels"])
        rounds += facts["rounds"]
        for label in [*facts["outcomes"], *facts["outcomes_detached"]]:
            if lab.grade(label).name != "FORBIDDEN":
                continue
            seen.add(label)
            if job["endings"]:
                continue
            _tell(job["note"], {"pid": os.getpid(), "shown": label, "rounds": rounds})
            print(f"racelab: forbidden, in round {facts['rounds']:,} of this run: {label}")
            sys.stdout.flush()
            signal.raise_signal(signal.SIGTRAP)
            return
        if job["once"]:
            break
    _tell(job["note"], {"pid": os.getpid(), "shown": None, "rounds": rounds, "seen": sorted(seen)})
    what = "no crash and no hang" if job["endings"] else "nothing forbidden"
    if job["once"]:
        much = "the one round of this process, which is not cold any more"
    else:
        much = f"{rounds:,} rounds and {job['limit_s']:g} s"
    print(f"racelab: {what} in {much}{job['advice']}")


def _tell(path: str, facts: dict[str, Any]) -> None:
    """A small file: whoever watches us may read it at any time."""
    import json

    from racelab.files import write_whole

    write_whole(Path(path), json.dumps(facts))


def _live_with_debuggers() -> None:
    """End with the debugger that started us; let one that is not our parent attach, where Yama asks for that.

    gdb's death ends what it traces; that of lldb's server would leave us running.
    """
    try:
        import ctypes
        import signal

        on_parents_death, set_ptracer = 1, 0x59616D61
        prctl = ctypes.CDLL(None).prctl
        prctl(on_parents_death, ctypes.c_ulong(signal.SIGKILL), 0, 0, 0)
        prctl(set_ptracer, ctypes.c_ulong(-1), 0, 0, 0)
    except (ImportError, OSError, AttributeError):
        return
