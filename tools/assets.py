"""Bring what browsers need into `_build/vendor/`: `python3 tools/assets.py`.

The site asks the network for nothing, so fonts, the maths engine and the widget manager are served
from it. They come as packages of the npm registry, pinned in requirements/assets.json by integrity
hash, through `npm pack` (which runs no script of theirs), and are kept in the cache.
"""

from __future__ import annotations

import base64
import hashlib
import json
import os
import shutil
import subprocess
import tarfile
import tempfile
from pathlib import Path
from typing import Any

from envs import LOCKS, tools, uv
from project import BUILD, ROOT, cache_folder, digest, fail, only_one, python_of, remove, say

LIST = LOCKS / "assets.json"
VENDOR = BUILD / "vendor"
WIDGETS = ROOT / "book/_widgets/widget-paths.js"


def main() -> int:
    """Assemble `_build/vendor/` unless it is there and up to date."""
    with only_one("assets"):
        assemble()
    return 0


def assemble() -> None:
    """Unpack the pinned packages and copy what the site takes of each."""
    anywidget = _anywidget()
    wanted = digest([LIST, WIDGETS, Path(__file__), *([anywidget] if anywidget else [])])
    stamp = VENDOR / ".stamp"
    if stamp.exists() and stamp.read_text() == wanted:
        return
    fresh = VENDOR.with_name("vendor.new")
    remove(fresh)
    for package in json.loads(LIST.read_text())["packages"]:
        _take(package, fresh)
    shutil.copy(WIDGETS, fresh / "site/widget-paths.js")
    if anywidget:
        shutil.copy(anywidget, fresh / "site/anywidget.js")
    (fresh / ".stamp").write_text(wanted)
    remove(VENDOR)
    fresh.rename(VENDOR)


def _anywidget() -> Path | None:
    """The kernel environment's own copy, so that page and kernel speak the same version."""
    found = list((ROOT / ".venv-ft").glob("share/jupyter/nbextensions/anywidget/index.js"))
    return found[0] if found else None


def _take(package: dict[str, Any], target: Path) -> None:
    with tempfile.TemporaryDirectory() as folder:
        _unpack(_archive(package), Path(folder))
        for source, place in package["take"].items():
            found, to = Path(folder) / "package" / source, target / place
            if not found.exists():
                fail(f"{package['name']} {package['version']} has no {source}; mend {LIST.name}.")
            to.parent.mkdir(parents=True, exist_ok=True)
            if found.is_dir():
                shutil.copytree(found, to)
            else:
                shutil.copy(found, to)


def _unpack(archive: Path, folder: Path) -> None:
    """Plain files only, each inside the folder (Python 3.10 may lack tarfile's own filter)."""
    with tarfile.open(archive) as opened:
        for member in opened:
            to = (folder / member.name).resolve()
            content = opened.extractfile(member) if member.isfile() else None
            if content and folder.resolve() in to.parents:
                to.parent.mkdir(parents=True, exist_ok=True)
                to.write_bytes(content.read())


def _archive(package: dict[str, Any]) -> Path:
    """The package's archive in the cache; fetched, checked and renamed into place if missing."""
    name, version = package["name"], package["version"]
    kept = cache_folder() / "assets" / f"{name.replace('/', '_')}-{version}.tgz"
    if kept.exists() and _integrity(kept) == package["integrity"]:
        return kept
    say(f"assets: fetching {name} {version}")
    kept.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=kept.parent) as folder:
        command = [*_npm(), "pack", f"{name}@{version}", "--pack-destination", folder]
        done = subprocess.run(
            [*command, "--silent", "--ignore-scripts"], capture_output=True, text=True
        )
        archives = list(Path(folder).glob("*.tgz"))
        if done.returncode != 0 or len(archives) != 1:
            why = (done.stderr or done.stdout).strip().splitlines()[-1:] or ["no message"]
            fail(
                f"npm could not fetch {name} {version}: {why[0]}. "
                "Check the network (or the npm registry setting), then run the same command again."
            )
        got = _integrity(archives[0])
        if got != package["integrity"]:
            fail(
                f"{name} {version} arrived with another content than requirements/{LIST.name} pins "
                f"({got[:24]}...); nothing was used of it."
            )
        archives[0].rename(kept)
    return kept


def _integrity(archive: Path) -> str:
    return "sha512-" + base64.b64encode(hashlib.sha512(archive.read_bytes()).digest()).decode()


def _npm() -> list[str]:
    """npm from the machine, else from a wheel of node kept in the cache."""
    if npm := shutil.which("npm"):
        return [npm]
    place = cache_folder() / f"node-{digest([LOCKS / 'node.lock'])[:12]}"
    if not (place / "bin/npm").exists():
        say("assets: no npm here; installing node from its PyPI wheel (usually half a minute)")
        tools()
        fresh = place.with_name(f"{place.name}.{os.getpid()}")
        fresh.parent.mkdir(parents=True, exist_ok=True)
        uv("venv", "--quiet", "--clear", "--relocatable", "--python", python_of("tools"), fresh)
        uv(
            *("pip", "install", "--quiet", "--require-hashes", "--python", fresh),
            *("-r", LOCKS / "node.lock"),
        )
        remove(place)
        fresh.rename(place)
    return [str(place / "bin/npm")]


if __name__ == "__main__":
    raise SystemExit(main())
