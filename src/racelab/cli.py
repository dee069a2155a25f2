"""The command ``racelab``. Whatever is not needed for ``--help`` is imported when a command runs.

Exit status: 0 nothing forbidden seen, 1 forbidden seen, 2 could not run, 3 inconclusive: nothing
forbidden seen, but the calibration race shows nothing on this machine either.
"""

from __future__ import annotations

import argparse
import json
import re
import shlex
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

__all__ = ["main"]

COULD_NOT_RUN = 2
INTERRUPTED = 130
FIGURES = (".svg", ".png", ".pdf")

_Command = Callable[[argparse.Namespace], int]


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command; returns the exit status. A mistake is one sentence on stderr."""
    options = _parser().parse_args(_joined(sys.argv[1:] if argv is None else argv))
    command: _Command | None = getattr(options, "command", None)
    if command is None:
        _parser().print_help()
        return 0
    try:
        return command(options)
    except KeyboardInterrupt:
        print("racelab: interrupted; nothing is left running.", file=sys.stderr)
        return INTERRUPTED
    except BrokenPipeError:
        # Whoever read our output has had enough. Python must not complain when it flushes stdout.
        sys.stdout = None
        return 0
    except Exception as error:
        if not _is_ours(error):
            raise
        print(f"racelab: {error}", file=sys.stderr)
        return COULD_NOT_RUN


def _joined(words: Sequence[str]) -> list[str]:
    """``--offsets -100,0,100`` as ``--offsets=-100,0,100``, which is what argparse wants of a value with a dash."""
    joined: list[str] = []
    for word in words:
        if joined and joined[-1] == "--offsets" and re.match(r"-[\d.]", word):
            joined[-1] = f"--offsets={word}"
        else:
            joined.append(word)
    return joined


def _is_ours(error: Exception) -> bool:
    """Whether the message is meant for the user: anything else is a bug, and shows its traceback."""
    from racelab.build import BuildError
    from racelab.racing import RaceError

    return isinstance(error, (BuildError, RaceError, ValueError, FileNotFoundError))


def _positive(text: str) -> int:
    value = int(text)
    if value < 1:
        raise argparse.ArgumentTypeError(f"{text}: give 1 or more")
    return value


_positive.__name__ = "number"


def _seconds(text: str) -> float:
    value = float(text)
    if not value > 0:
        raise argparse.ArgumentTypeError(f"{text}: give a number of seconds above 0")
    return value


_seconds.__name__ = "number of seconds"


def _share(text: str) -> float:
    value = float(text[:-1]) / 100 if text.endswith("%") else float(text)
    if not 0 < value <= 1:
        raise argparse.ArgumentTypeError(
            f"{text}: give a share above 0 and up to 1, such as 0.01 or 1%"
        )
    return value


_share.__name__ = "share"


def _gil(text: str) -> Any:
    return text if text == "auto" else int(text)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="racelab",
        description="Race native extension code, count how often it fails, and say how sure the count is.",
    )
    parser.add_argument("--version", action="store_true", help="print the version and end")
    parser.set_defaults(command=_version_or_help)
    commands = parser.add_subparsers(metavar="COMMAND")
    _add_race(commands)
    _add_scan(commands)
    _add_plan(commands)
    _add_labs(commands)
    _add_doctor(commands)
    _add_others(commands)
    return parser


def _version_or_help(options: argparse.Namespace) -> int:
    if options.version:
        from racelab import __version__

        print(f"racelab {__version__}")
    else:
        _parser().print_help()
    return 0


def _common(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add("lab", metavar="LAB|FILE.py", help="a lab of the book, or the file of one (FILE.py:NAME)")
    add("--variant", help="broken (default), fixed, ...")
    add("--threads", type=_positive, metavar="T", help="threads that race; default: the lab's")
    add("--rounds", type=_positive, metavar="N", help="rounds per repetition")
    add("--count", type=_positive, metavar="N", help="repetitions: child processes, not pytest's")
    add("--timeout", type=_seconds, metavar="S", help="limit for one repetition; more is a hang")
    add(
        "--gil", type=_gil, choices=["auto", 0, 1], default="auto", help="auto leaves it to imports"
    )
    add("--widen", action="store_true", help="hold race points open; the result is stamped")
    add("--release", choices=["barrier", "tsc"], help="how the threads are let go")
    add("--python", metavar="PATH", help="interpreter for the children; default: this one")
    add("--json", action="store_true", help="print one JSON object")


def _add_race(commands: Any) -> None:
    parser = commands.add_parser(
        "race",
        help="race a lab and grade what is seen",
        description="Race a lab in child processes, grade what is seen, and say how often each outcome came and how sure "
        "that is.",
        epilog="Exit status: 0 nothing forbidden was seen, 1 something forbidden was seen, 2 it could not be run, 3 "
        "inconclusive: nothing forbidden was seen, but the built-in known race shows nothing on this machine, either. "
        "Example: racelab race my_lab.py --threads 4 --seconds 10",
    )
    _common(parser)
    add = parser.add_argument
    add("--seconds", type=_seconds, metavar="S", help="time for the whole race")
    add("--mode", choices=["rounds", "cold", "hang"], help="default: the lab's")
    add("--stride", type=_positive, default=1, metavar="N", help="rounds per release; default 1")
    add(
        "--offset",
        type=float,
        metavar="NS",
        help="delay of the first thread, ns; negative: the others",
    )
    add("--search", action="store_true", help="find a good offset first")
    add("--sanitizer", choices=["thread", "address"], help="needs an interpreter built with it")
    add("--allow-gil", action="store_true", help="race on if an import turns the GIL on")
    add("--spawn", action="store_true", help="start every child afresh instead of forking it")
    add("--stop", action="store_true", help="stop at the first forbidden outcome")
    add(
        "--confidence",
        type=_share,
        default=0.95,
        metavar="C",
        help="level of intervals; default 0.95",
    )
    add("--save", metavar="FILE.py", help="write a script that reproduces it without racelab")
    add("--plot", metavar="FILE.svg", help="draw the result")
    parser.set_defaults(command=_race)


def _race(options: argparse.Namespace) -> int:
    from racelab.lab import find_lab
    from racelab.racing import race

    if options.save:
        from racelab.repro import check_target

        check_target(options.save)
    if options.plot:
        _check_figure(options.plot)
    lab = find_lab(options.lab)
    threads = options.threads or lab.allowed_threads[0]
    offsets = None
    if options.offset is not None:
        offsets = [max(options.offset, 0.0), *([max(-options.offset, 0.0)] * (threads - 1))]
    result = race(
        lab,
        options.variant,
        threads=threads,
        rounds=options.rounds,
        count=options.count,
        seconds=options.seconds,
        timeout_s=options.timeout,
        gil=options.gil,
        allow_gil=options.allow_gil,
        widen=options.widen,
        sanitizer=options.sanitizer,
        release=options.release or "barrier",
        stride=options.stride,
        offsets_ns=offsets,
        search=options.search,
        mode=options.mode,
        python=options.python,
        spawn=options.spawn or None,
        stop_at_first=options.stop,
        confidence=options.confidence,
        progress=False if options.json else None,
    )
    print(json.dumps(result.as_json()) if options.json else result)
    if options.save:
        _save_script(options, lab, result)
    if options.plot:
        _save_figure(result.plot(), options.plot)
    if options.lab == lab.name:  # of the book; what people race of their own is their own affair
        from racelab.classroom.client import hand_in

        hand_in(result)
    return result.exit_status


def _save_script(options: argparse.Namespace, lab: Any, result: Any) -> None:
    """Write the script; that it cannot be written is said, and changes nothing about what was seen."""
    from racelab.build import BuildError
    from racelab.repro import interpreter_of, save

    try:
        save(options.save, lab, result)
    except (BuildError, OSError, ValueError) as error:
        print(f"racelab: no script: {error}", file=sys.stderr)
        return
    if not options.json:
        words = shlex.join([interpreter_of(result), options.save])
        doubt = (
            "" if result.forbidden else "nothing forbidden was seen; script written all the same. "
        )
        print(f"\n{doubt}wrote {options.save}: run it with `{words}`")


def _add_scan(commands: Any) -> None:
    parser = commands.add_parser(
        "scan",
        help="sweep the delay between two actors",
        description="Sweep the delay of the first thread against the others: the window is a peak.",
        epilog="Exit status: 0 no hit at any delay, 1 a hit at one at least, 2 it could not be run. "
        "Example: racelab scan lost_update --offsets=-100,0,100",
    )
    _common(parser)
    parser.add_argument(
        "--offsets",
        metavar="NS,NS,...",
        help="delays to try, as in --offsets=-100,0,100; negative ones delay the others",
    )
    parser.add_argument("--plot", metavar="FILE.svg", help="draw the scan")
    parser.set_defaults(command=_scan)


def _scan(options: argparse.Namespace) -> int:
    from racelab.racing import SEARCH_ROUNDS, scan_offsets

    if options.plot:
        _check_figure(options.plot)
    offsets = None
    if options.offsets:
        try:
            offsets = [float(word) for word in options.offsets.split(",")]
        except ValueError:
            raise ValueError(
                f"--offsets {options.offsets}: give numbers of ns with commas between, as in --offsets=-100,0,100"
            ) from None
    scan = scan_offsets(
        options.lab,
        options.variant,
        offsets_ns=offsets,
        rounds=options.rounds or SEARCH_ROUNDS,
        count=options.count or 3,
        threads=options.threads,
        gil=options.gil,
        widen=options.widen,
        release=options.release or "tsc",
        python=options.python,
        timeout_s=options.timeout,
        progress=False if options.json else None,
    )
    print(json.dumps(scan.as_json()) if options.json else scan)
    if options.plot:
        _save_figure(scan.plot(), options.plot)
    return 1 if any(point["hits"] for point in scan.points) else 0


def _check_figure(path: str) -> None:
    """Refuse a place or a format that a figure cannot have, before a race is run for it."""
    target = Path(path)
    if target.suffix.lower() not in FIGURES:
        raise ValueError(
            f"--plot {path}: end the name in {', '.join(FIGURES[:-1])} or {FIGURES[-1]}."
        )
    if not target.parent.is_dir():
        raise ValueError(f"--plot {path}: there is no folder {target.parent}; make it.")


def _save_figure(axes: Any, path: str) -> None:
    try:
        axes.figure.savefig(path)
    except OSError as error:
        raise ValueError(f"--plot {path} cannot be written: {error.strerror}.") from error


def _add_plan(commands: Any) -> None:
    parser = commands.add_parser(
        "plan",
        help="how many repetitions or rounds a rate needs",
        description="How many runs show a failure of this rate at least once, with this confidence.",
        epilog="Exit status: 0, or 2 for a rate that cannot be. Example: racelab plan --rate 0.1%% --confidence 0.99",
    )
    parser.add_argument(
        "--rate", type=_share, required=True, metavar="P", help="e.g. 0.001 or 0.1%%"
    )
    parser.add_argument("--confidence", type=_share, default=0.95, metavar="C", help="default 0.95")
    parser.add_argument(
        "--unit", choices=["repetition", "round"], default="repetition", help="what the rate is per"
    )
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    parser.set_defaults(command=_plan)


def _plan(options: argparse.Namespace) -> int:
    from racelab import stats

    if options.json:
        needed = stats.plan(options.rate, options.confidence)
        facts = {"rate": options.rate, "confidence": options.confidence, "unit": options.unit}
        print(json.dumps({**facts, "needed": needed}))
    else:
        print(stats.plan_sentence(options.rate, options.confidence, unit=options.unit))
    return 0


def _add_labs(commands: Any) -> None:
    parser = commands.add_parser("labs", help="list the labs of the book")
    parser.add_argument("--json", action="store_true", help="print a JSON list")
    parser.set_defaults(command=_labs)


def _labs(options: argparse.Namespace) -> int:
    from racelab.lab import labs

    rows = [
        {"lab": lab.name, "title": lab.question, "variants": list(lab.variants)} for lab in labs()
    ]
    if options.json:
        print(json.dumps(rows))
        return 0
    for row in rows:
        print(f"{row['lab']:<14}  {row['title']}  [{', '.join(row['variants']) or 'one variant'}]")
    return 0


def _add_doctor(commands: Any) -> None:
    parser = commands.add_parser(
        "doctor",
        help="what this machine can and cannot show",
        description="What this machine can and cannot show, and what to install.",
    )
    parser.add_argument(
        "--class",
        dest="for_class",
        action="store_true",
        help="also what a class needs: run it on every learner's machine the day before",
    )
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    parser.set_defaults(command=_doctor)


def _doctor(options: argparse.Namespace) -> int:
    from racelab.doctor import examine, examine_for_class

    if options.for_class:
        quiet = options.json or not sys.stderr.isatty()
        report = examine_for_class(lambda text: None if quiet else print(text, file=sys.stderr))
    else:
        report = examine()
    print(json.dumps(report.as_json()) if options.json else report)
    return report.exit_status


def _add_others(commands: Any) -> None:
    """Commands that live in modules of their own, where those are there."""
    import importlib
    import importlib.util

    for name in ("check", "debug", "record", "classroom", "assignment"):
        if importlib.util.find_spec(f"racelab._cli_{name}") is not None:
            importlib.import_module(f"racelab._cli_{name}").add_commands(commands)
