"""What a learner gave the checker, and how it ended, in words that name lines of the learner's own file."""

from __future__ import annotations

import re
import time
from pathlib import Path

from racelab.exercise import ExerciseError
from racelab.racing import _cpu_seconds
from racelab.reports import Frame, Report, Stack
from racelab.runner import Ending

#: Nothing has run for so long, and every thread waits for a lock without a time limit: that is over.
STILL_S = 2.0
LOOK_S = 0.2
#: Text of an answer that is longer than this is something else.
MOST_BYTES = 1 << 20
#: What is wrong line by line, as questions say it: `NAME: why` or `NAME['key']: why`.
_ITEM = re.compile(r"([A-Z][A-Z0-9_]*(?:\[[^]]*\])?): ")
#: Among them what is no answer yet, and may be said at once: nothing filled in, a word that is none of those to choose from.
_FORM = re.compile(r": (?:not filled in|one of\b|one word\b|say |a number, not|write a plain)")


def line_of(text: str, number: int) -> str:
    """A line of a source, counted from 1, without the space around it; "" if there is no such line."""
    lines = text.splitlines()
    return lines[number - 1].strip() if 0 < number <= len(lines) else ""


def read(file: Path, slug: str) -> str:
    """Text of an answer.

    Raises:
        ExerciseError: there is none, or it is no text; one sentence, and what to do.
    """
    if not file.exists():
        start = f"racelab start {slug}"
        raise ExerciseError(f"{file}: there is no answer to check yet. Make one: {start}")
    if not file.is_file():
        kind = "a folder" if file.is_dir() else "no ordinary file"
        raise ExerciseError(f"{file} is {kind}: name the file with your answer.")
    try:
        size = file.stat().st_size
        data = file.read_bytes() if size <= MOST_BYTES else b""
    except OSError as error:
        raise ExerciseError(f"{file} cannot be read: {error.strerror}.") from error
    if size > MOST_BYTES:
        raise ExerciseError(f"{file} has {size:,} bytes: that is no answer. At most 1 MiB.")
    if b"\0" in data:
        raise ExerciseError(f"{file} is no text: name the source, not what was compiled from it.")
    if not data.strip():
        raise ExerciseError(f"{file} is empty. The starter again: racelab reset {slug}")
    return data.decode("utf-8", "replace")


def modules_in(text: str) -> list[str]:
    """Names of the modules that a C source names an init function for."""
    return re.findall(r"\bPyInit_(\w+)", text)


class Stuck:
    """Ends a child that has computed for too long, or in which nothing will ever move again.

    Nothing moves: for `STILL_S` no thread of it was scheduled even once, and all wait for locks without a
    time limit. Where the kernel does not tell, the child's time limit has to do.
    """

    interval_s = LOOK_S

    def __init__(self, cpu_s: float) -> None:
        self.cpu_s = cpu_s
        self.why = ""
        self.last: object = None
        self.since = time.monotonic()

    def __call__(self, pid: int) -> str | None:
        """Why the child shall be ended, or None."""
        self.why = self._why(pid)
        return self.why or None

    def _why(self, pid: int) -> str:
        if _cpu_seconds(pid) > self.cpu_s:
            return "busy"
        now = _waits(pid)
        if now is None or now != self.last:
            self.last, self.since = now, time.monotonic()
        return "deadlock" if time.monotonic() - self.since > STILL_S else ""


def _waits(pid: int) -> list[tuple[str, str]] | None:
    """For each thread how often it was scheduled, if all of them wait for a lock without a time limit; else None."""
    found = []
    try:
        for task in sorted(Path(f"/proc/{pid}/task").iterdir()):
            call = (task / "syscall").read_text().split()
            if not (task / "wchan").read_text().startswith("futex") or int(call[4], 16):
                return None
            found.append((task.name, (task / "schedstat").read_text().split()[2]))
    except (OSError, IndexError, ValueError):
        return None
    return found


