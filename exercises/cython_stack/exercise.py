"""Two stacks of a Cython module, read in the C names: by the learner, and by this file."""

import re
from pathlib import Path

from racelab.exercise import Exercise

HERE = Path(__file__).resolve().parent
MODULE = "cy_attribute_broken"
FRAME = re.compile(
    r"^ +#\d+ +(?:0x[0-9a-f]+ in )?(?P<name>\w+) \((?P<first>\w+)=(?P<self>0x[0-9a-f]+).*:(?P<line>\d+)$"
)
NAME = re.compile(rf"__pyx_(?P<kind>f|pf|pw)_\d+{MODULE}_\d+(?P<of>Item|Box)_\d*(?P<method>\w+)")


def read():
    """What the stacks say, by the name of each answer."""
    text = (HERE / "solution.py").read_text(encoding="utf-8").split('"""')[1]
    marks = [(int(c), int(pyx)) for c, pyx in re.findall(r'(\d+): */\* "\w+\.pyx":(\d+)', text)]
    called, lines, seen = {}, {}, {}
    for part in text.split("    Thread ")[1:]:
        thread = int(part.split()[0])
        frames = [found for line in part.splitlines() if (found := FRAME.match(line))]
        named = [(NAME.fullmatch(frame["name"]), frame) for frame in frames]
        mine = [(name, frame) for name, frame in named if name and name["kind"] != "pw"]
        outer = [name for name, _ in named if name and name["kind"] == "pw"][-1]
        called[thread] = f"{outer['of']}.{outer['method']}"
        lines[thread] = [
            max(mark for mark in marks if mark[0] <= int(frame["line"]))[1] for _, frame in mine
        ]
        for name, frame in mine:
            seen.setdefault(name["of"], set()).add(frame["self"])
            if name["method"] == "__dealloc__":
                frees = thread
            elif name["of"] == "Item":
                uses = thread
    (item,), (box,) = seen["Item"], seen["Box"]
    stop = lines[uses][-1]
    return {
        "CALLED": called,
        "LINES": lines,
        "ITEM": item,
        "BOX": box,
        "FREES": frees,
        "USES": uses,
        "IN_GDB": f"break {MODULE}.pyx:{stop}",
        "IN_CYGDB": f"cy break {MODULE}:{stop}",
    }


WHY = {
    "CALLED": "the outermost frame of the module with __pyx_pw_: Python calls that one",
    "LINES": "for each frame with __pyx_f_ or __pyx_pf_ the last comment at or above its C line",
    "ITEM": "the address that is self in a method of Item, in both threads",
    "BOX": "the address that is self in a method of Box, in both threads",
    "FREES": "in whose stack is __dealloc__?",
    "USES": "whose innermost frame is a method of Item, and not its __dealloc__?",
    "IN_GDB": "file:line of the .pyx file, of the line of Box.look that calls the item",
    "IN_CYGDB": "before the program runs cygdb wants the module's name in front of the colon, and no .pyx",
}


def single(module):
    """All answers, each with a word on where to look."""
    wrong = []
    for name, right in read().items():
        value = getattr(module, name, None)
        said = (
            re.sub(r"^b\b", "break", " ".join(value.split())) if isinstance(value, str) else value
        )
        if value is None:
            wrong.append(f"{name}: not filled in yet")
        elif type(said) is not type(right) or said != right:
            wrong.append(f"{name}: {WHY[name]}")
    assert not wrong, "\n".join(wrong)


exercise = Exercise(
    "cython_stack",
    title="Read two stacks of a Cython module",
    chapter="17_cygdb",
    level="medium",
    minutes=10,
    goal="From two stacks with C names and C lines: which methods, which lines of the .pyx file, and which thread frees what the other one uses.",
    hints=(
        "__pyx_pw_19cy_attribute_broken_3Box_3look: a name of 19 letters, the module; one of 3, the class; then a counter, and the method.",
        "A C line belongs to the last comment before it: 2953 comes after 2944, which says line 34.",
        "Py_DECREF and __pyx_tp_dealloc_ are nobody's lines. They say how renew() comes to __dealloc__: it has dropped the last reference.",
        "Compare the addresses of self at the top of both stacks. One thread is inside a method of an object of which the other one is running __dealloc__.",
        "Line 50 calls self.item.is_live(). Plain gdb: break FILE.pyx:LINE. cygdb: cy break MODULE:LINE.",
    ),
    single=single,
)
