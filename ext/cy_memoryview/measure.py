"""What is recorded for cy_memoryview: its variants, adding through a view, and an owner's count of its views."""

from array import array
from dataclasses import replace
from functools import partial

import racelab as rl
from racelab.costs import calls

ADDING = {
    "actors": ["add", "add"],
    "observe_key": "value",
    "observe": lambda grid, *_: "both" if grid.value == 3 else "one is lost",
    "outcomes": {
        "both": rl.ACCEPTABLE("every call has counted"),
        "one is lost": rl.FORBIDDEN("increments overwrote each other"),
    },
}


def adding():
    """Two threads that write through one view, with and without the lock."""
    rows = []
    for variant in ("broken", "fixed"):
        lab = replace(rl.find_lab("cy_memoryview"), **ADDING)
        seen = rl.race(lab, variant, count=20, seconds=6, progress=False)
        rows.append({"variant": variant, "failed": seen.failed_rounds, "rounds": seen.rounds})
    return rows


def view(owner):
    memoryview(owner).release()


def grows(owner):
    try:
        owner.append(1)
    except BufferError:
        return False
    return True


def count_of(owner, *_):
    """Whether the owner knows that there is one view, and later none."""
    with memoryview(owner):
        under_a_view = grows(owner)
    return "counted" if grows(owner) and not under_a_view else "wrong count"


def owners():
    """Two threads take views of one `array` or `bytearray`, and give them back. Does it count them?"""
    rows = []
    for name, fresh in {
        "array": lambda: array("l", [1]),
        "bytearray": lambda: bytearray(8),
    }.items():
        lab = rl.Lab(
            "owner",
            question="Does the owner know how many views there are?",
            setup=fresh,
            actors=[rl.Actor(view, burst=200), rl.Actor(view, burst=200)],
            observe=count_of,
            outcomes={"counted": rl.ACCEPTABLE("no count was lost")},
        )
        seen = rl.race(lab, count=20, seconds=6, progress=False)
        rows.append({"owner": name, "failed": seen.failed_rounds, "rounds": seen.rounds})
    return rows


MEASUREMENTS = {"cost": partial(calls, "cy_memoryview"), "adding": adding, "owners": owners}
