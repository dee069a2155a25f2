"""Three bugs in four interpreters: what each says, how often, and what it costs."""

import re
import statistics
import time
from pathlib import Path

import racelab as rl
from racelab import toolbox
from racelab.show import MARKER

DEPENDS = ["borrowed_ref", "borrowed_weakref", "lost_update"]
RACES = []
LABS = ("borrowed_weakref", "borrowed_ref", "lost_update")
FLAVORS = ("release", "debug", "asan", "tsan")
#: Processes of each lab in each interpreter, and how long each races, s.
PROCESSES, SECONDS = 6, 0.25


def settings(flavor):
    """Arguments of `race` for an interpreter."""
    if flavor == "release":
        return {}
    if flavor == "debug":
        return {"python": toolbox.interpreter_of("debug")}
    return {"sanitizer": {"asan": "address", "tsan": "thread"}[flavor]}


def here():
    """The interpreters that are here; all of them are needed for a recording."""
    missing = [flavor for flavor in FLAVORS[1:] if toolbox.interpreter_of(flavor) is None]
    if missing:
        raise RuntimeError(f"no {', '.join(missing)} interpreter here: make {' '.join(missing)}")
    return FLAVORS


def region(lab, variant):
    """The lines of a source in which its bug is."""
    (source,) = lab.source_files(variant)
    inside, lines = False, set()
    for number, line in enumerate(source.read_text().splitlines(), start=1):
        if MARKER.match(line):
            inside = not inside
        elif inside:
            lines.add(number)
    return source.name, lines


def names(report, name, lines):
    """Whether a frame of an access is on one of the lines of the bug."""
    frames = [frame for stack in report.accesses for frame in stack.frames]
    return any(Path(f.file or "").name == name and f.line in lines for f in frames)


def rates():
    """One row per process: did the lab's own check see it, did the interpreter say something, was it the line?"""
    rows = []
    for flavor in here():
        for slug in LABS:
            lab = rl.find_lab(slug)
            place = region(lab, "broken")
            for _ in range(PROCESSES):
                seen = rl.race(
                    lab,
                    "broken",
                    count=1,
                    seconds=SECONDS,
                    timeout_s=10,
                    spawn=True,
                    progress=False,
                    **settings(flavor),
                )
                (one,) = seen.repetitions
                told = [report for report, _ in seen.reports if not report.elsewhere]
                values = [k for k in seen.forbidden if k not in seen.endings]
                first = next((r for r in told if names(r, *place)), next(iter(told), None))
                rows.append(
                    {
                        "interpreter": flavor,
                        "lab": slug,
                        "wrong_value": bool(values),
                        "died": re.sub(r"\(.*", "", one.ending) in ("crash", "hang"),
                        "said": first.label if first else "",
                        "line": any(names(r, *place) for r in told),
                        "seconds": round(one.seconds, 2),
                    }
                )
    return rows


def cost():
    """What repaired code costs in each: rounds a second of a C counter, and the time of Python code and of a start."""
    rows = []
    for flavor in here():
        python = None if flavor == "release" else toolbox.interpreter_of(flavor)
        options = {"ASAN_OPTIONS": "detect_leaks=0"}
        starts, loops = [], []
        for _ in range(3):
            begin = time.perf_counter()
            ended = rl.run_child(LOOP, python=python, env=options, timeout_s=60)
            starts.append(time.perf_counter() - begin - ended.returned)
            loops.append(ended.returned)
        race = rl.race(
            "lost_update",
            "fixed",
            count=2,
            seconds=1,
            spawn=True,
            progress=False,
            **settings(flavor),
        )
        rows.append(
            {
                "interpreter": flavor,
                "start_s": round(statistics.median(starts), 3),
                "python_s": round(statistics.median(loops), 4),
                "rounds_per_s": round(race.rounds_per_s or 0),
            }
        )
    return rows


LOOP = """
import time

begin = time.perf_counter()
total = 0
for number in range(50_000):
    total += len(str(number))
result = time.perf_counter() - begin
"""

MEASUREMENTS = {"rates": rates, "cost": cost}
