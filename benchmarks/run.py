"""Measure everything that racelab promises: `make bench`.

Writes one file per measurement to benchmarks/results, whole or not at all, and prints the table of what must be
reached. A figure that was missed is a result: the exit status is 0. It is 1 if a measurement could not be made,
2 if nothing could be run.
"""

from __future__ import annotations

import argparse
import fcntl
import hashlib
import os
import signal
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from figures import SCHEMA, must_reach, problems_of, table, write_whole

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent
RESULTS = HERE / "results"


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the steps that were asked for, write their files, print the table."""
    from steps import STEPS

    options = _parser(list(STEPS)).parse_args(arguments)
    refused = _refused(options, list(STEPS))
    if refused:
        print(f"benchmarks: {refused}", file=sys.stderr)
        return 2
    signal.signal(signal.SIGTERM, _stop)
    alone = _alone(options.results)
    if alone is None:
        print(
            f"benchmarks: another run writes to {options.results} now, and each would spoil the other's "
            "figures; wait for it, or stop it.",
            file=sys.stderr,
        )
        return 2
    try:
        return _measure(options, options.only or list(STEPS))
    finally:
        os.close(alone)


def _alone(folder: Path) -> int | None:
    """Lock the folder of results until this process ends; None if another run has it."""
    folder.mkdir(parents=True, exist_ok=True)
    descriptor = os.open(folder, os.O_RDONLY | os.O_CLOEXEC)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(descriptor)
        return None
    return descriptor


def _measure(options: argparse.Namespace, names: Sequence[str]) -> int:
    """Run these steps one after another; returns the exit status."""
    results: dict[str, dict[str, Any]] = {}
    failed = []
    for name in names:
        try:
            results[name] = _step(name, options)
        except KeyboardInterrupt:
            print(f"\nbenchmarks: stopped in {name}; its file was not written.", file=sys.stderr)
            return 130
        except Exception as error:
            failed.append(name)
            print(f"{name}: not measured. {type(error).__name__}: {error}", file=sys.stderr)
    print(f"\n{table(must_reach(results))}")
    if failed:
        print(f"\nbenchmarks: not measured: {', '.join(failed)}; see above.", file=sys.stderr)
    return 1 if failed else 0


def _parser(names: Sequence[str]) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="benchmarks", description=(__doc__ or "").partition("\n")[0]
    )
    parser.add_argument(
        "--quick", action="store_true", help="a minute instead of twelve; marked so"
    )
    parser.add_argument("--only", nargs="+", metavar="NAME", help=f"some of: {', '.join(names)}")
    parser.add_argument("--processes", type=int, metavar="N", help="processes per figure (20)")
    parser.add_argument("--results", type=Path, default=RESULTS, help="folder for the files")
    return parser


def _refused(options: argparse.Namespace, names: Sequence[str]) -> str | None:
    """Why nothing can be run, in one sentence; None if it can."""
    unknown = [name for name in options.only or () if name not in names]
    if unknown:
        return f"there is no measurement {unknown[0]!r}; --only takes some of: {', '.join(names)}."
    if options.processes is not None and options.processes < 1:
        return f"--processes {options.processes}: give 1 or more."
    if getattr(sys, "_is_gil_enabled", lambda: True)():
        return (
            f"the GIL is on in {sys.executable}: run `make bench`, which takes the free-threaded "
            "interpreter, and leave PYTHON_GIL unset."
        )
    return None


def _stop(_signal: int, _frame: object) -> None:
    """SIGTERM ends the run as Ctrl-C does: children are killed, nothing is left half-written."""
    raise KeyboardInterrupt


def _step(name: str, options: argparse.Namespace) -> dict[str, Any]:
    """Measure one step and write its file."""
    from steps import STEPS, Measured, Sizes

    step = STEPS[name]
    began = time.perf_counter()

    def say(text: str) -> None:
        print(f"[{time.perf_counter() - began:5.1f} s] {name}: {text}", flush=True)

    sizes = Sizes.chosen(options.quick, options.processes)
    cpus = _pin()
    say(step.title)
    found = Measured(say)
    step.measure(sizes, found)
    content = {
        **_head(name, step.title, cpus),
        "quick": sizes.quick,
        "processes": sizes.processes,
        "seconds": round(time.perf_counter() - began, 3),
        "figures": found.figures,
        "counts": found.counts,
    }
    write_whole(options.results / f"{name}.json", content)
    assert not problems_of(content)
    return content


def _pin() -> list[int]:
    """Keep this process and its children to the cores that it has now; returns them."""
    cpus = sorted(os.sched_getaffinity(0))
    os.sched_setaffinity(0, cpus)
    return cpus


def _head(name: str, title: str, cpus: list[int]) -> dict[str, Any]:
    import racelab as rl

    about = rl.environment()
    return {
        "schema": SCHEMA,
        "name": name,
        "title": title,
        "machine": f"{about.cores:g} cores, {about.cpu}",
        "cores": about.cores,
        "cpus": cpus,
        "load": round(os.getloadavg()[0], 2),
        "python": about.python,
        "compiler": about.compiler,
        "gil": about.gil_enabled,
        "date": time.strftime("%Y-%m-%d", time.gmtime()),
        "source_sha256": source_sha256(),
    }


def source_sha256() -> str:
    """Hash of what was measured and of what measured it: the package, the labs, this folder's code."""
    found = hashlib.sha256()
    files = [
        path
        for folder in ("src/racelab", "ext/lost_update", "ext/lazy_slot", "ext/borrowed_ref")
        for path in (ROOT / folder).iterdir()
        if path.suffix in (".py", ".pyi", ".c", ".h")
    ]
    for path in sorted([*files, *HERE.glob("*.py")]):
        found.update(f"{path.relative_to(ROOT).as_posix()}\0".encode())
        found.update(path.read_bytes() + b"\0")
    return found.hexdigest()


if __name__ == "__main__":
    raise SystemExit(main())
