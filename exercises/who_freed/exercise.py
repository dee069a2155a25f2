"""Three reports, read twice: by the learner, and by the program that reads them for racelab."""

from pathlib import Path

from racelab import reports
from racelab.exercise import Exercise

HERE = Path(__file__).resolve().parent
NOT_SAID = "not said"


def read():
    """What the reports and the source really say, by the name of each answer."""
    block, lamp, _ = reports.parse((HERE / "solution.py").read_text(encoding="utf-8"))
    source = (HERE / "given.c").read_text(encoding="utf-8").splitlines()
    roles = {stack.role: stack for stack in block.stacks}
    (lamp_read,) = lamp.accesses
    size = int(block.text.partition("-byte region")[0].split()[-1])
    last = next(n for n, line in enumerate(source) if line.startswith("log_last("))
    unlock = next(n for n in range(last, len(source)) if "PyMutex_Unlock" in source[n])
    return {
        "READ_BY": thread(roles["access"]),
        "READ_AT": roles["access"].own.line,
        "FREED_BY": thread(roles["freed"]),
        "FREED_AT": roles["freed"].own.line,
        "ALLOCATED_BY": thread(roles["allocated"]),
        "ROOM": size // 8,
        "NEW_ROOM": 2 * (size // 8),
        "TOO_EARLY": unlock + 1,
        "LAMP_READ_BY": thread(lamp_read),
        "LAMP_READ_AT": lamp_read.own.line,
        "LAMP_FREED_BY": NOT_SAID,
        "GAVE_BACK_AT": NOT_SAID,
    }


def thread(stack):
    """ "T2" of a stack."""
    return next(word for word in stack.thread.replace(",", " ").split() if word.startswith("T"))


#: Where to look, for each answer that is wrong.
WHY = {
    "READ_AT": "the line of given.c in the first frame under READ",
    "READ_BY": "the head of the first stack names the thread",
    "FREED_BY": "who called free() is not who used the memory afterwards",
    "FREED_AT": "the first frame of given.c under 'freed by': where free() was called, not who called that",
    "ALLOCATED_BY": "'previously allocated by' names the thread",
    "ROOM": "how many bytes has the region, and how many a long?",
    "NEW_ROOM": "what does grow() do with the room?",
    "TOO_EARLY": "neither the read nor the free: after which line of last() may add() begin?",
    "LAMP_READ_BY": "the head of the stack names the thread",
    "LAMP_READ_AT": "the first frame that is of the module, not of Python's header",
    "LAMP_FREED_BY": "is there a stack under 'freed by'? You know the module; does the report?",
    "GAVE_BACK_AT": "object.h is everybody's header: which frame is of a module?",
}


def single(module):
    """All answers, each with a word on where to look."""
    wrong = []
    for name, right in read().items():
        value = getattr(module, name, None)
        said = value.strip() if isinstance(value, str) else value
        if value is None:
            wrong.append(f"{name}: not filled in yet")
        elif type(said) is not type(right) or said != right:
            wrong.append(f"{name}: {WHY[name]}")
    assert not wrong, "\n".join(wrong)


exercise = Exercise(
    "who_freed",
    title="Read who freed it, and where it is not said",
    chapter="15_asan",
    level="easy",
    minutes=10,
    goal="What three reports of memory that was used after it was freed say: who, where, since when; and what they cannot know.",
    hints=(
        "A report of malloc()ed memory has three stacks: the use, the free, and the allocation. In each, the first frame that is of the module counts.",
        "TOO_EARLY: add() frees the block while it holds the lock. So last() must not hold a pointer into it without the lock.",
        "Memory of Python objects comes from Python's own allocator. It marks what is free, and keeps no stacks.",
        "A debug interpreter counts references; the count is below zero when somebody gives back too much, and that need not be who made the mistake.",
    ),
    single=single,
)
