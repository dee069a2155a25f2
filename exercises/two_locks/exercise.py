"""A report with two mutexes, read twice: by the learner, and by the program that reads reports for racelab."""

import re
from pathlib import Path

from racelab import reports
from racelab.exercise import Exercise

HERE = Path(__file__).resolve().parent
LINES = ("race:purse", "race:^purse_put$", "race_top:purse", "race_top:count_up", "race:take_out")


def read():
    """What the report and the source really say, by the name of each answer."""
    (report,) = reports.parse((HERE / "solution.py").read_text(encoding="utf-8"))
    source = (HERE / "given.c").read_text(encoding="utf-8").splitlines()
    who = {stack.frames[1].function: stack for stack in report.accesses}
    put, change = who["purse_put"], who["purse_change"]
    made = {s.subject: s.own.line for s in report.others if s.role == "mutex"}
    locks = {
        line: re.search(r"&(\w+)\)", source[made[stack.locks.split()[-1]] - 1])[1]
        for line, stack in (("put", put), ("change", change))
    }
    start = next(n for n, line in enumerate(source) if line.startswith("purse_change"))
    return {
        "PUTS": thread(put),
        "CHANGES": thread(change),
        "PUT_AT": put.frames[1].line,
        "CHANGE_AT": change.frames[1].line,
        "PUT_HOLDS": locks["put"],
        "CHANGE_HOLDS": locks["change"],
        "MEMBER": "coins",
        "NOT_COVERED": next(n for n in range(start, len(source)) if "->coins" in source[n]) + 1,
        "HIDE": sorted(line for line in LINES if hides(line, report)),
    }


def hides(line, report):
    """Whether a suppression fits one of the two stacks."""
    kind, pattern = line.split(":")
    for stack in report.accesses:
        frames = stack.frames[:1] if kind == "race_top" else stack.frames
        if any(re.search(pattern, word) for frame in frames for word in words(frame)):
            return True
    return False


def words(frame):
    """What a pattern is looked for in."""
    return [word for word in (frame.function, frame.file, frame.module) if word]


def thread(stack):
    """ "T2" of a stack."""
    return re.search(r"T\d", stack.thread)[0]


#: Where to look, for each answer that is wrong.
WHY = {
    "PUTS": "both accesses are in count_up(): the frame below it says who called, the heading which thread",
    "CHANGES": "both accesses are in count_up(): the frame below it says who called, the heading which thread",
    "PUT_AT": "the line of given.c in which purse_put() calls",
    "CHANGE_AT": "the line of given.c in which purse_change() calls",
    "PUT_HOLDS": "the heading names a mutex; look where the report says it was created, and read that line",
    "CHANGE_HOLDS": "the heading names a mutex; look where the report says it was created, and read that line",
    "MEMBER": "count_up() changes whatever it is given: read the two lines that call it",
    "NOT_COVERED": "which line changes something under the lock of something else?",
    "HIDE": "race: every frame of both stacks; race_top: the uppermost alone; ^ and $ are the ends of a name",
}


def single(module):
    """All answers, each with a word on where to look."""
    wrong = []
    for name, right in read().items():
        value = getattr(module, name, None)
        said = value.strip() if isinstance(value, str) else value
        if isinstance(right, list) and isinstance(said, (list, tuple, set)):
            said = sorted(map(str, said))
        if value is None:
            wrong.append(f"{name}: not filled in yet")
        elif type(said) is not type(right) or said != right:
            wrong.append(f"{name}: {WHY[name]}")
    assert not wrong, "\n".join(wrong)


exercise = Exercise(
    "two_locks",
    title="Two threads, each with a lock, and a race",
    chapter="14_tsan",
    level="easy",
    minutes=15,
    goal="From a report of ThreadSanitizer: who did what under which mutex, why that orders nothing, and what would hide it.",
    hints=(
        "Both accesses end in count_up(). The second frame tells the two apart.",
        "M0 and M1 are names of this report. Further down it says where each was first taken: go to that line of given.c.",
        "Two threads are ordered by a mutex only if it is the same one. Which lock guards the coins? Who changes coins without it?",
        "Take each suppression and go through all frames of both stacks. race_top: looks at the frame with #0 and at no other.",
    ),
    single=single,
)
