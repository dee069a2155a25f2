"""The command ``racelab record``: long runs that the book shows beside today's."""

from __future__ import annotations

import argparse
import sys
from typing import Any


def add_commands(commands: Any) -> None:
    """Add ``record`` to the command line."""
    parser = commands.add_parser(
        "record",
        help="make the long runs that the book shows as recorded",
        description="Race and measure what ext/<slug>/ says, and replace notebooks/recorded/<slug>.jsonl.",
    )
    parser.add_argument("slugs", nargs="*", metavar="LAB", help="folders of ext; default: all")
    parser.add_argument(
        "--only",
        action="append",
        default=[],
        metavar="NAME",
        help="this measurement or variant alone",
    )
    parser.add_argument("--stale", action="store_true", help="only what is missing or has drifted")
    parser.add_argument("--list", action="store_true", help="say what would be recorded")
    parser.set_defaults(command=_record)


def _record(options: argparse.Namespace) -> int:
    from racelab.recording import drift, is_recorded, load_plan, record
    from racelab.show import find_ext

    slugs = options.slugs or sorted(
        folder.name for folder in find_ext().iterdir() if is_recorded(folder)
    )
    if options.only and len(options.slugs) != 1:
        raise ValueError("--only goes with one LAB: name it.")
    failed = []
    for slug in slugs:
        plan = load_plan(slug)
        if not plan.races and not plan.measurements:
            continue
        if options.stale and _is_fresh(slug, drift):
            continue
        if options.list:
            for race in plan.races:
                print(f"{slug}: {', '.join(f'{k}={v}' for k, v in race.items() if k != 'lab')}")
            for name in plan.measurements:
                print(f"{slug}: {name}")
            continue
        try:
            made = record(slug, options.only, say=_say)
        except Exception as error:  # one that can't be made here must not cost the others
            if len(slugs) == 1:
                raise
            _say(f"racelab: {slug} was not recorded, its file is as it was: {error}")
            failed.append(slug)
        else:
            print(f"{slug}: {made.path.name}", flush=True)
    if failed:
        raise ValueError(f"not recorded (see above): {', '.join(failed)}.")
    return 0


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def _is_fresh(slug: str, drift: Any) -> bool:
    try:
        return not drift(slug)
    except (FileNotFoundError, ValueError):
        return False
