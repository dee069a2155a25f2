"""What is recorded for cy_attribute: its variants, and the six pairs of the chapter's first cell."""

import sys
from functools import partial

import racelab as rl
from racelab.costs import calls
from racelab.recording import cell

CELLS = [("13_in_cython", "%%cython")]


def read(box):
    return box.item


def write(box):
    box.item = [1]


def change(items):
    items.append(1)
    items.pop()


def append(items):
    sys.modules["cy_pairs"].append(items)


def total(items):
    return sys.modules["cy_pairs"].total(items)


def pairs():
    """How each pair ended; the class and the functions are the chapter's `%%cython` cell, word for word."""
    built = rl.compile(cell(*CELLS[0]), language="cython", name="cy_pairs")
    counts = {
        "burst": 1,
        "observe_key": "n",
        "observe": lambda box, *_: f"n is {box.n}",
        "outcomes": {"n is 2": rl.ACCEPTABLE("every call has counted")},
    }
    lengths = {
        "setup": list,
        "observe_key": None,
        "observe": lambda items, *_: f"{len(items)} items",
        "outcomes": {"100 items": rl.ACCEPTABLE("every call has counted")},
    }
    three = {"setup": lambda: [1, 2, 3]}
    return [
        row(built, "1 bump, bump", "bump", "bump", **counts),
        row(built, "2 get, renew", "get", "renew"),
        row(built, "3 read, write", read, write),
        row(built, "4 read, renew", read, "renew"),
        row(built, "5 append, append", append, append, **lengths),
        row(built, "6 total, change", total, change, **three),
    ]


def row(built, name, first, second, burst=50, **how):
    """Race two callables as the chapter does, for longer."""
    actors = [
        rl.Actor(first, burst=burst),
        rl.Actor(second, burst=burst, made_by=first != second),
    ]
    how = {
        "setup": "Box",
        "observe": lambda *_: "done",
        "observe_key": (),
        "outcomes": {"done": rl.ACCEPTABLE("no harm seen")},
        **how,
    }
    lab = rl.Lab("pair", question=f"{name}?", actors=actors, modules=[built.name], **how)
    seen = rl.race(lab, modules=[built], count=20, seconds=3, progress=False)
    return {"pair": name, "rounds": seen.rounds, "repetitions": len(seen.ran), **seen.forbidden}


MEASUREMENTS = {"cost": partial(calls, "cy_attribute"), "pairs": pairs}
