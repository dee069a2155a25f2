"""The commands for a class: `racelab class serve | join | leave | plan`."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

PORT = 8765


def add_commands(commands: Any) -> None:
    """Add them to the parser of `racelab`."""
    from racelab.classroom.plan import add_plan

    parser = commands.add_parser(
        "class",
        help="a class's results live on the wall; how to fill an afternoon",
        description="Serve a class, take part in one, plan one.",
    )
    parser.set_defaults(command=lambda _options: parser.print_help() or 0)
    ours = parser.add_subparsers(metavar="COMMAND")
    _add_serve(ours)
    _add_join(ours)
    leave = ours.add_parser("leave", help="share nothing any more", description="Leave the class.")
    leave.set_defaults(command=_leave)
    add_plan(ours)


def _add_serve(commands: Any) -> None:
    parser = commands.add_parser(
        "serve",
        help="open a class: learners' results appear on one page",
        description="Open a class: what learners check and race appears on one page. "
        "Started again with the same file, it goes on where it was.",
    )
    add = parser.add_argument
    add("--file", type=Path, metavar="FILE", help="the class's database; default work/class.sqlite")
    add("--host", default="0.0.0.0", help="address to listen on; default: all of this machine")
    add("--port", type=int, default=PORT, help=f"default {PORT}")
    add(
        "--address",
        metavar="URL",
        help="where learners reach it, if that is not this machine's address",
    )
    parser.set_defaults(command=_serve)


def _serve(options: argparse.Namespace) -> int:
    from racelab.classroom.client import our_folder
    from racelab.classroom.server import serve
    from racelab.exercise import ExerciseError

    file = options.file
    if file is None:
        try:
            file = our_folder() / "class.sqlite"
        except ExerciseError:  # a teacher without the book's repository
            file = Path("class.sqlite")
    serve(file, host=options.host, port=options.port, address=options.address)
    return 0


def _add_join(commands: Any) -> None:
    parser = commands.add_parser(
        "join",
        help="take part: your results show on the wall",
        description="Take part in a class: from now on your checks, and your races of the book's labs, show on the wall. "
        "In a notebook, rl.share(result) shows a race.",
    )
    parser.add_argument("url", metavar="URL", help="the link on the wall, with what is behind #")
    parser.add_argument("--name", required=True, help="what the class shall call you, on the wall")
    parser.set_defaults(command=_join)


def _join(options: argparse.Namespace) -> int:
    from racelab.classroom.client import join

    print(join(options.url, options.name))
    return 0


def _leave(_options: argparse.Namespace) -> int:
    from racelab.classroom.client import leave

    print(leave())
    return 0
