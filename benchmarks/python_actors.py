"""The same labs with actors and observers written in Python: what somebody's first lab looks like."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from racelab import ACCEPTABLE, FORBIDDEN, Lab


def bump(counter: Any) -> None:
    """One call, from Python."""
    counter.bump()


def touch(record: Any) -> None:
    """One call, from Python."""
    record.touch()


def counted(counter: Any, _returned: Sequence[object], threads: int) -> str:
    """Asked after every round: there is no observe_key."""
    return "all counted" if counter.value == threads else "updates lost"


def made(record: Any, _returned: Sequence[object], _threads: int) -> str:
    """Asked after every round: there is no observe_key."""
    return "made once" if record.made == 1 else "made more than once"


lost_update = Lab(
    "lost_update",
    sources=["../ext/lost_update/lost_update_{variant}.c"],
    setup="Counter",
    actors=[bump, bump],
    threads=[2],
    observe=counted,
    outcomes={"all counted": ACCEPTABLE, "updates lost": FORBIDDEN},
)

lazy_slot = Lab(
    "lazy_slot",
    sources=["../ext/lazy_slot/lazy_slot_{variant}.c"],
    setup="Record",
    actors=[touch, touch],
    threads=[2],
    observe=made,
    outcomes={"made once": ACCEPTABLE, "made more than once": FORBIDDEN},
)
