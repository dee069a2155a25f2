"""The commands for learners: `racelab exercises | start | check | hint | solution | reset | watch`."""

from __future__ import annotations

import argparse
import json
import os
import select
import sys
import time
from typing import Any

POLL_S = 0.5
CHECK_EPILOG = (
    "Exit status: 0 PASS, 1 FAIL, 2 it could not be judged, 3 INCONCLUSIVE: this machine could not have shown the bug. "
    "Example: racelab check lost_update --seconds 60"
)
#: What one types to leave an exercise that is watched.
LEAVE = "n"


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
        parser = commands.add_parser(
            name,
            help=text,
            description=text[0].upper() + text[1:] + ".",
            epilog=CHECK_EPILOG if name == "check" else None,
        )
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
    following = _next(found, course)
    how = "Begin with" if not done else "Go on with"
    end = f" {how}: racelab start {following}" if following else ""
    print(f"\n{done} of {len(found)} passed.{end}")
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
    from racelab.exercise import find_exercise

    exercise = find_exercise(options.exercise)
    verdict = _judged(exercise, options, options.file, wanted=False if options.json else None)
    print(json.dumps(verdict.as_json()) if options.json else verdict)
    return verdict.exit_status


def _judged(
    exercise: Any, options: argparse.Namespace, file: str | None = None, wanted: bool | None = None
) -> Any:
    """The verdict; until it is there, a line says what is being done."""
    from racelab.checking import SECONDS
    from racelab.course import Course
    from racelab.progress import Line

    with Line(exercise.slug, wanted) as line:
        return Course().check(
            exercise,
            file,
            seconds=options.seconds or SECONDS,
            on_step=line.step,
            on_doing=line.doing,
        )


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
    from racelab.course import Course
    from racelab.exercise import exercises, find_exercise

    course, known, left = Course(), exercises(), list[str]()
    slug = options.exercise or _next(known, course)
    while slug is not None:
        exercise = find_exercise(slug)
        if not _watched(exercise, options, course):
            left.append(slug)
        if options.exercise:
            break
        slug = _next([one for one in known if one.slug not in left], course)
    if not left:
        print("Done." if options.exercise else "Done. Every exercise is passed.")
    elif not options.exercise:
        print(f"Not passed yet: {', '.join(left)}. For one of them: racelab watch {left[0]}")
    return 0


def _watched(exercise: Any, options: argparse.Namespace, course: Any) -> bool:
    """Check one exercise on every save; whether it was passed, and not left for another one."""
    from racelab.exercise import ExerciseError

    path = exercise.start()
    print(f"\n{exercise.title} ({exercise.chapter}, {exercise.level}): {path}")
    key = f"{LEAVE} and Enter go on to the next one, " if _asks(options) else ""
    print(f"Waiting for you to save it; {key}Ctrl-C ends.", flush=True)
    seen = path.stat().st_mtime_ns if course.of(exercise.slug).checks else 0
    while True:
        now = path.stat().st_mtime_ns if path.exists() else seen
        if now == seen:
            if _told_to_leave(options):
                return False
            continue
        seen = now
        try:
            verdict = _judged(exercise, options)
        except ExerciseError as error:  # saved empty, say: the next save is another try
            print(error, flush=True)
            continue
        print(verdict, flush=True)
        if verdict.verdict == "PASS":
            return True
        if verdict.verdict == "INCONCLUSIVE":
            print(_ways_on(exercise.slug, options), flush=True)


def _ways_on(slug: str, options: argparse.Namespace) -> str:
    """What to do where saving once more will hardly change the verdict."""
    from racelab.checking import SECONDS
    from racelab.course import TIMES_MORE

    key = f"type {LEAVE} and Enter for the next one, or " if _asks(options) else ""
    more = f"racelab watch {slug} --seconds {TIMES_MORE * (options.seconds or SECONDS):g}"
    return (
        f"You need not stay at this one: {key}end with Ctrl-C and choose, racelab watch EXERCISE. "
        f"To give it more time: {more}"
    )


def _asks(options: argparse.Namespace) -> bool:
    """Whether somebody sits there who can be asked, and there is a next one."""
    return not options.exercise and sys.stdin is not None and sys.stdin.isatty()


def _told_to_leave(options: argparse.Namespace) -> bool:
    """Wait a little; whether the learner wants the next exercise."""
    if not _asks(options):
        time.sleep(POLL_S)
        return False
    if not select.select([sys.stdin], [], [], POLL_S)[0]:
        return False
    typed = os.read(sys.stdin.fileno(), 1024)  # a line: a terminal hands out whole ones
    if not typed:
        time.sleep(POLL_S)  # Ctrl-D, for ever
    elif typed.strip().lower() != LEAVE.encode():
        print(f"{LEAVE} and Enter go on to the next exercise, Ctrl-C ends.", flush=True)
    return typed.strip().lower() == LEAVE.encode()
