"""Who holds what: the stacks are read, and the source is followed up to the line in which each thread stands."""

import re
from pathlib import Path

from racelab.exercise import Exercise

HERE = Path(__file__).resolve().parent
TAKE = re.compile(r"PyMutex_(Lock|Unlock)\(&shop\.(\w+)\)")


def stacks():
    """Thread -> (the address that it waits for, its frames in given.c as (function, line)); and the locks' names."""
    text = (HERE / "solution.py").read_text(encoding="utf-8").split('"""')[1]
    names = {
        address: name
        for name, address in re.findall(
            r"print &shop\.(\w+)\n\s*\$\d = \(PyMutex \*\) (0x[0-9a-f]+)", text
        )
    }
    threads = {}
    for part in re.split(r"^ *(?=Thread \d+ \()", text, flags=re.MULTILINE)[1:]:
        number = int(part.split()[1])
        waits = re.search(r"PyMutex_Lock \(m=(?:m@entry=)?(0x[0-9a-f]+)", part)
        frames = re.findall(r"^ *#\d+ +(\w+) \(.*\) at given\.c:(\d+)", part, re.MULTILINE)
        threads[number] = names[waits[1]], [(name, int(line)) for name, line in frames]
    return threads


def held(frames):
    """What has been taken and not given back in all functions of a stack, with the lines."""
    source = (HERE / "given.c").read_text(encoding="utf-8").splitlines()
    has = {}
    for function, line in reversed(frames):
        first = next(n for n, text in enumerate(source, 1) if text.startswith(f"{function}("))
        for number in range(first, line):
            found = TAKE.search(source[number - 1])
            if found and found[1] == "Lock":
                has[found[2]] = number
            elif found:
                has.pop(found[2], None)
    return has


def truth():
    """WAITS_FOR, HAS and RING."""
    threads = stacks()
    waits = {thread: lock for thread, (lock, _) in threads.items()}
    has = {thread: held(frames) for thread, (_, frames) in threads.items()}
    owner = {lock: thread for thread, locks in has.items() for lock in locks}
    ring = []
    for thread in waits:
        here = thread
        for (
            _
        ) in waits:  # follow who waits for whom: who comes back to where they began is in the ring
            here = owner[waits[here]]
            if here == thread:
                ring.append(thread)
                break
    return waits, has, ring


def about(name, said, right, why):
    """What is wrong with one of the dictionaries: a line for each thread."""
    if not isinstance(said, dict):
        return [f"{name}: a dictionary, with an entry for each of the threads 2 to 5"]
    wrong = []
    for thread in sorted(right):
        value = said.get(thread)
        if value is None:
            wrong.append(f"{name}, thread {thread}: not filled in yet")
        elif type(value) is not type(right[thread]) or value != right[thread]:
            wrong.append(f"{name}, thread {thread}: {why(value, right[thread])}")
    return wrong


def why_waits(_said, _right):
    """Where it is said what a thread waits for."""
    return "compare the argument m of its PyMutex_Lock with the three addresses"


def why_has(said, right):
    """What to think of, for a lock too many, one too few, or another line."""
    if not isinstance(said, dict):
        return 'write {"stock": 7}, or {} if it has none'
    if set(said) - set(right):
        return "did it never take this one, or has it given it back before the line in which it stands?"
    if set(right) - set(said):
        return "which locks were taken in the functions that have called this one, too?"
    return "the line is that of the PyMutex_Lock which it has passed"


def single(module):
    """The three answers."""
    waits, has, ring = truth()
    wrong = [
        *about("WAITS_FOR", getattr(module, "WAITS_FOR", None), waits, why_waits),
        *about("HAS", getattr(module, "HAS", None), has, why_has),
    ]
    said = getattr(module, "RING", None)
    if not isinstance(said, (list, tuple, set)) or not said:
        wrong.append("RING: not filled in yet")
    elif set(said) != set(ring):
        wrong.append("RING: begin with any thread, go to who has what it waits for, and so on")
    assert not wrong, "\n".join(wrong)


exercise = Exercise(
    "who_holds",
    title="Read who holds which lock",
    chapter="16_gdb",
    level="easy",
    minutes=15,
    goal="From four stacks and the source: who waits for what, who has what since which line, and who is in the ring.",
    hints=(
        "The innermost lock function has the address of the lock as its argument; gdb has printed the addresses of all three.",
        "A frame's line is where the thread stands. Follow the function from its first line to that one: what was taken, and was it given back?",
        "A thread has what was taken by every function on its stack, not by the innermost alone.",
        "The ring: thread -> lock that it waits for -> thread that has it -> ... until you are back. Who waits for the ring and holds nothing is not in it.",
    ),
    single=single,
)
