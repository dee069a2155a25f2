"""Refresh the hashed locks from requirements/*.in: `make locks`.

The kernel's lock is resolved for free-threaded 3.13 alone, wheels only: the newest releases of several
packages ship no cp313t wheels any more, and resolving without that rule picks sdists that a
learner cannot build. The plugins that live beside it are locked alone: what they need is in the kernel's
lock. The other locks are universal (any CPython from 3.10).
"""

from __future__ import annotations

import sys
from pathlib import Path

from envs import FROM_SOURCE, LOCKS, interpreter, tools, uv
from project import ROOT, say

UNIVERSAL = ("tools", "build", "book", "checks", "node", "nbgrader")


def main() -> int:
    """Resolve every requirements/*.in anew and write the *.lock beside it."""
    tools()
    upgrade = ["--upgrade"] if "--upgrade" in sys.argv[1:] else []
    for name in UNIVERSAL:
        _compile(name, ["--universal", "--python-version", "3.10", *upgrade])
    wheels = ["--only-binary", ":all:"]
    for package in FROM_SOURCE:
        wheels += ["--no-binary", package]
    kernel = ["--python", str(interpreter("3.13t"))]
    _compile("kernel", [*kernel, *wheels, *upgrade])
    _compile("class", [*kernel, "--only-binary", ":all:", *upgrade])
    _compile("plugins", [*kernel, "--only-binary", ":all:", "--no-deps", *upgrade])
    return 0


def _compile(name: str, options: list[str]) -> None:
    source, lock = (LOCKS / f"{name}.{kind}" for kind in ("in", "lock"))
    say(f"locks: {_short(source)} -> {_short(lock)}")
    uv(
        *("pip", "compile", "--quiet", "--generate-hashes", "--no-header", *options),
        *("-o", _short(lock), _short(source)),
    )


def _short(path: Path) -> Path:
    return path.relative_to(ROOT)


if __name__ == "__main__":
    raise SystemExit(main())
