"""Exercises in a notebook: read one, have an answer judged, ask for a hint; and a panel with buttons for all of it."""

from __future__ import annotations

import html
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from racelab.checking import SECONDS, Step, Verdict
from racelab.course import MORE_TIME, TIMES_MORE, Course
from racelab.exercise import Exercise, exercises, find_exercise
from racelab.progress import Line
from racelab.show import LEXERS, Listing, find_book

__all__ = ["ExerciseCard", "check", "hint", "panel", "show_exercise"]


def check(slug: str, answer: Path | str | None = None, *, seconds: float = SECONDS) -> Verdict:
    """Judge an answer to an exercise, and remember the verdict on the learner's own copy.

    Meanwhile one line says what is being done; the verdict takes its place.

    Args:
        slug: the exercise.
        answer: a file, or source text with a line break in it. Default: the learner's copy in `work/`,
            which is made if it is not there yet.
        seconds: time for racing.

    Returns:
        Verdict: PASS with the bound it proves, FAIL with what was seen, or INCONCLUSIVE.

    Raises:
        ExerciseError: there is no such exercise; the message names those that are there.
    """
    exercise = find_exercise(slug)
    if answer is None:
        exercise.start()
    return judged(exercise, answer, seconds=seconds)


def judged(
    exercise: Exercise, answer: Path | str | None, *, seconds: float, counts: bool | None = None
) -> Verdict:
    """The verdict on an answer; until it is there, a line says what is being done. See `Course.check`."""
    with Line(exercise.slug) as line:
        verdict = Course().check(
            exercise,
            answer,
            counts=counts,
            seconds=seconds,
            on_step=line.step,
            on_doing=line.doing,
        )
        line.end(verdict, verdict.verdict)
    return verdict


def hint(slug: str) -> str:
    """The next hint of an exercise; the last one again when all were shown.

    Raises:
        ExerciseError: there is no such exercise; the message names those that are there.
    """
    return Course().next_hint(find_exercise(slug))


def show_exercise(slug: str) -> ExerciseCard:
    """What is to be done, and, folded: what there is to read, the starter, hints and one solution.

    Raises:
        ExerciseError: there is no such exercise; the message names those that are there.
    """
    return ExerciseCard(find_exercise(slug))


def difference(mine: str, exercise: Exercise, name: str) -> Listing:
    """What turns a text into the stored solution, as a diff that a notebook highlights."""
    shown = [(None, line) for line in exercise.difference(mine, name)] or [
        (None, "  no difference")
    ]
    return Listing(
        f"{exercise.slug}: from {name} to one solution", exercise.source, tuple(shown), "diff"
    )


@dataclass(frozen=True)
class ExerciseCard:
    """An exercise as a page shows it; prints as text, and with its hints folded in a notebook."""

    exercise: Exercise

    @property
    def _facts(self) -> str:
        one = self.exercise
        return f"{one.slug}, {one.level}, {one.minutes} minutes"

    @property
    def _ways(self) -> tuple[tuple[str, tuple[str, ...]], ...]:
        """Where one works on it, and what to type there."""
        slug = self.exercise.slug
        return (
            ("In a terminal", (f"racelab start {slug}", f"racelab check {slug}")),
            ("In a notebook", (f'rl.panel("{slug}")',)),
        )

    def __str__(self) -> str:
        ways = (f"{where}: {', then '.join(typed)}" for where, typed in self._ways)
        return "\n".join([f"{self.exercise.title} ({self._facts})", self.exercise.goal, *ways])

    def __repr__(self) -> str:
        return f"ExerciseCard({self.exercise.slug!r})"

    def _repr_pretty_(self, printer: Any, cycle: bool) -> None:
        printer.text(str(self) if not cycle else "ExerciseCard(...)")

    def _repr_html_(self) -> str:
        one = self.exercise
        starter = one.text("starter")
        given = "".join(
            _folded(f"What you read: {_short(path)}", _listing(_short(path), path)._repr_html_())
            for path in one.given
        )
        listing = _listing(one.file_name, one.source, starter)._repr_html_()
        hints = "".join(
            _folded(f"Hint {n} of {len(one.hints)}", f"<p>{html.escape(text)}</p>")
            for n, text in enumerate(one.hints, start=1)
        )
        solution = _folded(
            "One solution, as a diff", difference(starter, one, "the starter")._repr_html_()
        )
        ways = "<br>".join(
            f"{where}: " + ", then ".join(f"<code>{html.escape(word)}</code>" for word in typed)
            for where, typed in self._ways
        )
        return (
            f'<section class="racelab-exercise" aria-label="Exercise {html.escape(one.slug)}">'
            f"<p><strong>{html.escape(one.title)}</strong> ({html.escape(self._facts)})</p>"
            f"<p>{html.escape(one.goal)}</p><p>{ways}</p>"
            f"{given}{_folded(f'What you begin with: {one.file_name}', listing)}"
            f"{_folded('Hints, one by one', hints)}{solution}</section>"
        )


def _listing(title: str, path: Path, text: str | None = None) -> Listing:
    """A file, or this text of it, with its line numbers: questions ask for them."""
    shown = path.read_text(encoding="utf-8") if text is None else text
    lines = tuple(enumerate(shown.splitlines(), start=1))
    return Listing(title, path, lines, LEXERS.get(path.suffix, "text"))


def _short(path: Path) -> str:
    """A file of the book as its pages name it: from the book's root."""
    root = find_book("exercises")
    return path.relative_to(root).as_posix() if path.is_relative_to(root) else str(path)


def _folded(title: str, body: str) -> str:
    # JupyterLab takes the triangle away; without it nothing says that there is something to open.
    look = "cursor:pointer;display:list-item;list-style:revert"
    return f'<details><summary style="{look}">{html.escape(title)}</summary>{body}</details>'


