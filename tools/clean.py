"""Remove what `make` made: the site, or with --all everything, the interpreters in the cache too."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

from project import BUILD, KERNELS, ROOT, cache_folder, remove, say

ENVIRONMENTS = [ROOT / f".venv-{name}" for name in ("tools", "book", "ft", "checks", "nbgrader")]
CACHES = [ROOT / name for name in (".mypy_cache", ".ruff_cache", ".pytest_cache", "dist", "build")]
# Only folders with names that our own tools give; whatever else lies in the cache is not ours to remove.
CACHED = ("assets", "modules", "node-*")


def main() -> int:
    """`make clean`: the site and its cache. `make distclean`: all that was made, nothing else."""
    everything = "--all" in sys.argv[1:]
    gone = [BUILD]
    if everything:
        gone += [*ENVIRONMENTS, *CACHES, KERNELS, ROOT / ".locks", *ROOT.glob("src/*.egg-info")]
        gone += list((ROOT / "src/racelab").glob("*.so"))
        gone += [found for name in CACHED for found in cache_folder().glob(name)]
    for path in gone:
        if path.exists():
            say(f"removing {_shown(path)}")
            remove(path)
    if everything:
        subprocess.run(
            [sys.executable, str(ROOT / "tools/interpreter.py"), "--remove"], check=False
        )
        if cache_folder().is_dir() and not any(cache_folder().iterdir()):
            shutil.rmtree(cache_folder())
    return 0


def _shown(path: Path) -> str:
    return str(path.relative_to(ROOT)) if path.is_relative_to(ROOT) else str(path)


if __name__ == "__main__":
    raise SystemExit(main())
