"""Suspended: a page and its size are replaced in a critical section, and the old page says goodbye.

Question  Can somebody come into a critical section that is not over?
Run       racelab race suspended
          racelab race suspended --variant broken_allow
          racelab race suspended --variant fixed
"""

import time

from racelab import ACCEPTABLE, FORBIDDEN, Actor, Lab


class Page(bytes):
    """A page that does something when it goes: as objects do that close a file or write to a log."""

    def __del__(self):
        time.sleep(0)  # detaches for a moment, like any call that may block


lab = Lab(
    "suspended",
    question="Can somebody come into a critical section that is not over?",
    sources=["suspended_{variant}.c"],
    setup=lambda module: module.Shelf(Page(b"old")),
    # What one thread has made another one cannot always free at once: so the writer makes the pages.
    actors=[Actor("put", args=(b"a longer page",), made_by=True), "agree"],
    threads=[2, 3, 4, 8],
    observe=lambda _shelf, returned, _threads: (
        "new page, old size" if False in returned else "page and size agree"
    ),
    observe_key=(),
    outcomes={
        "page and size agree": ACCEPTABLE("before or after the change"),
        "new page, old size": FORBIDDEN("a reader came in, though the writer was not done"),
    },
)
