"""The commands ``racelab debug`` and ``racelab post-mortem``."""

from __future__ import annotations

import argparse
from typing import Any


def add_commands(commands: Any) -> None:
    """Add both to the command line."""
    parser = commands.add_parser(
        "debug",
        help="start a debugger on a lab, where its bug shows",
        description="Race a lab under a debugger: it stops where the lab crashes, hangs, or shows what is forbidden.",
    )
    _common(parser)
    parser.add_argument(
        "--batch",
        action="append",
        default=[],
        metavar="COMMAND",
        help="no prompt: race, then this command of the debugger, and end (several: in their order)",
    )
    parser.set_defaults(command=_debug)
    parser = commands.add_parser(
        "post-mortem",
        help="the bug of the last race again, as a readable stack",
        description="Make a race's bug again under a debugger and print every thread's stack where it shows. "
        "Exit status: 0 it showed, 2 it could not be run, 3 it did not show in time.",
    )
    _common(parser, optional=True)
    parser.add_argument("--all", action="store_true", help="all that the debugger printed, too")
    parser.set_defaults(command=_post_mortem)


def _common(parser: argparse.ArgumentParser, *, optional: bool = False) -> None:
    from racelab.cli import _positive, _seconds

    add = parser.add_argument
    if optional:
        add("lab", nargs="?", metavar="LAB|FILE.py", help="default: what was raced last")
    else:
        add("lab", metavar="LAB|FILE.py", help="a lab of the book, or the file of one")
    add("variant", nargs="?", help="broken (default), fixed, ...")
    add("--with", dest="debugger", choices=["gdb", "lldb"], default="gdb", help="default: gdb")
    add("--threads", type=_positive, metavar="T", help="threads that race; default: the lab's")
    add("--gil", type=int, choices=[0, 1], help="default: left to imports")
    add("--widen", action="store_true", help="hold race points open")
    without = "" if optional else "; without --batch: until the bug shows"
    add("--seconds", type=_seconds, metavar="S", help=f"to race at most; default 30{without}")
    add("--python", default="", metavar="PATH", help="interpreter, e.g. that of `make debug`")


def _settings(options: argparse.Namespace) -> dict[str, Any]:
    chosen = {name: getattr(options, name) for name in ("threads", "gil", "widen", "python")}
    chosen["seconds"] = options.seconds
    # PYTHON_GIL=0 is a setting: only what was not given is left out.
    return {
        name: value
        for name, value in chosen.items()
        if value not in (None, "") and value is not False
    }


def _debug(options: argparse.Namespace) -> int:
    from racelab import debuggers
    from racelab.racing import RaceError

    if not options.batch:
        return debuggers.debug(
            options.lab, options.variant, debugger=options.debugger, **_settings(options)
        )
    seen = debuggers.batch(
        options.lab,
        options.variant,
        debugger=options.debugger,
        commands=["run", *options.batch],
        **_settings(options),
    )
    print(seen.text.rstrip(), flush=True)
    if seen.ended_by:
        raise RaceError(
            f"{options.debugger} has not come to the end of its commands, {seen.ending}: a command that lets a hang go on "
            "does not come back; leave it out, or say `racelab debug` without --batch."
        )
    return seen.status or 0


def _post_mortem(options: argparse.Namespace) -> int:
    from racelab import debuggers

    found = debuggers.post_mortem(
        options.lab,
        options.variant,
        debugger=options.debugger,
        **_settings(options),
    )
    print(found)
    if options.all:
        print(f"\n{found.output.rstrip()}")
    return found.exit_status
