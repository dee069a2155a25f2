"""The command ``racelab assignment``: exercises as notebooks that nbgrader hands out and collects."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any


def add_commands(commands: Any) -> None:
    """Add ``assignment`` to the command line."""
    parser = commands.add_parser(
        "assignment",
        help="make exercises into an assignment for nbgrader",
        description="Write an assignment's source notebooks, and the settings that nbgrader needs.",
    )
    parser.add_argument("name", metavar="NAME", help="what the assignment is called")
    parser.add_argument("exercises", nargs="+", metavar="EXERCISE", help="see `racelab exercises`")
    parser.add_argument(
        "--into", default="course", metavar="FOLDER", help="nbgrader's course; default: course"
    )
    parser.set_defaults(command=_assignment)


def _assignment(options: argparse.Namespace) -> int:
    from racelab.assignment import LOAD, THEIRS, make_assignment

    course = Path(options.into)
    made, loaded = make_assignment(options.name, options.exercises, course)
    for path in made:
        print(path)
    if not loaded:
        print(f"\nAdd this line at the end of {course / THEIRS}:\n{LOAD}")
    print(f"\nNext, in {course}: nbgrader generate_assignment {options.name}")
    return 0
