"""from_report.py: a bug report, and the lab that shows the bug. The module is exercises/from_report/given.c.

    tables: a key that is there is missing while its value is replaced

    We run with free-threaded Python. One thread refreshes a value, table.put("spam", value), another one
    reads it, table.get("spam"). Nobody ever removes a key. Now and then get() returns None all the same.
    The next call is fine. I could not reproduce it with a simple loop.

    (Made after https://github.com/aio-libs/multidict/issues/1483, where update() marks an entry that it
    is about to replace, and somebody else takes the marked entry for none.)

Goal   `lab` shows a FORBIDDEN outcome in the module as it was reported, and none in the repaired one.
       The check races it with its window held open.
Check  racelab check from_report        Stuck?  racelab hint from_report
"""

from racelab import ACCEPTABLE, FORBIDDEN, Actor, Lab


def setup(module):
    """The state of a round: what the actors meet on."""
    table = module.Table()
    # BEGIN SOLUTION
    table.put("spam", "old")
    # END
    return table


def observe(_table, returned, _threads):
    """What came out of a round, in a word or two; `returned` has what each actor returned, in order."""
    # BEGIN STARTER
    # return "done"
    # BEGIN SOLUTION
    _put, got = returned
    return "missing" if got is None else "there"
    # END


lab = Lab(
    "from_report",
    question="Is a key there while its value is replaced?",
    modules=["tables"],
    setup=setup,
    # BEGIN STARTER
    # actors=[Actor("get", args=("spam",)), Actor("get", args=("spam",))],
    # BEGIN SOLUTION
    actors=[Actor("put", args=("spam", "new")), Actor("get", args=("spam",))],
    # END
    observe=observe,
    # BEGIN STARTER
    # outcomes={"done": ACCEPTABLE("both calls came back")},
    # BEGIN SOLUTION
    outcomes={
        "there": ACCEPTABLE("the old value or the new one"),
        "missing": FORBIDDEN("nobody removed the key"),
    },
    # END
)