# ---------------------------------------------------------------------------------------------------
# The panel
# ---------------------------------------------------------------------------------------------------


def panel(slug: str | None = None) -> Any:
    """Buttons for an exercise: check, hint, compare with a solution, start over; and the course's progress.

    Args:
        slug: the exercise. Default: a list to choose from, beginning with the next one.

    Raises:
        ExerciseError: there is no such exercise.
        ImportError: ipywidgets is missing.
    """
    return _Panel(slug).box


def _file(path: Path) -> str:
    """A path as the file browser shows it, where that is the book's root; in JupyterLab a click opens it there."""
    short = _short(path)
    if Path(short).is_absolute():
        return f"<code>{html.escape(short)}</code>"
    opens = html.escape(json.dumps({"path": short}), quote=True)
    return (
        f'<a href="#" data-commandlinker-command="docmanager:open" data-commandlinker-args="{opens}">'
        f"<code>{html.escape(short)}</code></a>"
    )


class _Panel:
    """The widgets and what they do; everything runs in the kernel's main thread, the races in children."""

    def __init__(self, slug: str | None) -> None:
        import ipywidgets as widgets

        self.course = Course()
        self.known = [find_exercise(slug)] if slug else exercises()
        waiting = (one.slug for one in self.known if not self.course.of(one.slug).passed)
        first = next(waiting, self.known[0].slug)
        self.choice = widgets.Dropdown(
            options=self._options(),
            value=first,
            description="Exercise",
            layout=widgets.Layout(width="30rem", max_width="100%"),
        )
        names = ("Check", "More time", "Next hint", "Compare with a solution", "Start over")
        self.buttons = {name: widgets.Button(description=name) for name in names}
        for button, action in zip(
            self.buttons.values(),
            (self._check, self._longer, self._hint, self._compare, self._start_over),
            strict=True,
        ):
            button.layout.width = "auto"
            button.on_click(action)
        self.head = widgets.HTML()
        self.answer = widgets.HTML()
        self.choice.observe(lambda _change: self._show(), names="value")
        row = widgets.HBox(list(self.buttons.values()))
        row.layout.flex_flow = "row wrap"
        parts = [row, self.answer] if slug else [self.choice, row, self.answer]
        self.box = widgets.VBox([self.head, *parts])
        self._show()

    def _options(self) -> list[tuple[str, str]]:
        return [(f"{one.chapter[:2]} {one.title}{self._mark(one)}", one.slug) for one in self.known]

    def _mark(self, one: Exercise) -> str:
        word = self.course.of(one.slug).word
        return f", {word}" if word else ""

    @property
    def exercise(self) -> Exercise:
        """The one that is chosen."""
        return next(one for one in self.known if one.slug == self.choice.value)

    def _offer(self, seconds: float | None) -> None:
        """Show the button that checks with more time, or hide it."""
        self.longer = seconds or SECONDS
        button = self.buttons["More time"]
        button.description = f"More time ({self.longer:g} s)"
        button.layout.display = "" if seconds else "none"

    def _show(self) -> None:
        one = self.exercise
        self._offer(None)
        path = one.start()
        read = "".join(f"Read {_file(given)}. " for given in one.given)
        done = sum(self.course.of(other.slug).passed for other in exercises(one.folder.parent))
        total = len(exercises(one.folder.parent))
        self.head.value = (
            f"<p><strong>{html.escape(one.title)}</strong> ({one.level}, {one.minutes} minutes{html.escape(self._mark(one))})"
            f"<br>{html.escape(one.goal)}<br>{read}Edit and save {_file(path)}, then check. "
            f"{done} of {total} exercises passed.</p>"
        )
        self.answer.value = ""

    def _busy(self, busy: bool) -> None:
        for button in self.buttons.values():
            button.disabled = busy
        self.choice.disabled = busy

    def _say(self, body: str) -> None:
        self.answer.value = f'<div role="status">{body}</div>'

    def _check(self, _button: Any) -> None:
        self._judge(SECONDS)

    def _longer(self, _button: Any) -> None:
        self._judge(self.longer)

    def _judge(self, seconds: float) -> None:
        steps: list[str] = []

        def on_step(step: Step) -> None:
            steps.append(f"{html.escape(step.name)}: {html.escape(step.text.splitlines()[0])}")
            on_doing("checking ...")

        def on_doing(text: str) -> None:
            # Not for screen readers: they are told the verdict.
            self.answer.value = "<br>".join([*steps, html.escape(text)])

        self._busy(True)
        self._say("checking ...")
        try:
            verdict = self.course.check(
                self.exercise, seconds=seconds, on_step=on_step, on_doing=on_doing
            )
        except Exception as error:
            self._say(f"<pre>{html.escape(str(error))}</pre>")
        else:
            chosen = self.choice.value
            self.choice.options = self._options()
            self.choice.value = chosen
            self._show()
            self._say(verdict._repr_html_())
            if verdict.verdict == "INCONCLUSIVE" and verdict.reason in MORE_TIME:
                self._offer(TIMES_MORE * seconds)
        finally:
            self._busy(False)

    def _hint(self, _button: Any) -> None:
        self._say(f"<p>{html.escape(self.course.next_hint(self.exercise))}</p>")

    def _compare(self, _button: Any) -> None:
        mine = self.exercise.learners.read_text(encoding="utf-8", errors="replace")
        self._say(difference(mine, self.exercise, "your copy")._repr_html_())

    def _start_over(self, _button: Any) -> None:
        kept = self.exercise.reset()
        self.course.forget_hints(self.exercise.slug)
        where = (
            f" What you had is in <code>{html.escape(kept.name)}</code> beside it." if kept else ""
        )
        self._say(f"<p>The starter is back.{where}</p>")
