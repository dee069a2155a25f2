"""A crash and a hang under gdb and lldb, whole and in brief.

Run  racelab record crash_course [--only gdb_crash]
"""

from racelab.sessions import Session, debugger, post_mortem

DEPENDS = ["borrowed_ref", "endings"]

#: It dies where one of the two gives back an item that is none any more, or has been called through it.
CRASHED = r"SIG(?:SEGV|BUS|ABRT)"
IN_SHELF = r"shelf_(?:first|replace)\b.*\bborrowed_ref_broken\.c:\d+"

SESSIONS = {
    "gdb_crash": Session(
        title="gdb, batch mode: where every thread is when the process dies",
        command="racelab debug borrowed_ref --batch 'thread apply all bt' --batch 'thread apply all py-bt'",
        run=debugger(
            "gdb", "borrowed_ref", "broken", "run", "thread apply all bt", "thread apply all py-bt"
        ),
        needs=("gdb", "py-bt"),
        shape=(rf"received signal {CRASHED}", IN_SHELF, r"^Traceback \(most recent call first\)"),
    ),
    "lldb_crash": Session(
        title="lldb, batch mode: the same",
        command="racelab debug borrowed_ref --with lldb --batch 'bt all'",
        run=debugger("lldb", "borrowed_ref", "broken", "run", "bt all"),
        needs=("lldb",),
        shape=(rf"stop reason = signal {CRASHED}", IN_SHELF),
    ),
    "gdb_hang": Session(
        title="gdb on a deadlock: two threads, each inside hold_both()",
        command="racelab debug ext/endings/lab.py:hang --batch 'thread apply all bt'",
        run=debugger("gdb", "hang", "broken", "run", "thread apply all bt"),
        needs=("gdb",),
        shape=(
            r"(hold_both) .*endings_broken\.c:(\d+)",
            r"(doors_leave) .*endings_broken\.c:(\d+)",
            r"(hold_both) .*endings_broken\.c:(\d+)",
            r"(doors_enter) .*endings_broken\.c:(\d+)",
        ),
    ),
    "post_mortem_crash": Session(
        title="A crash in brief: who died, below which function of the module",
        command="racelab post-mortem borrowed_ref",
        run=post_mortem("borrowed_ref", "broken"),
        needs=("gdb",),
        shape=(rf"^crash\({CRASHED}\)", r"^thread \d+, (crashed here)", IN_SHELF),
        tries=3,
    ),
    "post_mortem": Session(
        title="The same deadlock in brief: who waits for which lock",
        command="racelab post-mortem ext/endings/lab.py:hang",
        run=post_mortem("hang", "broken"),
        needs=("gdb",),
        shape=(
            r"^(hang)  (deadlock)",
            r"^thread 2, (waits for lock)",
            r"(doors_enter)\(.* at endings_broken\.c:(\d+)",
            r"^thread 3, (waits for lock)",
            r"(doors_leave)\(.* at endings_broken\.c:(\d+)",
        ),
    ),
}