def hung_in(stacks: str, name: str) -> list[str]:
    """The calls that did not return, as lines of source: the innermost of each thread that the exercise knows of.

    Args:
        stacks: faulthandler's, of every thread.
        name: what they call the learner's file.
    """
    found = []
    for stack in re.split(r"(?m)^(?:Current t|T)hread .*$", stacks):
        for file, line in re.findall(r'File "([^"]+)", line (\d+)', stack):
            path = Path(file)
            if path.name not in ("exercise.py", name) or not path.is_file():
                continue
            text = line_of(path.read_text(encoding="utf-8", errors="replace"), int(line))
            asserted = re.match(r"assert (.+), (?:f?[\"'].*|\()$", text)
            text = asserted[1] if asserted else text
            mine = path.name == name
            found.append(f"line {line} of {path.name}: {text}" if mine else f"`{text}`")
            break
    return list(dict.fromkeys(found))


HANGS = {
    "busy": "It computed all the time: a loop that waits for something that never comes, or never ends.",
    "deadlock": "Most often: a lock that one thread takes twice, or that is never given back. Look at every way out.",
    "": "It waited for something until its time was up.",
}


def asserted(seen: Ending) -> str:
    """What an assertion said that ended a child, or that came before its end; else ""."""
    _, found, said = seen.traceback.strip().rpartition("\nAssertionError: ")
    return said if found else ""


def place_of(trace: str, name: str, text: str) -> str:
    """Where in the learner's file an error was raised, with that line; "" if it was not raised there."""
    found = re.findall(rf'File "[^"]*{re.escape(name)}", line (\d+)', trace)
    if not found or not line_of(text, int(found[-1])):
        return ""
    return f"\nline {found[-1]} of {name}: {line_of(text, int(found[-1]))}"


def syntax_words(error: SyntaxError, text: str) -> str:
    line = error.lineno or 0
    source = line_of(text, line)
    return f"{error}\nline {line}: {source}" if source else str(error)


def told(text: str, tries: int) -> str:
    """What is wrong with the answers to questions: how many at first, then which, then why.

    Whoever is told at once which ones are wrong has found four choices after three guesses.
    """
    lines = text.splitlines()
    items = [found[1] for line in lines if (found := _ITEM.match(line))]
    if tries > 1 or len(items) != len(lines):
        return text
    open_ = [line for line in lines if _FORM.search(line)]
    if open_:
        return "\n".join(open_)
    names = list(dict.fromkeys(items))
    count = f"{len(names)} of them {'are' if len(names) > 1 else 'is'} not right"
    if tries == 1:
        return f"{count}: {', '.join(names)}"
    return f"{count}; think each of them over once more, the next check says which"


def _in(stack: Stack, name: str) -> Frame | None:
    """The first frame of a stack in the file of that name."""
    return next((frame for frame in stack.frames if frame.file and frame.name == name), None)


def made_by(report: Report, name: str) -> bool:
    """Whether code of that file itself, or a header in it, made an access: what CPython makes for it is CPython's."""
    made = [
        next((f for f in s.frames if f.owner != "tool" and not f.header), None)
        for s in report.accesses
    ]
    return any(frame is not None and frame.file and frame.name == name for frame in made)


def report_words(mine: list[Report], name: str, text: str) -> str:
    """The two accesses of a report, at the learner's lines; of several, one with both sides in the answer.

    Args:
        mine: reports on the answer, at least one.
        name: what they call the answer's file.
        text: what is in it.
    """
    first = max(mine, key=lambda r: sum(_in(stack, name) is not None for stack in r.accesses))
    said = [first.kind]
    for stack in first.accesses:
        frame, made = _in(stack, name), stack.top
        what = stack.what.partition(" of size")[0]
        if frame is None:
            said.append(f"{what} in CPython's {made.shown if made else 'own code'}()")
            continue
        source = line_of(text, frame.line or 0)
        source = f": {source}" if source else ""
        inside = f", inside of {made.shown}()" if made and made.owner != "own" else ""
        said.append(f"{what} in {frame.shown}(), {frame.place}{source}{inside}")
    others = len(mine) - 1
    if others:
        said.append(f"and {others} report{'s' if others > 1 else ''} more")
    return "\n".join(said)
