"""How far a race has come: a line in a terminal, a bar in a notebook, nothing in a pipe."""

from __future__ import annotations

import html
import os
import sys
import time
from types import TracebackType
from typing import Any

__all__ = ["Progress"]

#: Below this nobody has had time to wonder.
PATIENCE_S = 1.0
EVERY_S = 0.1


class Progress:
    """Shows repetitions done, of how many, and what was seen; a context manager that cleans up.

    Args:
        title: what is running.
        total: repetitions planned.
        wanted: None decides by where we run; RACELAB_PROGRESS=0 in the environment says no.
    """

    def __init__(self, title: str, total: int, wanted: bool | None = None) -> None:
        self.title = title
        self.total = total
        self.begin = time.monotonic()
        self.shown_at = 0.0
        self.shown = False
        self.handle: Any = None
        self.kind = _kind() if wanted is None else ("terminal" if wanted else "none")

    def __enter__(self) -> Progress:
        return self

    def update(self, done: int, seen: str = "") -> None:
        """Say that `done` repetitions are over."""
        now = time.monotonic()
        if self.kind == "none" or now - self.begin < PATIENCE_S or now - self.shown_at < EVERY_S:
            return
        self.shown_at = now
        text = f"{self.title}: {done:,} of {self.total:,} repetitions, {now - self.begin:.0f} s"
        text += f", {seen}" if seen else ""
        if self.kind == "terminal":
            sys.stderr.write(f"\r\x1b[K{text}")
            sys.stderr.flush()
        else:
            self._show_html(
                f'<progress value="{done}" max="{self.total}" aria-label="{html.escape(self.title)}">'
                f"</progress> {html.escape(text)}"
            )
        self.shown = True

    def _show_html(self, text: str) -> None:
        from IPython.display import HTML, display

        if self.handle is None:
            self.handle = display(HTML(text), display_id=True)
        else:
            self.handle.update(HTML(text))

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if not self.shown:
            return
        if self.kind == "terminal":
            sys.stderr.write("\r\x1b[K")
            sys.stderr.flush()
        else:
            self._show_html("")


def _kind() -> str:
    if os.environ.get("RACELAB_PROGRESS") == "0":
        return "none"
    ipython = sys.modules.get("IPython")
    shell = ipython.get_ipython() if ipython is not None else None  # type: ignore[attr-defined, unused-ignore]
    if shell is not None and type(shell).__name__ == "ZMQInteractiveShell":
        return "notebook"
    return "terminal" if sys.stderr.isatty() else "none"
