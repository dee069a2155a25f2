"""Who finds it? Every broken variant of every lab before five tools; run by `racelab record detection`.

A measurement is a lab. What it has found stays as it is until the sources of that lab change, so that a
second run measures what is new alone, and one that was interrupted goes on where it was:

    racelab record detection                      what is missing or has changed
    racelab record detection --only lost_update   the same; one lab
    DETECTION=anew racelab record detection       everything again (half an hour)

Run it on a machine that does nothing else.
"""

import functools
import hashlib
import json
import os
import sys
import tempfile
import time
from pathlib import Path

import racelab as rl
from racelab import recording, toolbox
from racelab.build import cache_folder
from racelab.lab import labs, load_labs

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE))
from about_the_bug import is_about_the_bug  # noqa: E402

#: Change it when a tool is let loose in another way, so that every row is measured again.
HOW = 1
#: How long each tool looks at each variant before it gives up, s.
SECONDS = 5.0
#: First a short look, then longer ones, each in a process of its own.
FIRST_S, LONGEST_S = 0.25, 2.0
#: The limit of one process beyond its rounds: enough to start and to end, on a busy machine and with a sanitizer.
GRACE_S = 5.0
SLOW_GRACE_S = 15.0
PLUGIN_THREADS = 8
TOOLS = ("racelab", "tsan", "asan", "debug", "plugin")
RACES = []

PYTEST = """
import sys, pytest
pytest.main(sys.argv[1:])
"""


def every():
    """The labs of the book, and those of more.py, whose chapters do not race them."""
    return [*labs(), *load_labs(HERE / "more.py")]


def broken():
    """Every lab that has broken variants, with these."""
    found = ((lab, [v for v in lab.variants if v.startswith("broken")]) for lab in every())
    return [(lab, variants) for lab, variants in found if variants]


def sources(lab, variant):
    """What a row depends on: the lab's file, the variant's sources, and how tools are let loose here."""
    digest = hashlib.sha256(f"{HOW} {SECONDS}".encode())
    for path in [lab.file, *lab.source_files(variant)]:
        digest.update(path.name.encode() + path.read_bytes())
    return digest.hexdigest()[:16]


# ---------------------------------------------------------------------------------------------------
# The tools
# ---------------------------------------------------------------------------------------------------


def settings(tool):
    """Arguments of `race` for a tool; None where it is not here."""
    if tool == "racelab":
        return {}
    python = toolbox.interpreter_of(tool)
    if python is None:
        return None
    if tool == "debug":
        return {"python": python}
    return {"sanitizer": {"tsan": "thread", "asan": "address"}[tool]}


def said(tool, seen, files=()):
    """What a tool has to say of a result: a label, or "" for nothing; a race that is not the bug is nothing."""
    if tool == "racelab":
        return max(seen.forbidden, key=seen.forbidden.get, default="")
    name = {"tsan": "thread", "asan": "address", "debug": "debug"}[tool]
    told = [one.label for one, _ in seen.reports if one.tool == name and not one.elsewhere]
    return next((label for label in told if is_about_the_bug(label, files)), "")


def raced(tool, lab, variant):
    """Race it, process after process, until the tool says something or its time is up."""
    how = settings(tool)
    if how is None:
        return None
    begin, processes, length, endings = time.monotonic(), 0, FIRST_S, set()
    while (left := SECONDS - (time.monotonic() - begin)) > 0:
        length = min(length, max(left, FIRST_S))
        many = {"count": 50 if tool == "racelab" else 8} if lab.mode == "cold" else {"count": 1}
        seen = rl.race(
            lab,
            variant,
            **how,
            **many,
            seconds=length,
            timeout_s=length + (SLOW_GRACE_S if "sanitizer" in how else GRACE_S),
            stop_at_first=tool == "racelab",
            progress=False,
        )
        processes += len(seen.repetitions)
        endings |= {one.ending for one in seen.repetitions} - {"ok"}
        if any(one.startswith(("not-run", "gil-enabled")) for one in endings):
            return {"found": False, "said": "could not be run", "processes": 0, "seconds": 0}
        found = said(tool, seen, lab.source_files(variant))
        if found:
            break
        length = min(2 * length, LONGEST_S)
    return {
        "found": bool(found),
        "said": found or ("" if tool == "racelab" else ", ".join(sorted(endings)[:2])),
        "processes": processes,
        "seconds": round(time.monotonic() - begin, 2),
    }


def plugged(lab, variant, built):
    """The lab's calls as a test under pytest-run-parallel, session after session."""
    threads = max(n for n in (*lab.allowed_threads, 0) if n <= PLUGIN_THREADS)
    begin, sessions = time.monotonic(), 0
    while (left := SECONDS - (time.monotonic() - begin)) > 0:
        ending, answer = session(lab, threads, built, 0.0 if lab.mode == "cold" else left)
        sessions += 1
        begun, said = answer is not None, (answer or {}).get("said")
        if ending.outcome.startswith("crash") and begun:
            found = ending.outcome
        elif said is not None:
            found = said
        elif begun and ending.outcome == "hang":  # long after its time
            found = ending.outcome
        else:
            raise RuntimeError(
                f"{lab.name}, {variant}: {ending.outcome}, no answer:\n{ending.stdout}{ending.stderr}"
            )
        if found:
            break
    return {
        "found": bool(found),
        "said": found,
        "processes": sessions,
        "seconds": round(time.monotonic() - begin, 2),
    }


