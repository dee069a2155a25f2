"""The commands for learners: `racelab exercises | start | check | hint | solution | reset | watch`."""

from __future__ import annotations

import argparse
import json
import os
import shutil
import sys
import threading
import time
from types import TracebackType
from typing import Any

POLL_S = 0.5
#: The seconds on the line that shows what is being done go on at least so often.
TICK_S = 0.5


def add_commands(commands: Any) -> None:
    """Add them to the parser of `racelab`."""
    listing = commands.add_parser("exercises", help="list the exercises and how far you are")
    listing.add_argument("--json", action="store_true", help="print a JSON list")
    listing.set_defaults(command=_exercises)
    for name, text, command in (
        ("start", "make your copy of an exercise in work/", _start),
        ("check", "judge your copy: PASS, FAIL or INCONCLUSIVE", _check),
        ("hint", "show the next hint", _hint),
        ("solution", "show one solution, as a diff to your copy", _solution),
        ("reset", "put the starter back; your copy is kept beside it", _reset),
        ("watch", "check your copy whenever you save it", _watch),
    ):
        parser = commands.add_parser(name, help=text, description=text[0].upper() + text[1:] + ".")
        optional = {"nargs": "?"} if name == "watch" else {}
        parser.add_argument(
            "exercise",
            metavar="EXERCISE",
            help="its name: see `racelab exercises`" + ("; default: the next" if optional else ""),
            **optional,
        )
        if name in ("check", "watch"):
            from racelab.cli import _seconds

            parser.add_argument(
                "--seconds", type=_seconds, metavar="S", help="time for racing; default: some 20 s"
            )
        if name == "check":
            parser.add_argument("--file", help="judge this file instead of your copy")
            parser.add_argument("--json", action="store_true", help="print one JSON object")
        parser.set_defaults(command=command)


def _exercises(options: argparse.Namespace) -> int:
    from racelab.course import Course
    from racelab.exercise import exercises

    found = exercises()
    if options.json:
        rows = [
            {
                "slug": one.slug,
                "title": one.title,
                "chapter": one.chapter,
                "level": one.level,
                "minutes": one.minutes,
            }
            for one in found
        ]
        print(json.dumps(rows))
        return 0
    course = Course()
    width = max((len(one.slug) for one in found), default=0)
    for one in found:
        standing = course.of(one.slug).word
        print(
            f"{one.slug:<{width}}  {one.chapter[:2]}  {one.level:<6}  {one.minutes:>2} min  "
            f"{standing:<6}  {one.title}"
        )
    done = sum(course.of(one.slug).passed for one in found)
    print(
        f"\n{done} of {len(found)} passed. Begin with: racelab start {_next(found, course) or 'any'}"
    )
    return 0


def _next(found: list[Any], course: Any) -> str | None:
    """The first exercise that was not passed yet."""
    return next((one.slug for one in found if not course.of(one.slug).passed), None)


def _start(options: argparse.Namespace) -> int:
    from racelab.exercise import find_exercise

    exercise = find_exercise(options.exercise)
    fresh = not exercise.learners.exists()
    path = exercise.start()
    print(f"{exercise.title} ({exercise.level}, {exercise.minutes} minutes)\n{exercise.goal}\n")
    print(f"{'Your copy' if fresh else 'Your copy, as you left it'}: {path}")
    print(f"Edit it, then: racelab check {exercise.slug}")
    return 0


def _check(options: argparse.Namespace) -> int:
    from racelab.checking import SECONDS, check
    from racelab.course import Course
    from racelab.exercise import find_exercise

    exercise = find_exercise(options.exercise)
    with _Live(exercise.slug, wanted=not options.json) as live:
        verdict = check(
            exercise,
            options.file,
            seconds=options.seconds or SECONDS,
            on_step=live.step,
            on_doing=live.doing,
        )
    print(json.dumps(verdict.as_json()) if options.json else verdict)
    if options.file is None:
        Course().note(verdict)
    return verdict.exit_status


