"""Verdicts on races by a sequential rule: stop at the first proof; at the time cap, say that there is none.

A broken variant is proven broken by the first forbidden outcome. A fixed one counts as held when so many rounds
were clean that the broken one, at the lower end of the rate it showed here and now, would have stayed silent with a
chance below one in a million. What the cap cuts off is neither a pass nor a failure: it is listed, and more than one
in ten of them fails the run (`conftest.py`).
"""

from __future__ import annotations

import functools
import time
from collections.abc import Iterator

from racelab.checking import clean_needed, low_end
from racelab.lab import Lab
from racelab.racing import race
from racelab.result import Result, merge

SLICE_S = 1.0
#: A rate is measured until so many repetitions or seconds, whatever comes first.
RATE_S = 2.0

decided: list[str] = []
inconclusive: list[str] = []


def slices(lab: Lab, variant: str, cap_s: float, **how: object) -> Iterator[Result]:
    """What was seen so far, after each second or so, until the cap."""
    end = time.monotonic() + cap_s
    so_far: Result | None = None
    while time.monotonic() < end:
        left = max(0.2, min(SLICE_S, end - time.monotonic()))
        if lab.mode == "rounds":
            seen = race(lab, variant, seconds=left, count=4, **how)
        else:
            seen = race(lab, variant, count=20 if lab.mode == "cold" else 2, **how)
        so_far = seen if so_far is None else merge([so_far, seen])
        yield so_far


def shows(lab: Lab, variant: str, cap_s: float) -> bool | None:
    """True as soon as something forbidden was seen; None at the cap."""
    return any(seen.forbidden for seen in slices(lab, variant, cap_s, stop_at_first=True)) or None


@functools.cache
def rate_low(lab: Lab) -> float:
    """Lower end of the rate at which `broken` fails here and now, per round (per repetition if cold or hang); 0 if it does not."""
    rate = None
    for seen in slices(lab, "broken", RATE_S):
        rate = seen.rate_per_round if lab.mode == "rounds" else seen.rate_per_repetition
    return low_end(rate)


def holds(lab: Lab, variant: str, cap_s: float) -> bool | None:
    """False as soon as something forbidden was seen, True after enough clean rounds, None at the cap."""
    wanted = clean_needed(rate_low(lab))
    for seen in slices(lab, variant, cap_s, stop_at_first=True):
        if seen.forbidden:
            return False
        if (seen.rounds if lab.mode == "rounds" else len(seen.ran)) >= wanted:
            return True
    return None


def note(name: str, verdict: bool | None) -> bool | None:
    """Keep count of verdicts for the end of the run."""
    (inconclusive if verdict is None else decided).append(name)
    return verdict


def too_many() -> str | None:
    """The sentence that fails a run with too few verdicts, or None."""
    total = len(decided) + len(inconclusive)
    if not inconclusive or len(inconclusive) <= total / 10:
        return None
    return f"{len(inconclusive)} of {total} race verdicts are inconclusive, more than one in ten: this machine proves too little."
