"""ThreadSanitizer on modules of this book: reports, options, suppressions, pytest, and what it cannot see.

Run  racelab record tsan [--only report]
"""

import os
import re
from pathlib import Path

from racelab.sessions import Session, program

DEPENDS = ["lost_update", "borrowed_ref", "get_or_make", "planted"]

ROOT = Path(__file__).resolve().parents[2]
TOOLS = ("tsan", "clang", "llvm-symbolizer")
HEAD = r"^WARNING: ThreadSanitizer: (data race)"


def typed(command, timeout_s=420.0):
    """A command as one types it in the folder of the book, run there by a shell."""
    return program(
        "sh", "-c", command, folder=ROOT, timeout_s=timeout_s, env={"TSAN_OPTIONS": None}
    )


def session(title, command, shape, **more):
    """A session whose command is shown as it ran."""
    how = {"needs": TOOLS, "tidy": tidy, "paths": {f"{ROOT}{os.sep}": ""}, **more}
    return Session(title=title, command=command, run=typed(command), shape=shape, **how)


def tidy(text):
    """Without build ids, and without the folder in which the interpreter was built."""
    text = re.sub(r" \(BuildId: [0-9a-f]+\)", "", text)
    return re.sub(r"[^\s\"]*\.building-[^/]+/src/(?:\./)?", "cpython/", text)


def silent(text):
    """Of a test that passed, and about which ThreadSanitizer said nothing."""
    return ["passed"] if " passed" in text and "ThreadSanitizer" not in text else None


ROW = re.compile(r"^(\S.*)\n +(\d+) +(\d+|-) +(\d+|hung)  \S", re.M)


def table(count, hung=0):
    """Of options.py, with so many runs, of which so many hang: what ran, reports on the screen and in files, the status."""

    def shape(text):
        rows = [list(found) for found in ROW.findall(text.partition("\n")[2])]
        ended = [row[3] for row in rows]
        return rows if (len(rows), ended.count("hung")) == (count, hung) else None

    return shape


def ordered(text):
    """The same, where only the first of the runs may and must report."""
    rows = table(4)(text)
    return rows if rows and [row[1] for row in rows] == ["1", "0", "0", "0"] else None


def waited_for_ever(text):
    """Of two runs: the second one, where the child ends with its report, has no end."""
    rows = table(2, hung=1)(text)
    return rows if rows and [row[3] for row in rows] == ["0", "hung"] else None


#: Where the reference that comes too late is taken, and where it is given back.
COUNTS = ("take_first, borrowed_ref_broken.c:32", "shelf_first, borrowed_ref_broken.c:45")


def hidden(text):
    """Which lines are reported without the suppressions, and not with them."""
    without, _, with_them = text.partition("note")
    gone = [line for line in COUNTS if line in without and line not in with_them]
    return gone if gone == [*COUNTS] and "race_top:new_reference" in with_them else None


BORROWED = "racelab race borrowed_ref --sanitizer thread --count 2 --seconds 8"
SHORT = r"grep -oE '^report .*|^note +suppressed.*'"

SESSIONS = {
    "barrier": session(
        "Ten threads, a Barrier, one call each, under ThreadSanitizer",
        "CALLS=1 python ext/tsan/under.py -m pytest -q -s ext/tsan/test_counter.py",
        silent,
    ),
    "race": session(
        "The same module, raced under ThreadSanitizer",
        "racelab race lost_update --sanitizer thread --rounds 20 --count 2",
        (r"sanitizer\((data race in add_one, lost_update_broken\.c:31)\) ", r"^report .*data race"),
    ),
    "one_core": session(
        "The same on one core",
        "taskset -c 0 racelab race lost_update --sanitizer thread --rounds 20 --count 2",
        (
            r"sanitizer\((data race in add_one, lost_update_broken\.c:31)\) ",
            r"^conditions .*1 core,",
        ),
        long=True,
    ),
    "order": session(
        "One call in each thread, a tenth of a second apart",
        "python ext/tsan/options.py order",
        ordered,
    ),
    "report": session(
        "A report, whole",
        "python ext/tsan/under.py ext/tsan/order.py own stays",
        (
            HEAD,
            r"#0 (add_one) .*lost_update_broken\.c:(\d+)",
            r"^  Previous write of size 8",
            r"#0 (add_one) .*lost_update_broken\.c:(\d+)",
            r"^  Thread T\d .*created by main thread",
            r"^SUMMARY: .*(lost_update_broken\.c:\d+)",
        ),
    ),
    "options": session(
        "One program, and what options change",
        "python ext/tsan/options.py program",
        table(7),
        long=True,
    ),
    "suppressions": session(
        "No suppression, one that helps, one that hides",
        "python ext/tsan/options.py suppressions",
        table(3),
    ),
    "new_reference": session(
        "Reports about borrowed_ref, without and with two lines of CPython's list",
        f"{BORROWED} | {SHORT}\n"
        f'TSAN_OPTIONS="suppressions=$PWD/ext/tsan/suppress_new_reference.txt" \\\n  {BORROWED} | {SHORT}',
        hidden,
        long=True,
    ),
    "pytest": session(
        "Two tests, both green, one of which races",
        "python ext/tsan/options.py pytest",
        table(8),
        long=True,
    ),
    "child": session(
        "A test that waits for a child process, which ThreadSanitizer ends",
        "python ext/tsan/options.py child",
        waited_for_ever,
        long=True,
    ),
    "logic": session(
        "A look and an act, each in one piece",
        "racelab race get_or_make --sanitizer thread --count 2 --seconds 6",
        lambda text: (
            None if "sanitizer(" in text else re.findall("(two parts) for one name  ", text) or None
        ),
        long=True,
    ),
    "fixed": session(
        "The atomic counter, raced under ThreadSanitizer",
        "racelab race lost_update --variant fixed --sanitizer thread --count 2 --seconds 4",
        lambda text: (
            None if "sanitizer(" in text else re.findall("(all counted) .* 2 of 2", text) or None
        ),
    ),
    "answer": session(
        "Every pair of first calls returned 42",
        "racelab race ext/tsan/answer.py --sanitizer thread --count 6 --seconds 30",
        (r"sanitizer\((data race) in answer", r"^report .*(data race in answer)"),
        long=True,
    ),
}
