"""From a bug report to a lab of ten lines: it must show the bug in the module that was reported, and only there."""

from pathlib import Path

from racelab import Lab, compile, race
from racelab.exercise import Exercise, Trial

GIVEN = Path(__file__).with_name("given.c")


def on(*flags):
    """One run of the learner's lab on a build of the module, its window held open: fails if it shows what is FORBIDDEN."""

    def run(learners):
        lab = getattr(learners, "lab", None)
        assert isinstance(lab, Lab), "declare a Lab and call it `lab`"
        built = compile(GIVEN, flags=flags)
        how = {"mode": "rounds", "rounds": 150, "count": 2, "widen": True, "progress": False}
        seen = race(lab, modules=[built], **how)
        assert seen.ran, "it could not be raced"
        assert not seen.forbidden, ", ".join(
            f"{count:,} times {label}" for label, count in seen.forbidden.items()
        )

    return run


exercise = Exercise(
    "from_report",
    title="Make a lab of a bug report",
    chapter="05_plugins",
    level="medium",
    minutes=15,
    goal="Your lab shows a FORBIDDEN outcome in the module as it was reported, every time, and none in the repaired one.",
    hints=(
        "Who are the two in the report, what do they call, and on what, that both of them have? They are your actors.",
        "The one that must not fail is get(). What may it return while another thread puts a new value in the place of the old? Two answers are right.",
        "The state: setup may be a function that takes the module, makes a Table, puts the key into it and returns it. Both actors then meet on that table.",
        'Actor("put", args=("spam", "new")) beside Actor("get", args=("spam",)): what they returned is in `returned`, in that order.',
        "Name what came out of a round by what get() returned: there, or missing. Call the one ACCEPTABLE, the other one FORBIDDEN.",
    ),
    trials=(
        Trial(
            "repaired build",
            on("-DREPAIRED"),
            fails=False,
            why="In the repaired module the key is always there. What your lab forbids may happen in correct code; or the lab itself fails: read what came first.",
            runs=3,
        ),
        Trial(
            "reported build",
            on(),
            fails=True,
            why="In this module a key that is there is missing for a moment, and your lab does not say so. Do two threads meet on one table, does one of them put, and does `observe` look at what get() returned?",
            runs=5,
        ),
    ),
)
