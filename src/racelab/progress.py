"""How far a race or a check has come: a line in a terminal, a bar in a notebook, nothing in a pipe."""

from __future__ import annotations

import html
import os
import shutil
import sys
import threading
import time
from types import TracebackType
from typing import Any

__all__ = ["Line", "Progress"]

#: Below this nobody has had time to wonder.
PATIENCE_S = 1.0
EVERY_S = 0.1
#: The seconds on a line go on at least so often.
TICK_S = 0.5


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
            _in_place(text)
        else:
            self.handle = _in_output(
                self.handle,
                f'<progress value="{done}" max="{self.total}" aria-label="{html.escape(self.title)}">'
                f"</progress> {html.escape(text)}",
            )
        self.shown = True

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if not self.shown:
            return
        if self.kind == "terminal":
            _in_place("")
        else:
            self.handle = _in_output(self.handle, "")


class Line:
    """Says what is being done, and for how long; a context manager. What is shown next takes the line's place.

    In a terminal the line goes. In a notebook no output can be taken back: what `end` was given is shown in its
    place when the cell shows that value, and until then the line says how it ended.

    Args:
        title: what it is about.
        wanted: None decides by where we run; see `Progress`.
    """

    def __init__(self, title: str, wanted: bool | None = None) -> None:
        self.title = title
        self.text = "starting"
        self.begin = time.monotonic()
        self.kind = _kind() if wanted is None else ("terminal" if wanted else "none")
        self.handle: Any = None
        self.ended = False
        self._over = threading.Event()
        self._drawing = threading.Lock()
        self._ticking = threading.Thread(target=self._tick, daemon=True)

    def __enter__(self) -> Line:
        if self.kind != "none":
            self._ticking.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._stop()
        if self.kind == "terminal":
            _in_place("")
        elif self.handle is not None and not self.ended:
            self._show(f"{self.title}: stopped after {self._seconds}")

    def step(self, step: Any) -> None:
        """Say what a step has shown."""
        self.doing(f"{step.name}: {step.text.splitlines()[0] if step.text else ''}")

    def doing(self, text: str) -> None:
        """Say what is being done."""
        self.text = text
        if self.kind == "notebook":
            self._draw()

    def end(self, value: Any, said: str) -> None:
        """It is over: what came of it, and that in a few words."""
        self._stop()
        self.ended = True
        if self.handle is not None:
            self._show(f"{self.title}: {said}, {self._seconds}")
            _take_the_place(self.handle, value)

    @property
    def _seconds(self) -> str:
        return f"{time.monotonic() - self.begin:.0f} s"

    def _stop(self) -> None:
        """From here on nothing moves."""
        self._over.set()
        if self.kind != "none":
            self._ticking.join()

    def _tick(self) -> None:
        while not self._over.is_set():
            self._draw()
            self._over.wait(TICK_S)

    def _draw(self) -> None:
        line = f"{self.title}: {self._seconds}, {self.text}"
        with self._drawing:
            if self.kind == "terminal":
                width = shutil.get_terminal_size().columns - 1
                _in_place(line[:width])
            elif time.monotonic() - self.begin >= PATIENCE_S:
                self._show(line, moving=True)

    def _show(self, text: str, moving: bool = False) -> None:
        # Without a value the bar moves by itself: that something is going on.
        bar = f'<progress aria-label="{html.escape(self.title)}"></progress> ' if moving else ""
        text = f'<div class="racelab-doing">{bar}{html.escape(text)}</div>'
        self.handle = _in_output(self.handle, text)


def _in_place(text: str) -> None:
    """Write over the terminal's last line."""
    sys.stderr.write(f"\r\x1b[K{text}")
    sys.stderr.flush()


def _in_output(handle: Any, text: str) -> Any:
    """Show HTML in a cell's output: a new one, or in the place that a handle names; the handle."""
    from IPython.display import HTML, display

    if handle is None:
        return display(HTML(text), display_id=True)  # type: ignore[no-untyped-call, unused-ignore]
    handle.update(HTML(text))
    return handle


def _take_the_place(handle: Any, value: Any) -> None:
    """Have the cell that runs now show a value where the line is, instead of below it; once, and only if it shows it."""
    from IPython.core.getipython import get_ipython

    shell: Any = get_ipython()  # type: ignore[no-untyped-call, unused-ignore]
    cell = shell.execution_count

    def show(shown: Any) -> bool:
        over = shell.execution_count != cell
        if over or shown is value:
            formatter.pop(type(value))
        if over or shown is not value:
            raise NotImplementedError  # it is shown in its usual way
        handle.update(value)
        return True

    formatter = shell.display_formatter.ipython_display_formatter
    formatter.for_type(type(value), show)


def _kind() -> str:
    # In a page that is built once, nobody waits.
    if os.environ.get("RACELAB_PROGRESS") == "0" or os.environ.get("RACELAB_STATIC"):
        return "none"
    ipython = sys.modules.get("IPython")
    shell = ipython.get_ipython() if ipython is not None else None  # type: ignore[attr-defined, unused-ignore]
    if shell is not None and type(shell).__name__ == "ZMQInteractiveShell":
        return "notebook"
    return "terminal" if sys.stderr.isatty() else "none"