class _Live:
    """One line that says what is being done, and for how long; the verdict takes its place. Nothing in a pipe."""

    def __init__(self, title: str, wanted: bool = True) -> None:
        self.title = title
        self.wanted = wanted and sys.stderr.isatty() and os.environ.get("RACELAB_PROGRESS") != "0"
        self.text = "starting"
        self.begin = time.monotonic()
        self.over = threading.Event()
        self.ticking = threading.Thread(target=self._tick, daemon=True)

    def __enter__(self) -> _Live:
        if self.wanted:
            self.ticking.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.over.set()
        if self.wanted:
            self.ticking.join()
            sys.stderr.write("\r\x1b[K")
            sys.stderr.flush()

    def step(self, step: Any) -> None:
        """Show a step that was made."""
        self.text = f"{step.name}: {step.text.splitlines()[0] if step.text else ''}"

    def doing(self, text: str) -> None:
        """Show what is being done."""
        self.text = text

    def _tick(self) -> None:
        while not self.over.is_set():
            width = shutil.get_terminal_size().columns - 1
            line = f"{self.title}: {time.monotonic() - self.begin:.0f} s, {self.text}"
            sys.stderr.write(f"\r\x1b[K{line[:width]}")
            sys.stderr.flush()
            self.over.wait(TICK_S)


def _hint(options: argparse.Namespace) -> int:
    from racelab.course import Course
    from racelab.exercise import find_exercise

    exercise = find_exercise(options.exercise)
    course = Course()
    print(course.next_hint(exercise))
    if course.of(exercise.slug).hints == len(exercise.hints):
        print(f"That was the last one. One solution: racelab solution {exercise.slug}")
    return 0


def _solution(options: argparse.Namespace) -> int:
    from racelab.exercise import find_exercise

    exercise = find_exercise(options.exercise)
    mine = exercise.learners
    text = (
        mine.read_text(encoding="utf-8", errors="replace")
        if mine.is_file()
        else exercise.text("starter")
    )
    name = f"your {exercise.file_name}" if mine.is_file() else "starter"
    print("\n".join(exercise.difference(text, name)) or "Your copy is the stored solution.")
    return 0


def _reset(options: argparse.Namespace) -> int:
    from racelab.course import Course
    from racelab.exercise import find_exercise

    exercise = find_exercise(options.exercise)
    kept = exercise.reset()
    Course().forget_hints(exercise.slug)
    print(f"{exercise.learners} is the starter again.")
    if kept:
        print(f"What you had is in {kept.name} beside it.")
    return 0


def _watch(options: argparse.Namespace) -> int:
    """Check on every save; after a PASS go on to the next exercise. Ends with Ctrl-C."""
    from racelab.checking import SECONDS, check
    from racelab.course import Course
    from racelab.exercise import ExerciseError, exercises, find_exercise

    course = Course()
    slug = options.exercise or _next(exercises(), course)
    while slug is not None:
        exercise = find_exercise(slug)
        path = exercise.start()
        print(f"\n{exercise.title} ({exercise.chapter}, {exercise.level}): {path}")
        print("Waiting for you to save it. Ctrl-C ends.", flush=True)
        seen = path.stat().st_mtime_ns if course.of(slug).checks else 0
        while True:
            now = path.stat().st_mtime_ns if path.exists() else seen
            if now == seen:
                time.sleep(POLL_S)
                continue
            seen = now
            try:
                with _Live(slug) as live:
                    verdict = check(
                        exercise,
                        seconds=options.seconds or SECONDS,
                        on_step=live.step,
                        on_doing=live.doing,
                    )
            except ExerciseError as error:  # saved empty, say: the next save is another try
                print(error, flush=True)
                continue
            course.note(verdict)
            print(verdict, flush=True)
            if verdict.verdict == "PASS":
                break
        slug = None if options.exercise else _next(exercises(), course)
    print("Done. Every exercise is passed." if not options.exercise else "Done.")
    return 0