def session(lab, threads, built, seconds):
    """One session: how its process ended, and what the test said before it ended it."""
    with tempfile.TemporaryFile() as file:
        number = file.fileno()
        answer = f"/proc/{os.getpid()}/fd/{number}"
        asked = {
            "lab": lab.name,
            "lab_file": str(lab.file),
            "lab_modules": {},
            "imports": [built.name] if built else list(lab.modules),
            "threads": threads,
            "seconds": seconds,
            "answer": answer,
        }
        ending = rl.run_child(
            PYTEST,
            args=[
                "-q",
                "-p",
                "no:cacheprovider",
                f"--rootdir={HERE}",
                f"--parallel-threads={threads}",
                "--iterations=10000000",
                str(HERE / "test_actors.py"),
            ],
            env={
                "DETECT": json.dumps(asked),
                "PYTEST_ADDOPTS": None,
                "PYTHONDONTWRITEBYTECODE": "1",
            },
            modules=[built] if built else [],
            timeout_s=seconds + SLOW_GRACE_S,
        )
        file.seek(0)
        text = file.read().decode()
    return ending, json.loads(text) if text else None


# ---------------------------------------------------------------------------------------------------
# Rows
# ---------------------------------------------------------------------------------------------------


def look(lab, variant, tool):
    """One row: this variant before this tool."""
    how = settings("racelab" if tool == "plugin" else tool)
    files = lab.source_files(variant)
    built = None
    if files and how is not None:  # compiling is not counted
        built = rl.compile(
            files,
            flags=[str(flag) for flag in lab.flags],
            python=how.get("python")
            or (toolbox.interpreter_of(tool) if "sanitizer" in how else None),
            sanitizer=how.get("sanitizer"),
        )
    seen = plugged(lab, variant, built) if tool == "plugin" else raced(tool, lab, variant)
    if seen is None:
        seen = {"found": False, "said": "not here", "processes": 0, "seconds": 0}
    return {
        "lab": lab.name,
        "variant": variant,
        "tool": tool,
        **seen,
        "given": SECONDS,
        "date": time.strftime("%Y-%m-%d"),
        "sources": sources(lab, variant),
    }


def kept():
    """Rows that were measured before: those that are recorded, and those of a run that was interrupted."""
    rows = []
    try:
        recorded = recording.recorded("detection")
    except (FileNotFoundError, ValueError):
        pass
    else:
        rows = [row for one in recorded.measurements.values() for row in one.rows]
    if half_way().is_file():
        rows += map(json.loads, half_way().read_text(encoding="utf-8").splitlines())
    found = {}
    for row in rows:  # what is recorded comes first: a line of an interrupted run may be older
        found.setdefault((row["lab"], row["variant"], row["tool"]), []).append(row)
    return found


def half_way():
    """Where rows are until all of them are there."""
    return cache_folder().parent / "detection.jsonl"


def known_row(before, lab, variant, tool):
    """The first row that there is of what lies there now, and does not count a race beside the bug."""
    now, files = sources(lab, variant), lab.source_files(variant)
    for row in before.get((lab.name, variant, tool), ()):
        beside = tool == "tsan" and row["found"] and not is_about_the_bug(row["said"], files)
        if row["sources"] == now and not beside:
            return row
    return None


class Progress:
    """A line for each new row, with how many are left; printed, because all of them take a while."""

    def __init__(self):
        self.begin, self.made, self.left = time.monotonic(), 0, None

    def count(self, before):
        """Rows that are missing, of all labs; asked when the first one is looked at."""
        self.left = sum(
            known_row(before, lab, variant, tool) is None
            for lab, variants in broken()
            for variant in variants
            for tool in TOOLS
        )

    def say(self, row):
        """One row more."""
        self.made += 1
        gone = time.monotonic() - self.begin
        left = max(0, self.left - self.made)
        print(
            f"  {self.made} of {self.left}, {row['lab']} {row['variant']}, {row['tool']}: "
            f"{row['said'] or 'nothing'}, {row['seconds']} s; {gone / 60:.0f} min so far, "
            f"for all labs about {gone / self.made * left / 60:.0f} more",
            file=sys.stderr,
            flush=True,
        )


progress = Progress()


def measure(lab, variants):
    """The rows of one lab."""
    before = {} if os.environ.get("DETECTION") == "anew" else kept()
    if progress.left is None:
        progress.count(before)
    rows = []
    for variant in variants:
        for tool in TOOLS:
            row = known_row(before, lab, variant, tool)
            if row is None:
                row = look(lab, variant, tool)
                progress.say(row)
                half_way().parent.mkdir(parents=True, exist_ok=True)
                with half_way().open("a", encoding="utf-8") as file:
                    file.write(json.dumps(row) + "\n")
            rows.append(row)
    return rows


MEASUREMENTS = {lab.name: functools.partial(measure, lab, names) for lab, names in broken()}
