"""Find or build the free-threaded CPython that the book runs on.

Prints one line on standard output, the interpreter's path; progress goes to standard error.

Release builds come from the first place that has one: RACELAB_PYTHON, `python3.13t` on PATH,
`uv python find`, the cache, `uv python install`, Debian's source package. The other flavors (tsan,
asan, debug) are built from that source. Builds live in $XDG_CACHE_HOME/racelab/python.

Exit status: 0 found or built, 1 not to be had (the last line says what to do), 2 wrong usage,
130 interrupted.
"""

from __future__ import annotations

import argparse
import errno
import re
import shutil
import signal
import sys
from pathlib import Path
from typing import NoReturn

import _candidates
import _compile
import _store
from _steps import Trouble, say

DEFAULT_PY = "3.13t"
OLDEST_HOST = (3, 10)
INTERRUPTED = 130


def look(py: str, flavor: str, tried: _candidates.Tried) -> Path | None:
    """Find an interpreter that is already on this machine; ask no network, build nothing.

    Args:
        py: "3.13t".
        flavor: "release", "tsan", "asan" or "debug"; only release ones are looked for outside of
            the cache.
        tried: is told of every place that did not do.

    Returns:
        The verified interpreter, or None.

    Raises:
        Trouble: RACELAB_PYTHON is set and does not do.
    """
    if flavor == "release":
        for source in (_candidates.from_variable, _candidates.from_path, _candidates.from_uv):
            found = source(py, tried)
            if found is not None:
                return found
    return _look_in_cache(py, flavor, tried)


def _look_in_cache(py: str, flavor: str, tried: _candidates.Tried) -> Path | None:
    place = "the cache"
    try:
        stored = _stored(py, flavor)
        if not stored:
            tried.add(place, f"no {flavor} build in {_store.root()}")
    except Trouble as trouble:
        tried.add(place, str(trouble))
        return None
    for each in stored:
        cc = str(each.stamp.get("cc"))
        if _compile.RECIPES[flavor].sanitizer and shutil.which(cc) is None:
            # Extension modules have to be compiled with the sanitizer that the interpreter has.
            tried.add(place, f"{each.prefix} was built with {cc}, which is no longer there")
            continue
        found = _candidates.accept(place, each.executable, py, tried)
        if found is not None:
            return found
    return None


def _stored(py: str, flavor: str) -> list[_store.Stored]:
    words = _compile.RECIPES[flavor].words
    return _store.finished(py, flavor, _compile.machine(), words)


def ensure(py: str = DEFAULT_PY, flavor: str = "release") -> Path:
    """Find an interpreter or, where there is none, get one: minutes, with progress.

    Args:
        py: "3.13t", "3.14t", ...
        flavor: "release", "tsan", "asan" or "debug".

    Returns:
        The verified interpreter.

    Raises:
        Trouble: none is to be had; the message lists what was tried and says what to do.
    """
    tried = _candidates.Tried()
    found = look(py, flavor, tried)
    if found is not None:
        return found
    try:
        with _store.lock(f"{py}-{flavor}", f"building CPython {py} ({flavor})") as held:
            # Again: the process that we waited for may have made it.
            return _look_in_cache(py, flavor, tried) or _get(py, flavor, held, tried)
    except Trouble as trouble:
        tried.add("building it", str(trouble))
        raise Trouble(_nothing_found(py, flavor, tried)) from None


def _get(py: str, flavor: str, held: int, tried: _candidates.Tried) -> Path:
    if flavor == "release":
        found = _candidates.install_with_uv(py, tried)
        if found is not None:
            return found
    broken = _stored(py, flavor)  # or one of them would have been taken
    executable = _compile.Build(py, flavor, held).run()
    for each in broken:
        if each.prefix not in executable.parents:
            _store.discard(each.prefix)
    return executable


def _nothing_found(py: str, flavor: str, tried: _candidates.Tried) -> str:
    remedy = "Remedy what the last line says, then run this again"
    if flavor == "release":
        remedy += f"; or install a free-threaded {py} yourself and set RACELAB_PYTHON to it"
    return f"No CPython {py} ({flavor}) here, and none could be made. Tried:\n{tried}\n{remedy}."


def where(py: str = DEFAULT_PY, flavor: str = "release") -> Path:
    """Like `look`, for callers that need one.

    Raises:
        Trouble: there is none; the message says how to get one.
    """
    tried = _candidates.Tried()
    found = look(py, flavor, tried)
    if found is None:
        raise Trouble(
            f"No CPython {py} ({flavor}) here yet:\n{tried}\n"
            f"Run `python3 tools/interpreter.py --py {py} --flavor {flavor}` to get one."
        )
    return found


def _remove(py: str | None, flavor: str | None) -> None:
    removed = _store.remove(py, flavor)
    say(f"Removed from {_store.root()}: {', '.join(removed) or 'nothing, for there was nothing'}")
    left = ", ".join(path.name for path in _store.strangers())
    if left and py is None and flavor is None:
        say(f"Left alone, because this tool did not make it: {left}")


def _version(text: str) -> str:
    if re.fullmatch(r"3\.(1[3-9]|[2-9]\d)t", text):
        return text
    raise argparse.ArgumentTypeError(
        f"{text!r} is not a free-threaded series; write it like {DEFAULT_PY}"
    )


def _arguments(words: list[str] | None) -> argparse.Namespace:
    description, _, rest = (__doc__ or "").partition("\n\n")
    parser = argparse.ArgumentParser(
        description=description, epilog=rest, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--py", type=_version, help=f"series, default {DEFAULT_PY}")
    parser.add_argument("--flavor", choices=_store.FLAVORS, help="default release")
    action = parser.add_mutually_exclusive_group()
    action.add_argument("--where", action="store_true", help="only look; build nothing")
    action.add_argument(
        "--remove",
        action="store_true",
        help="remove what this tool made in the cache (only one kind with --py or --flavor)",
    )
    return parser.parse_args(words)


def _stop(_number: int, _frame: object) -> NoReturn:
    raise KeyboardInterrupt


def main(words: list[str] | None = None) -> int:
    """Do what the command line says; return the exit status."""
    chosen = _arguments(words)
    signal.signal(signal.SIGTERM, _stop)
    try:
        if sys.version_info < OLDEST_HOST:
            raise Trouble(
                f"{sys.executable} is {sys.version.split()[0]}: use Python 3.10 or newer."
            )
        if chosen.remove:
            _remove(chosen.py, chosen.flavor)
            return 0
        find = where if chosen.where else ensure
        print(find(chosen.py or DEFAULT_PY, chosen.flavor or "release"), flush=True)
    except Trouble as trouble:
        say(str(trouble))
        return 1
    except OSError as error:
        full = error.errno in (errno.ENOSPC, errno.EDQUOT)
        remedy = "free some disk space" if full else "see to that"
        say(f"The system refused: {error}. Please {remedy}, then run this again.")
        return 1
    except KeyboardInterrupt:
        say("Interrupted. Nothing half-built is left in the way; run this again to go on.")
        return INTERRUPTED
    return 0


if __name__ == "__main__":
    sys.exit(main())
